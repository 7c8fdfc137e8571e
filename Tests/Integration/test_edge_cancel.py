"""Cancel requests that come when nothing of their client's runs, or too late."""

import time

import pytest
from support.edges import ALONE, edge, edges, fresh, setting  # noqa: F401
from support.meddler import Meddler
from support.postgres import PASSWORDS
from support.recording import Console
from support.wire import SYNC, Client, bind, error_code, execute, parse, query, values

pytestmark = pytest.mark.pgweir_only


def silent(client, seconds=0.05):
    """Whether nothing comes."""
    client.socket.settimeout(seconds)
    try:
        client.message()
        return False
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(4)


def test_a_cancel_when_idle(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        a.ask("select 1")
        for _ in range(5):
            a.cancel()
        assert silent(a)
        b.ask("select pg_sleep(0.02)")
        a.ask("select 2")

    edge.same(scenario)


def test_a_cancel_when_idle_in_a_transaction(edge):
    def scenario(world):
        a = world.connect()
        a.ask("begin")
        a.cancel()
        assert silent(a)
        a.ask("select 1")
        a.send(parse("select 2", "s"), SYNC)
        a.until_ready()
        a.cancel()
        a.ask("select 3")
        a.ask("commit")

    edge.same(scenario)


@pytest.mark.parametrize("sql", ["select pg_sleep(5)", "begin; select pg_sleep(5)"])
def test_a_cancel_of_what_runs(edge, sql):
    def scenario(world):
        a, b = world.connect(), world.connect()
        a.send(query(sql), query("select 'next'"))
        time.sleep(0.05)
        a.cancel()
        a.until_ready(2)
        a.ask("rollback")
        b.ask("select pg_sleep(0.02)")

    edge.same(scenario)


def test_a_cancel_of_a_batch(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        one = (parse("select pg_sleep($1::float8)", "s"), bind(["3"], name="s"), execute())
        a.send(*one, parse("select 'never'", "n"), bind(name="n"), execute(), SYNC)
        time.sleep(0.05)
        a.cancel()
        a.until_ready()
        b.ask("select pg_sleep(0.02)")
        a.send(*one[1:2], SYNC, bind(name="n"), SYNC)
        a.until_ready(2)

    edge.same(scenario)


@pytest.mark.parametrize("by", ["query", "batch", "batch without sync"])
def test_a_cancel_in_the_queue(edges, postgres, by):
    postgres.sql(
        "drop table if exists edge_items; create table edge_items (n int);"
        " alter table edge_items owner to app"
    )
    insert = "insert into edge_items values (1)"
    frames = {
        "query": [query(insert)],
        "batch": [parse(insert), bind(), execute(), SYNC],
        "batch without sync": [parse(insert), bind(), execute()],
    }

    def scenario(world):
        holder, a = world.connect(), world.connect()
        holder.run("begin")
        a.send(*frames[by])
        time.sleep(0.05)
        a.cancel()
        assert a.message()[1]["C"] == "57014"
        if by == "batch without sync":
            a.send(SYNC)
        assert a.message() == ("Z", "I")
        holder.run("rollback")
        assert a.value("select count(*) from edge_items") == "0"
        a.send(parse("select 5"), bind(), execute(), SYNC)
        assert values(a.until_ready()) == [(b"5",)]

    edges(ALONE).only(scenario)


def test_a_cancel_while_the_poolers_own_set_runs(edge):
    """Two clients with parameters of their own share the servers; cancels rain on one of them."""

    def scenario(world):
        a, b = world.connect(work_mem="1MB"), world.connect(work_mem="2MB")
        for _ in range(25):
            a.send(query("show work_mem"))
            a.cancel()
            messages = a.until_ready()
            assert values(messages) == [(b"1MB",)] or error_code(messages) == "57014", messages
            assert b.value("show work_mem") == "2MB"
        assert a.value("show work_mem") == "1MB"

    edge.only(scenario)


@pytest.mark.parametrize("delay", [0, 0.01, 0.05, 0.2])
def test_a_cancel_that_is_late(start_pooler, postgres, delay):
    """It is held back between pooler and server; others take the server meanwhile."""
    meddler = Meddler(postgres.port)
    server = {"host": "127.0.0.1", "port": meddler.port}
    pooler = start_pooler({"default_pool_size": 1}, databases={"app": server})
    a, b = Client(pooler.port), Client(pooler.port)
    for client in (a, b):
        client.login("app", PASSWORDS["app"])
    meddler.cancel_delay = delay
    began, rounds = time.monotonic(), 0
    while time.monotonic() < began + 0.5:
        rounds += 1
        a.send(query("select pg_sleep(0.005)"))
        a.cancel()
        b.send(*(query(f"select {n}, pg_sleep(0.01)") for n in range(3)))
        assert error_code(a.until_ready()) in (None, "57014")
        messages = b.until_ready(3)
        assert error_code(messages) is None, (rounds, messages)
        assert len(values(messages)) == 3
    pools = [row for row in Console(pooler).show("POOLS") if row["database"] == "app"]
    assert [row["sv_active"] for row in pools] == ["0"]
    for client in (a, b):
        client.abandon()
    meddler.close()
