"""Clients that keep what they receive, and comparing it."""

import re
import struct
from itertools import zip_longest

from .postgres import PASSWORDS
from .wire import Client, error_code, values

SETTLES = False
"""Whether a client that may have left something waits until the pooler has asked the server.

False, and `settle` gone, once test_what_follows_while_the_pooler_asks passes.
"""
LEAVES_SOMETHING = re.compile(
    r"\b(re)?set\b|config|lock|temp|hold|listen|prepare|deallocate|discard|commit|drop|do|call"
    r"|update|edge_",
    re.IGNORECASE,
)

class Recorder(Client):
    """A client that keeps what it receives after its login."""

    def __init__(self, *arguments, **more):
        self.trace = None
        super().__init__(*arguments, **more)

    def message(self):
        message = super().message()
        if self.trace is not None:
            self.trace.append(message)
        return message

    def ask(self, sql):
        messages = super().ask(sql)
        if self.trace is not None and LEAVES_SOMETHING.search(sql):
            self.settle()
        return messages

    def ask_at_once(self, sql):
        """Like `ask`; the next message may follow while the pooler still asks its question."""
        return super().ask(sql)

    def settle(self):
        """Waits for the answer to what the pooler asks: this goes behind it, to the same server."""
        if SETTLES:
            count = len(self.trace)
            super().ask("select 'settled'")
            self.trace[count:] = [it for it in self.trace[count:] if it[0] in "ANS"]

    def run(self, sql):
        """A simple query's rows; an error fails the test."""
        messages = self.ask(sql)
        assert error_code(messages) is None, (sql, messages)
        return values(messages)

    def value(self, sql):
        return self.run(sql)[0][0].decode()


class Console:
    """The admin console, kept open."""

    def __init__(self, pooler):
        self.client = Client(pooler.port)
        self.client.login("admin", PASSWORDS["admin"], "pgbouncer")

    def run(self, command):
        messages = self.client.ask(command)
        assert error_code(messages) is None, (command, messages)
        return messages

    def show(self, what):
        messages = self.run(f"SHOW {what}")
        names = [it[0] for it in columns(next(body for tag, body in messages if tag == "T"))]
        return [
            dict(zip(names, (it if it is None else it.decode() for it in row), strict=True))
            for row in values(messages)
        ]


def columns(body):
    """The columns in a RowDescription: name, table, number, type, length, modifier, format."""
    found, offset = [], 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(b"\0", offset)
        found.append((body[offset:end].decode(), *struct.unpack_from("!IhIhih", body, end + 1)))
        offset = end + 19
    return found


def compare(direct, pooled):
    """Fails at the first message that differs between two runs, each a list of traces."""
    assert len(direct) == len(pooled), "the scenario opened different clients"
    for number, (one, other) in enumerate(zip(direct, pooled, strict=True)):
        for index, (wanted, got) in enumerate(zip_longest(one, other)):
            assert normal(got) == normal(wanted), (
                f"client {number}, message {index} of {len(one)}\n"
                f"wanted {str(wanted)[:600]}\n   got {str(got)[:600]}\n"
                f"all tags wanted {tags(one)}\n      all tags got {tags(other)}"
            )


def tags(messages):
    return "".join(tag for tag, _ in messages)[:400]


def normal(message):
    """Without what differs between two runs: who sent a notification, objects made anew."""
    tag, body = message or (None, None)
    if tag == "A":
        return tag, body[4:]
    if tag == "T":
        return tag, [(name, *map(known, it)) for name, *it in columns(body)]
    return message


def known(number):
    """Numbers of objects that are not built in differ from run to run."""
    return number if number < 16384 else "an object"
