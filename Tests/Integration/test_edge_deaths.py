"""Clients that vanish at the worst moments; who comes next must not notice."""

import socket
import struct
import time

import pytest
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.processes import wait_until
from support.wire import (
    COPY_DONE,
    FLUSH,
    SYNC,
    TERMINATE,
    bind,
    copy_data,
    error_code,
    execute,
    frame,
    function_call,
    parse,
    query,
    text,
    values,
)

pytestmark = pytest.mark.pgweir_only
HUGE = 20_000_000
TABLE = """
drop table if exists edge_items; create table edge_items (n int primary key, words text);
alter table edge_items owner to app
"""
FUNCTIONS = """
create or replace function edge_huge(int) returns text language sql as
  $$ select repeat('x', $1) $$
"""


def reset(client):
    """Ends the connection with RST."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.abandon()


def finish(client):
    client.socket.shutdown(socket.SHUT_WR)
    client.abandon()


ENDS = {"reset": reset, "fin": finish}


def vanish(client, how="reset"):
    client.trace = None
    ENDS[how](client)


def check_next(world, count=5):
    b = world.connect()
    for n in range(count):
        assert b.value(f"select 'canary {n}'") == f"canary {n}"
    b.send(parse("select $1::int"), *(bind(["7"]), execute()) * 3, SYNC)
    assert values(b.until_ready()) == [(b"7",)] * 3


def huge_function(world):
    number = world.sql("select 'edge_huge(int)'::regprocedure::oid::int")[0][0]
    return function_call(number, [struct.pack("!i", HUGE)])


BIG = {
    "row": lambda _: query(f"select repeat('x', {HUGE})"),
    "row by execute": lambda _: (
        parse(f"select repeat('x', {HUGE})") + bind() + execute() + SYNC
    ),
    "copy": lambda _: query(f"copy (select repeat('x', {HUGE})) to stdout"),
    "function call": huge_function,
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("kind", BIG)
def test_inside_a_huge_answer(edge, kind, how):
    def scenario(world):
        a = world.connect()
        a.send(BIG[kind](world))
        a.fill(8000)
        vanish(a, how)
        check_next(world)

    edge.same(scenario, before=FUNCTIONS)


PENDING = {"silence": b"", "flush": FLUSH, "sync": SYNC}


@pytest.mark.parametrize("ending", PENDING)
@pytest.mark.parametrize("how", ENDS)
def test_with_replies_pending(edge, ending, how):
    one = parse("select repeat('x', 1000000)") + bind() + execute()

    def scenario(world):
        a = world.connect()
        a.send(one * 5, PENDING[ending])
        if ending != "silence":
            a.fill(1)
        vanish(a, how)
        check_next(world, 20)

    edge.same(scenario)


@pytest.mark.parametrize("sql", ["select pg_sleep(0.1)", "select 1", "begin", "selec"])
def test_terminate_behind_a_query(edge, sql):
    def scenario(world):
        a = world.connect()
        a.send(query(sql), TERMINATE)
        b = world.connect()
        for n in (5, 6, 7):
            assert b.value(f"select {n}") == f"{n}"
        a.trace = None

    edge.same(scenario)


ABANDONED = {
    "begin": query("begin"),
    "insert": query("begin") + query("insert into edge_items values (1)"),
    "failed": query("begin") + query("insert into edge_items values (1)") + query("selec"),
    "implicit": parse("insert into edge_items values (1)") + bind() + execute() + FLUSH,
    "implicit, unflushed": parse("insert into edge_items values (1)") + bind() + execute(),
    "savepoint": query("begin; savepoint s; insert into edge_items values (1)"),
    "copy in": query("copy edge_items from stdin") + copy_data("1\tone\n"),
    "copy in by execute": (
        parse("copy edge_items from stdin") + bind() + execute() + FLUSH + copy_data("1\tone\n")
    ),
    "copy in, cut": query("copy edge_items from stdin") + copy_data("1\tone\n")[:-3],
    "copy in in a block": (
        query("begin") + query("copy edge_items from stdin") + copy_data("1\tone\n")
    ),
    "copy out": query("copy (select generate_series(1, 300000)) to stdout"),
    "prepared, in a block": query("begin") + parse("insert into edge_items values (1)", "s"),
    "half a query": query("insert into edge_items values (1)")[:-3],
    "half a bind": parse("insert into edge_items values (1)") + bind()[:-2],
    "half a header": query("select 1") + b"Q\0\0",
    "a portal": query("begin") + parse("select 1") + bind(portal="p") + execute("p", 1) + FLUSH,
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("what", ABANDONED)
def test_a_transaction_that_is_left_behind(edge, what, how):

    def scenario(world):
        a = world.connect()
        a.send(ABANDONED[what])
        time.sleep(0.01)
        vanish(a, how)
        if world.is_direct:
            open_ones = "select 1 from pg_stat_activity where state <> 'idle' and usename = 'app'"
            wait_until(lambda: not world.watch(open_ones), 3, what="the end of it")
        b = world.connect()
        b.ask("begin")
        b.ask("select count(*) from edge_items")
        b.ask("commit")

    edge.same(scenario, before=TABLE)


def test_a_query_while_a_copy_waits_for_data(edge):
    """PostgreSQL ends the session then."""

    def scenario(world):
        a = world.connect()
        a.send(query("copy edge_items from stdin"))
        a.until("G")
        a.send(copy_data("1\tone\n"), query("select 'behind'"))
        a.rest()
        world.connect().ask("select count(*) from edge_items")

    edge.same(scenario, before=TABLE)


@pytest.mark.parametrize(
    "late",
    [
        [copy_data("20\tlate\n")],
        [COPY_DONE],
        [frame("f", text("late"))],
        [copy_data("20\tlate\n"), COPY_DONE, FLUSH, SYNC],
    ],
    ids=["data", "done", "fail", "all"],
)
def test_late_copy_messages(edge, late):
    def scenario(world):
        a = world.connect()
        a.send(query("copy edge_items from stdin"))
        a.until("G")
        a.send(*(copy_data(f"{n % 10}\t{'w' * 500}\n") for n in range(2000)))
        a.until_ready()
        assert error_code(a.trace) == "23505"
        world.connect().ask("select 'other'")
        a.send(*late)
        if SYNC in late:
            a.until_ready()
        a.ask("select count(*) from edge_items")

    edge.same(scenario, before=TABLE)


def test_a_copy_in_that_asks_for_more_than_it_gets(edge):
    """Extended, with Syncs before and behind CopyDone."""

    def scenario(world):
        a = world.connect()
        a.send(parse("copy edge_items from stdin"), bind(), execute(), SYNC)
        a.until("G")
        a.send(copy_data("1\tone\n"), SYNC, FLUSH, copy_data("2\ttwo\n"), SYNC, COPY_DONE, SYNC)
        a.until_ready()
        a.send(parse("copy edge_items from stdin"), bind(), execute(), SYNC)
        a.until("G")
        a.send(copy_data("1\tone\n"), COPY_DONE, SYNC, query("select 'next'"))
        a.until_ready(2)
        a.ask("select count(*) from edge_items")

    edge.same(scenario, before=TABLE)
