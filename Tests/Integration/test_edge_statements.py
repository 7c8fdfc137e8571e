"""Prepared statements where a cache between client and server could give itself away."""

import contextlib
import threading

import pytest
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.processes import wait_until
from support.wire import (
    FLUSH,
    SYNC,
    bind,
    close,
    describe,
    error_code,
    execute,
    parse,
    query,
    values,
)

pytestmark = pytest.mark.pgweir_only
TABLE = """
drop table if exists edge_items; create table edge_items (n int primary key, words text);
alter table edge_items owner to app
"""
NO_TABLE = "drop table if exists edge_late"


def batch(client, *frames):
    client.send(*frames, SYNC)
    return client.until_ready()


def use(name, *arguments):
    return bind(arguments, name=name), execute()


def flushed(client, last, *frames):
    """Sends `frames` with a Flush; reads up to the tag `last`."""
    client.send(*frames, FLUSH)
    return client.until(last)


def test_a_known_parse_behind_an_error(edge):
    def scenario(world):
        a = world.connect()
        batch(a, parse("select 'x'", "warm"), *use("warm"), close("S", "warm"))
        batch(a, parse("selec", "bad"), *use("bad"), parse("select 'x'", "s"), *use("s"))
        batch(a, *use("s"))
        batch(a, parse("select 'x'", "s"), *use("s"))

    edge.same(scenario)


def test_a_known_parse_between_two_errors_of_one_batch_and_the_next(edge):
    def scenario(world):
        a = world.connect()
        batch(a, parse("select 1/$1::int", "warm"), close("S", "warm"))
        a.send(
            *(parse("select 1/$1::int", "s"), *use("s", "0"), parse("select 1/$1::int", "t"), SYNC),
            *(*use("s", "1"), *use("t", "1"), SYNC),
            *(parse("select 1/$1::int", "t"), *use("t", "1"), close("S", "s"), SYNC),
        )
        a.until_ready(3)

    edge.same(scenario)


def test_a_known_parse_and_close_without_sync(edges, setting):
    """With room for one statement, so that each Parse evicts one."""

    def scenario(world):
        a, others = world.connect(), world.connect()
        batch(a, parse("select 'x'", "x"), close("S", "x"))
        flushed(
            a,
            *("3", parse("select 'x'", "a"), parse("select 'y'", "b")),
            *(close("S", "a"), close("S", "b"), close("S", "never")),
        )
        if a.trace[-1] == ("3", b""):
            while [tag for tag, _ in a.trace].count("3") < 4:
                a.message()
        batch(a)
        for n in range(30):
            assert others.value(f"select {n}") == f"{n}"
        batch(a, *use("a"))

    edges(setting, max_prepared_statements=1).same(scenario)


def test_an_evicted_statement_that_the_batch_still_needs(edges, setting):
    def scenario(world):
        a = world.connect()
        batch(
            a,
            *(parse("select 'a'", "a"), bind(name="a", portal="pa")),
            *(parse("select 'c'", "c"), bind(name="c", portal="pc")),
            *(describe("S", "a"), execute("pc"), execute("pa"), *use("a"), *use("c")),
        )
        assert values(a.trace) == [(b"c",), (b"a",), (b"a",), (b"c",)]
        for _ in range(3):
            batch(a, *use("a"), *use("c"), *use("a"))

    edges(setting, max_prepared_statements=1).same(scenario)


def test_evictions_under_flush(edges, setting):
    def scenario(world):
        a = world.connect()
        for n in range(4):
            flushed(a, "T", parse(f"select {n}", f"s{n}"), describe("S", f"s{n}"))
        for n in range(4):
            flushed(a, "C", *use(f"s{n}"))
        batch(a)
        assert values(a.trace) == [(b"%d" % n,) for n in range(4)]

    edges(setting, max_prepared_statements=2).same(scenario)


def test_an_error_behind_evictions_in_one_batch(edges, setting):
    """What the server skipped it has neither forgotten nor learned."""

    def scenario(world):
        a = world.connect()
        for name in "ab":
            batch(a, parse(f"select '{name}'", name))
        batch(a, *use("a"), parse("selec"), *use("b"), parse("select 'c'", "c"), *use("a"))
        batch(a, *use("b"))
        batch(a, *use("a"))
        batch(a, *use("c"))

    edges(setting, max_prepared_statements=1).same(scenario)


@pytest.mark.parametrize("ending", ["silence", "flush", "sync"])
def test_a_parse_whose_client_dies(edge, ending):
    sql = f"select 'dies in {ending}', $1::int"

    def scenario(world):
        dying = world.connect()
        dying.send(parse(sql, "s"), *{"silence": [], "flush": [FLUSH], "sync": [SYNC]}[ending])
        dying.trace = None
        dying.abandon()
        b = world.connect()
        for name in ("s", "t", ""):
            batch(b, parse(sql, name), *use(name, "1"))

    edge.same(scenario)


