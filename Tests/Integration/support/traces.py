"""Comparing what a client sees through the pooler with what it sees without."""

from itertools import zip_longest

from .postgres import PASSWORDS
from .wire import Client


def trace(port, script, one_byte_writes=False, **login):
    """The messages that `script(client)` returns, on a connection of its own."""
    with Client(port, one_byte_writes=one_byte_writes) as client:
        client.login("app", PASSWORDS["app"], **login)
        return script(client)


def tags(messages):
    return "".join(tag for tag, _ in messages)[:400]


def assert_same(postgres, pooler, script, before=None, **how):
    """`script` has to see through the pooler what it sees without; `before` runs before each."""
    found = []
    for port in (postgres.port, pooler.port):
        if before:
            postgres.sql(before)
        found.append(trace(port, script, **how))
    direct, pooled = found
    for index, (wanted, got) in enumerate(zip_longest(direct, pooled)):
        assert got == wanted, (
            f"message {index} of {len(direct)}\nwanted {str(wanted)[:600]}\n   got {str(got)[:600]}"
            f"\nall tags wanted {tags(direct)}\n      all tags got {tags(pooled)}"
        )
    return direct


def simple(*statements):
    """A script: the `statements`, each as a simple query, each answered before the next."""

    def script(client):
        return sum((client.ask(statement) for statement in statements), [])

    return script


def sent(*frames, syncs=1):
    """A script: send all `frames` at once, then read up to the last of `syncs` ReadyForQuery."""

    def script(client):
        client.send(*frames)
        return client.until_ready(syncs)

    return script
