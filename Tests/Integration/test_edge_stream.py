"""Transaction borders, odd cuts of the stream, and what a server may say at any time."""

import random

import pytest
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.meddler import ASYNC, BYTES, Meddler
from support.wire import (
    COPY_DONE,
    FLUSH,
    SYNC,
    bind,
    close,
    copy_data,
    describe,
    execute,
    frame,
    parse,
    query,
    text,
)

pytestmark = pytest.mark.pgweir_only
TABLE = """
drop table if exists edge_items; create table edge_items (n int primary key, words text);
alter table edge_items owner to app
"""
BORDERS = {
    "two in one": [
        "begin; insert into edge_items values (1); commit;"
        " begin; insert into edge_items values (2)",
        *("select count(*) from edge_items", "rollback"),
    ],
    "commit and chain": ["begin", "commit and chain", "select 1", "commit"],
    "rollback and chain": [
        *("begin", "insert into edge_items values (1)", "rollback and chain", "commit"),
    ],
    "chain of a failed one": ["begin", "selec", "commit and chain", "select 1", "rollback"],
    "chain without a block": ["commit and chain", "select 1"],
    "an error in an implicit block": [
        *("insert into edge_items values (1); select 1/0", "select count(*) from edge_items"),
    ],
    "an error behind commit": [
        "begin; insert into edge_items values (1); commit; select 1/0",
        "select count(*) from edge_items",
    ],
    "begin inside an implicit block": [
        *("insert into edge_items values (1); begin; select 1", "rollback"),
        "select count(*) from edge_items",
    ],
    "begin, rollback and discard": ["begin", "rollback; discard all", "rollback", "discard all"],
    "rollback twice": ["begin", "rollback", "rollback"],
    "begin twice": ["begin", "begin", "commit"],
    "empty": ["", ";", ";;", "  \n", "/* c */", "-- c", "/* /* */ */ -- x\n;", "select 1"],
    "empty in a block": ["begin", "", "-- c", "commit"],
    "empty in a failed block": ["begin", "selec", "", "commit"],
    "prepared transaction": ["begin", "prepare transaction 'edge'", "rollback prepared 'edge'"],
    "savepoints": [
        *("begin", "savepoint s", "selec", "rollback to s", "select 1", "release s", "end"),
    ],
    "abort": ["begin", "abort", "start transaction", "end work", "begin work", "abort and chain"],
    "set transaction": [
        *("begin isolation level serializable", "show transaction_isolation", "commit"),
        *("set transaction read only", "show transaction_read_only"),
    ],
    "vacuum": ["vacuum edge_items", "begin", "vacuum edge_items", "rollback"],
    "commit in do": ["do $$ begin commit; end $$", "select 1"],
}


@pytest.mark.parametrize("what", BORDERS)
def test_transaction_borders(edge, what):
    def scenario(world):
        a = world.connect()
        for sql in BORDERS[what]:
            a.ask(sql)
        a.ask("select 'end'")
        a.send(*(query(sql) for sql in BORDERS[what]))
        a.until_ready(len(BORDERS[what]))
        a.ask("rollback")
        b = world.connect()
        for sql in BORDERS[what]:
            b.send(parse(sql), bind(), describe(), execute(), SYNC)
            b.until_ready()
        b.ask("rollback")

    edge.same(scenario, before=TABLE)


def formats(count):
    """A Bind that asks for its result's columns in `count` formats, binary and text in turn."""
    body = text("") + text("") + b"\0\0\0\0" + count.to_bytes(2)
    return frame("B", body + b"".join((n % 2).to_bytes(2) for n in range(count)))