def test_a_parse_that_failed_and_then_is_right(edge):
    sql = "select * from edge_late"

    def scenario(world):
        a, b = world.connect(), world.connect()
        for client in (a, b):
            batch(client, parse(sql, "s"), *use("s"))
        world.sql("create table edge_late as select 1 as n; alter table edge_late owner to app")
        for client in (a, b, a):
            batch(client, parse(sql, "s"), *use("s"))
            batch(client, *use("s"), close("S", "s"))

    edge.same(scenario, before=NO_TABLE)


def test_a_bad_set_fails_itself(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        batch(a, parse("select $1::text"), bind(["a"]), execute())
        a.ask("select 1")
        a.ask("set lock_timeout to sdfs")
        b.ask("select 2")
        a.send(query("set timezone to nowhere"), query("select 1"))
        a.until_ready(2)
        batch(a, parse("set work_mem to 'much'"), bind(), execute())
        b.ask("show timezone")
        b.ask("show lock_timeout")
        a.ask("show lock_timeout")

    edge.same(scenario)


def test_commit_is_never_lost(edges, setting):
    """COMMIT and others are named statements, and there is room for two."""
    rounds = 150

    def scenario(world):
        a, b = world.connect(), world.connect()
        texts = {
            "b": "begin",
            "c": "commit",
            "r": "rollback",
            "s": "savepoint x",
            "t": "rollback to savepoint x",
            "i": "insert into edge_items values ($1)",
            "d": "delete from edge_items where n = $1",
        }
        for name, text in texts.items():
            batch(a, parse(text, name))
        wanted = 0
        for n in range(rounds):
            ways = (["b", "i", "c"], ["b", "i", "s", "d", "t", "c"], ["b", "i", "r"])
            for name in ways[n % 3]:
                batch(a, *use(name, *([f"{n}"] if name in "id" else [])))
            wanted += n % 3 != 2
            if n % 5 == 0:
                batch(b, parse(f"select {n}", "s"), *use("s"), close("S", "s"))
        assert error_code(a.trace) is None
        assert [it for tag, it in a.trace if tag == "C"].count("COMMIT") == wanted
        assert a.value("select count(*) from edge_items") == f"{wanted}"

    edges(setting, max_prepared_statements=2).same(scenario, before=TABLE)


def test_commit_parsed_anew_in_a_failed_transaction(edge):
    def scenario(world):
        a = world.connect()
        batch(a, parse("rollback", "end"), close("S", "end"))
        batch(a, parse("select 1", "one"), close("S", "one"))
        a.ask("begin")
        a.ask("selec")
        batch(a, parse("select 1", "one"), *use("one"))
        batch(a, parse("rollback", "end"), *use("end"))
        batch(a, parse("select 1", "one"), *use("one"))

    edge.same(scenario)


class TestWithoutAServerInTime:
    """The pool is taken and query_wait_timeout short: the client is told so and let go."""

    @pytest.fixture
    def held(self, edges):
        """One server, and a client that holds it."""

        @contextlib.contextmanager
        def hold(world):
            holder = world.connect()
            holder.run("begin")
            yield holder
            holder.run("rollback")

        return edges("alone", query_wait_timeout=0.3), hold

    @pytest.mark.parametrize("has_sync", [False, True], ids=["without sync", "with sync"])
    def test_nothing_of_the_batch_runs(self, held, has_sync):
        edge, hold = held

        def scenario(world):
            with hold(world):
                a = world.connect()
                insert = "insert into edge_items values (1)"
                a.send(parse(insert), bind(), describe(), execute(), *([SYNC] if has_sync else []))
                a.rest()
                assert "".join(tag for tag, _ in a.trace) == "E", a.trace
                assert a.trace[0][1]["S"] == "FATAL"
            b = world.connect()
            batch(b, parse("select count(*) from edge_items"), bind(), describe(), execute())
            assert values(b.trace) == [(b"0",)]
            assert b.value("select 5") == "5"

        edge.only(scenario, before=TABLE)

    def test_who_waits_less_is_served(self, held):
        edge, hold = held

        def scenario(world):
            a, holder = world.connect(), world.connect()
            holder.run("begin")
            a.send(parse("select 'served'"), bind(), describe(), execute(), FLUSH)
            threading.Timer(0.1, holder.send, [query("rollback")]).start()
            assert a.until("C")[-2:] == [("D", (b"served",)), ("C", "SELECT 1")]
            holder.until_ready()
            a.send(SYNC)
            assert a.until_ready() == [("Z", "I")]

        edge.only(scenario)


def test_a_trailing_describe_and_a_client_that_goes(edge):
    def scenario(world):
        a = world.connect()
        one = (parse("select 1"), bind(), execute())
        batch(a, *one, *one, describe())
        a.send(*one, *one, describe(), FLUSH)
        a.until("T", "n", "E")
        a.trace.clear()
        a.abandon()
        wait_until(lambda: world.connect().value("select 'free'") == "free", 1)

    edge.same(scenario)
