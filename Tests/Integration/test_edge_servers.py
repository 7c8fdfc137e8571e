"""Servers that die, change, or are not whom one thinks."""

import functools
import random
import signal
import time
from pathlib import Path

import pytest
from support.edges import ALONE, edge, edges, fresh, setting  # noqa: F401
from support.postgres import PASSWORDS, Postgres
from support.processes import wait_until
from support.wire import (
    SYNC,
    Client,
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
KILL = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'"


def terminate(world):
    """Ends all sessions of the pool's; returns once they have gone."""
    world.watch(KILL)
    sessions = "select 1 from pg_stat_activity where usename = 'app'"
    wait_until(lambda: not world.watch(sessions), 2, every=0.001, what="the sessions to end")


def stop(pooler):
    """Returns when all its threads stand still."""
    pooler.signal(signal.SIGSTOP)
    threads = Path(f"/proc/{pooler.process.pid}/task").glob("*/stat")
    for thread in threads:
        wait_until(lambda: thread.read_text().rpartition(")")[2].split()[0] == "T", 2, 0.001)


@pytest.fixture
def quiet(edges, setting):
    """A pool whose servers may be killed: the strangers do not come."""
    edge = edges(setting)
    if edge.strangers:
        edge.strangers.stop()
        edge.strangers.start = lambda: None
    yield edge
    edge.close()


@pytest.mark.parametrize("rest", [0.1, 0.02], ids=lambda rest: f"after {rest} s")
def test_idle_servers_are_terminated(quiet, rest):
    def scenario(world):
        a, b = world.connect(), world.connect()
        for n in range(3 if rest == 0.1 else 20):
            for client in (a, b):
                assert client.value(f"select {n}") == f"{n}"
            time.sleep(rest)
            terminate(world)
            for client in (a, b):
                assert client.value(f"select {n} + 1") == f"{n + 1}"

    quiet.only(scenario)


def test_a_server_dies_between_the_query_and_its_checkout(quiet):
    """The pooler stands still meanwhile, so that it learns of both at once."""

    def scenario(world):
        a = world.connect()
        for n in range(3):
            a.run("select 1")
            time.sleep(0.06)
            stop(quiet.pooler)
            a.send(query(f"select {n}"))
            terminate(world)
            quiet.pooler.signal(signal.SIGCONT)
            assert values(a.until_ready()) == [(f"{n}".encode(),)]

    quiet.only(scenario)


def test_idle_session_timeout_of_the_server(quiet, postgres):
    postgres.sql("alter role app set idle_session_timeout to '30ms'")
    try:

        def scenario(world):
            a, b = world.connect(), world.connect()
            for n in range(3):
                for client in (a, b):
                    assert client.value(f"select {n}") == f"{n}"
                time.sleep(0.1)
            postgres.sql("alter role app reset idle_session_timeout")
            time.sleep(0.1)

        quiet.only(scenario)
    finally:
        postgres.sql("alter role app reset idle_session_timeout")


def test_a_server_dies_in_a_transaction(quiet):
    """Its client is told in the server's words; the other one does not notice."""

    def scenario(world):
        a, b = world.connect(), world.connect()
        a.run("begin")
        terminate(world)
        messages = a.rest()
        assert messages[0][1]["C"] == "57P01"
        assert b.value("select 1") == "1"

    quiet.only(scenario)


def is_linked(edge, client):
    port = str(client.socket.getsockname()[1])
    return any(it["link"] for it in edge.console.show("CLIENTS") if it["port"] == port)


class TestStaleDefaults:
    """After RECONNECT a server has what PostgreSQL has now."""

    @pytest.fixture
    def clean(self, postgres):
        yield
        postgres.sql("alter role app reset all; alter database app reset all; alter role app login")
        postgres.sql(f"alter role app password '{PASSWORDS['app']}'")

    @pytest.mark.parametrize("whose", ["role", "database"])
    def test_a_changed_default(self, quiet, clean, whose):

        def scenario(world):
            old = world.connect()
            old.run("select 1")
            # As long as it is asked what it was left with, the server is still the client's.
            wait_until(lambda: not is_linked(quiet, old), 2)
            world.sql(f"alter {whose} app set work_mem to '7MB'")
            world.sql(f"alter {whose} app set timezone to 'Asia/Tokyo'")
            quiet.console.run("RECONNECT")
            began = time.monotonic()
            new = world.connect()
            wait_until(lambda: new.value("show work_mem") == "7MB", 1)
            assert new.value("show timezone") == "Asia/Tokyo"
            assert new.parameters["TimeZone"] == "Asia/Tokyo"
            seen = [(old.value("show work_mem"), old.value("show timezone")) for _ in range(5)]
            assert time.monotonic() - began < 1
            # One client sees one state, whichever it is.
            assert len(set(seen)) == 1
            world.sql(f"alter {whose} app reset all")
            quiet.console.run("RECONNECT")

        quiet.only(scenario)

    def test_a_role_that_may_not_log_in_any_more(self, quiet, clean):
        def scenario(world):
            old = world.connect()
            old.run("select 1")
            # Its server has gone back to the pool, and nothing of ours is under way.
            servers = functools.partial(quiet.console.show, "SERVERS")
            wait_until(lambda: all(row["state"] == "idle" for row in servers()), 2)
            world.sql("alter role app nologin")
            quiet.console.run("RECONNECT")
            old.send(query("select 1"))
            error = next(it for tag, it in old.rest() if tag == "E")
            assert error["C"] == "28000", error

        quiet.pooled(scenario)


class TestIdentity:
    """Users, databases and aliases, in any order: each client is who it is, where it wanted."""

    @pytest.fixture(scope="class")
    def second(self):
        cluster = Postgres()
        try:
            yield cluster.start()
        finally:
            cluster.stop()

    @pytest.mark.parametrize("size", [1, 2])
    def test_everyone_is_who_they_are(self, start_pooler, postgres, second, size):
        for cluster in (postgres, second):
            cluster.sql("grant all on schema public to public; grant app to other")
        places = {
            "one": {"host": "127.0.0.1", "port": postgres.port, "dbname": "app"},
            "two": {"host": "127.0.0.1", "port": second.port, "dbname": "app"},
            "three": {"host": "127.0.0.1", "port": postgres.port, "dbname": "app2"},
        }
        pooler = start_pooler({"default_pool_size": size}, databases=places)
        choice = random.Random(32)
        probe = (
            "select current_user, session_user, current_database(), inet_server_port(),"
            " current_setting('work_mem')"
        )
        clients = []
        for _ in range(150):
            user, place = choice.choice(["app", "other"]), choice.choice(list(places))
            memory = choice.choice([None, "1MB", "2MB"])
            role = choice.choice([None, "app"]) if user == "other" else None
            client = Client(pooler.port)
            parameters = {"work_mem": memory, "role": role}
            client.login(
                user, PASSWORDS[user], place, **{k: v for k, v in parameters.items() if v}
            )
            client.wanted = (
                *((role or user).encode(), user.encode(), places[place]["dbname"].encode()),
                *(f"{places[place]['port']}".encode(), (memory or "4MB").encode()),
            )
            clients.append(client)
            if len(clients) > 12:
                clients.pop(choice.randrange(12)).abandon()
            for one in choice.sample(clients, min(4, len(clients))):
                one.send(query(probe))
                one.asked = True
                messages = one.until_ready()
                assert values(messages) == [one.wanted], messages
        for client in clients:
            client.abandon()


SCHEMA = """
drop table if exists edge_shape; create table edge_shape (n int); insert into edge_shape values (1);
alter table edge_shape owner to app;
drop table if exists edge_count; create table edge_count (n int);
alter table edge_count owner to app
"""


class TestSchemaChanges:
    """SELECT * is prepared, and the table changes: cached plan must not change result type."""

    def test_outside_of_transactions(self, edge):
        def scenario(world):
            clients = [world.connect() for _ in range(3)]
            for client in clients:
                client.send(parse("select * from edge_shape", "s"), SYNC)
                client.until_ready()
            for n in range(3):
                for client in clients:
                    client.send(bind(name="s"), describe(), execute(), SYNC)
                    assert error_code(client.until_ready()) is None
                world.sql(f"alter table edge_shape add column c{n} int default {n}")
            for client in clients:
                client.send(bind(name="s"), describe(), execute(), SYNC)
                assert error_code(client.until_ready()) is None

        edge.only(scenario, before=SCHEMA)

    def test_in_a_pipeline_nothing_runs_twice(self, edge):
        def scenario(world):
            a = world.connect()
            a.send(parse("select * from edge_shape", "s"), SYNC)
            a.send(parse("insert into edge_count values (1)", "i"), SYNC)
            a.until_ready(2)
            a.send(bind(name="s"), execute(), SYNC)
            a.until_ready()
            world.sql("alter table edge_shape add column c int")
            a.send(*(bind(name="i"), execute(), bind(name="s"), execute(), SYNC))
            messages = a.until_ready()
            count = 0 if error_code(messages) else 1
            assert a.value("select count(*) from edge_count") == f"{count}"

        edge.only(scenario, before=SCHEMA)

    def test_inside_a_transaction_the_error_is_passed_once(self, edges):
        """With one server: another one may have parsed the statement later."""

        def scenario(world):
            a = world.connect()
            a.send(parse("select * from edge_shape", "s"), bind(name="s"), execute(), SYNC)
            a.until_ready()
            a.ask("begin")
            world.sql("alter table edge_shape add column c int")
            a.send(bind(name="s"), execute(), SYNC)
            a.until_ready()
            a.ask("select 1")
            a.ask("rollback")

        edges(ALONE).same(scenario, before=SCHEMA)

    def test_a_new_parse_sees_the_new_shape(self, edge):
        def scenario(world):
            a, b = world.connect(), world.connect()
            text = "select * from edge_shape"
            use = describe("S", "s"), bind(name="s"), execute()
            for _ in range(8):
                a.send(parse(text, "s"), *use, close("S", "s"), SYNC)
                a.until_ready()
            world.sql("alter table edge_shape add column c int")
            for _ in range(8):
                b.send(parse(text, "s"), *use, close("S", "s"), SYNC)
                b.until_ready()
                b.send(parse(text), describe("S"), bind(), describe(), execute(), SYNC)
                b.until_ready()

        edge.same(scenario, before=SCHEMA)