SEVENTEEN = "select " + ", ".join(f"{n}::int4 as c{n}" for n in range(17))
EVERYTHING = (
    [query("select 1; select 'two'"), query(""), query("selec"), query("begin")]
    + [parse(SEVENTEEN, "s"), describe("S", "s"), SYNC, query("rollback")]
    + [bind(name="s"), describe(), execute(), SYNC]
    + [parse(SEVENTEEN)]
    + [it for count in (0, 1, 17) for it in (formats(count), describe(), execute())]
    + [SYNC, formats(2), execute(), SYNC, close("S", "s"), SYNC]
    + [query("set timezone to 'Asia/Tokyo'"), query("reset timezone")]
    + [parse("select generate_series(1, 9)"), bind(), execute(limit=4), FLUSH, execute(), SYNC]
    + [query("select repeat('x', 70000)"), parse("select 1/0"), bind(), execute(), describe(), SYNC]
    + [query("copy edge_items from stdin"), copy_data("1\tone\n2\t"), copy_data("two\n"), COPY_DONE]
    + [query("copy edge_items to stdout"), query("deallocate all"), query("select 'end'")]
)
READY_COUNT = 4 + 6 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1
CUTS = {
    "bytes": lambda data: [data[n : n + 1] for n in range(len(data))],
    "sevens": lambda data: [data[n : n + 7] for n in range(0, len(data), 7)],
    "whole": lambda data: [data],
    "random": lambda data: cut_at_random(data, 7),
}


def cut_at_random(data, seed):
    places = sorted(random.Random(seed).sample(range(1, len(data)), 60))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def say_everything(world, cut, **login):
    a = world.connect(**login)
    for piece in cut(b"".join(EVERYTHING)):
        a.send(piece)
    a.until("Z")
    while ("D", (b"end",)) not in a.trace:
        a.until("Z")


@pytest.mark.parametrize("cut", CUTS)
def test_everything_at_once_in_any_cut(edge, cut):
    edge.same(lambda world: say_everything(world, CUTS[cut]), before=TABLE)


@pytest.fixture
def meddled(edges, postgres, setting):
    """A pool whose servers are behind a relay that meddles."""
    meddler = Meddler(postgres.port)
    server = {"host": "127.0.0.1", "port": meddler.port}
    edge = edges(setting, what={"databases": {"app": server}}, server_lifetime=3000 + meddler.port)
    yield meddler, edge
    meddler.mode = "pass"
    edge.close()


def test_a_server_that_writes_single_bytes(meddled):
    meddler, edge = meddled

    def scenario(world):
        meddler.mode = "pass" if world.is_direct else BYTES
        say_everything(world, CUTS["whole"])
        meddler.mode = "pass"

    edge.same(scenario, before=TABLE)


def test_a_server_that_says_more_than_it_was_asked(meddled, postgres):
    """Whatever comes unasked is left out of the comparison; nothing else may change."""
    meddler, edge = meddled

    def scenario(world):
        with world.hush():
            meddler.mode = "pass" if world.is_direct else ASYNC
            a, b = world.connect(work_mem="1MB"), world.connect(work_mem="2MB")
            for client in (a, b, a):
                client.ask("show work_mem")
            say_everything(world, CUTS["whole"])
            for client in (a, b):
                client.ask("set lock_timeout to '5s'")
                client.ask("show lock_timeout")
            meddler.mode = "pass"
        for client in world.clients:
            unasked = [it for it in client.trace if is_unasked(it)]
            # Numbered by the relay: in the order in which it said them, none twice.
            numbers = [number(it) for it in unasked if it[0] != "S"]
            assert len(set(numbers)) == len(numbers)
            client.trace[:] = [it for it in client.trace if not is_unasked(it)]

    edge.same(scenario, before=TABLE)


def is_unasked(message):
    tag, body = message
    return (
        tag == "N"
        and body["M"].startswith("meddler")
        or tag == "A"
        or tag == "S"
        and body[0] == "in_hot_standby"
    )


def number(message):
    tag, body = message
    if tag == "N":
        return tag, body["M"]
    return tag, body


def test_a_client_that_writes_bytes_to_a_server_that_does(meddled):
    meddler, edge = meddled

    def scenario(world):
        meddler.mode = "pass" if world.is_direct else BYTES
        say_everything(world, CUTS["sevens"])
        meddler.mode = "pass"

    edge.same(scenario, before=TABLE)
