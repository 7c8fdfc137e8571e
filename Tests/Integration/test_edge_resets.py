"""DEALLOCATE, DISCARD and PREPARE as SQL, beside statements of the protocol."""

import pytest
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.wire import SYNC, bind, execute, parse, query, values

pytestmark = pytest.mark.pgweir_only


def batch(client, *frames):
    client.send(*frames, SYNC)
    return client.until_ready()


def use(name, *arguments):
    return bind(arguments, name=name), execute()


@pytest.mark.parametrize("reset", ["deallocate all", "discard all", "deallocate s", "DEALLOCATE s"])
@pytest.mark.parametrize("by", ["query", "batch"])
def test_a_reset_and_a_parse_in_one_pipeline(edge, reset, by):
    def scenario(world):
        a = world.connect()
        batch(a, parse("select 'old'", "s"), *use("s"))
        first = (query(reset),) if by == "query" else (parse(reset), bind(), execute())
        # DISCARD ALL cannot run in the transaction that a longer batch is.
        apart = (SYNC,) if by == "batch" and "discard" in reset else ()
        a.send(*first, *apart, parse("select 'new'", "s"), *use("s"), SYNC, *use("s"), SYNC)
        a.until_ready(2 + (by == "query") + len(apart))
        batch(a, *use("s"))
        assert values(a.trace)[1:] == [(b"new",)] * 3

    edge.same(scenario)


def test_a_deallocate_that_fails_takes_nothing(edge):
    def scenario(world):
        a = world.connect()
        batch(a, parse("select 'kept'", "s"))
        for text in ("deallocate nosuch", "begin; deallocate s; select 1/0"):
            a.send(query(text), *use("s"), SYNC)
            a.until_ready(2)
            a.ask("rollback")
        a.ask("deallocate s; select 1/0")
        batch(a, *use("s"))

    edge.same(scenario)


def test_where_an_error_behind_deallocate_stands(edge):
    def scenario(world):
        a = world.connect()
        batch(a, parse("select 'kept'", "s"))
        a.ask("deallocate s; selec")

    edge.same(scenario)


@pytest.mark.parametrize("how", ["one message", "two messages", "pipelined", "batches"])
def test_a_sql_prepare_that_fails(edge, how):
    first, second = "prepare p as select nosuch", "execute p"

    def scenario(world):
        a, b = world.connect(), world.connect()
        if how == "one message":
            a.ask(f"{first}; {second}")
        elif how == "two messages":
            a.ask(first)
            b.ask("select 'between'")
            a.ask(second)
        elif how == "pipelined":
            a.send(query(first), query(second))
            a.until_ready(2)
        else:
            batch(a, parse(first), bind(), execute(), parse(second), bind(), execute())
            batch(a, parse(second), bind(), execute())
        b.ask("select 'b'")
        b.ask("execute p")

    edge.same(scenario)


def test_sql_prepare_over_transactions(edge):
    """Its name is the client's own, on whatever server it runs."""

    def scenario(world):
        a = world.connect()
        a.ask("prepare p as select $1::int + 1")
        a.ask("execute p(1)")
        batch(a, parse("execute p(2)"), bind(), execute())
        batch(a, bind(["3"], name="p"), execute())
        a.ask("deallocate p")
        b = world.connect()
        b.ask("execute p(1)")
        a.ask("execute p(1)")

    edge.same(scenario)
