"""One name or one text with two meanings: each client gets its own."""

import pytest
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.wire import SYNC, bind, close, describe, execute, parse

pytestmark = pytest.mark.pgweir_only
INT4, TEXT = 23, 25


def batch(client, *frames):
    client.send(*frames, SYNC)
    return client.until_ready()


def use(name, *arguments):
    return bind(arguments, name=name), execute()


def test_one_name_for_two_statements(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        batch(a, parse("select 'a', $1::int", "s0"))
        batch(b, parse("select 'b'", "s0"))
        for _ in range(3):
            batch(a, *use("s0", "1"), describe("S", "s0"))
            batch(b, *use("s0"), describe("S", "s0"))

    edge.same(scenario)


def test_one_text_with_two_types_of_parameters(edge):
    def scenario(world):
        a, b, c = world.connect(), world.connect(), world.connect()
        sql = "select $1, pg_typeof($1)"
        batch(a, parse(sql, "s", [INT4]))
        batch(b, parse(sql, "s", [TEXT]))
        batch(c, parse(sql, "s"))
        for _ in range(3):
            for client in (a, b, c):
                batch(client, describe("S", "s"), *use("s", "7"))

    edge.same(scenario)


def test_one_text_with_two_search_paths(edge):
    schemas = "; ".join(
        f"drop schema if exists {name} cascade; create schema {name} authorization app;"
        f" create table {name}.t as select '{name}' as whose; alter table {name}.t owner to app"
        for name in ("edge_a", "edge_b")
    )

    def scenario(world):
        clients = []
        for name in ("edge_a", "edge_b"):
            clients.append(world.connect())
            clients[-1].ask(f"set search_path to {name}")
            batch(clients[-1], parse("select * from t", "s"))
        for name in ("", "s"):
            for turn in range(3):
                for client in clients:
                    batch(client, *([parse("select * from t")] if not name else []), *use(name))
        clients[0].ask("set search_path to edge_b")
        batch(clients[0], *use("s"))

    edge.same(scenario, before=schemas)


def test_unnamed_statements_with_one_and_three_parameters(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        for _ in range(3):
            batch(a, parse("select $1::int"), describe("S"))
            batch(b, parse("select $1::int, $2::text, $3::int"), describe("S"))
            batch(a, bind(["1"]), describe(), execute())
            batch(b, bind(["1", "2", "3"]), describe(), execute())

    edge.same(scenario)


def test_the_unnamed_statement_over_syncs(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        batch(a, parse("select 'mine', $1::int"), describe("S"))
        for n in range(3):
            b.ask(f"select {n}")
            batch(b, parse("select 'theirs'"), bind(), execute())
        batch(a, bind(["1"]), execute())
        batch(a, bind(["2"]), execute())
        a.ask("select 1")
        batch(a, bind(["3"]), execute())
        batch(a, parse("select 'mine again'"))
        batch(a, close("S"))
        batch(a, bind(), execute())

    edge.same(scenario)


def test_the_unnamed_statement_after_a_parse_that_failed(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        batch(a, parse("select 'first'"))
        batch(a, parse("selec"))
        batch(b, parse("select 'theirs'"), bind(), execute())
        batch(a, bind(), execute())

    edge.same(scenario)
