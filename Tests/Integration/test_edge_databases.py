"""Statements about a whole database, while the pool has idle servers of it and nobody uses it."""

import time

import pytest
from support import wire
from support.processes import wait_until
from support.wire import error_code

pytestmark = pytest.mark.pgweir_only
STATEMENTS = {
    "drop": "drop database edge_victim",
    "rename": "alter database edge_victim rename to edge_copy",
    "template": "create database edge_copy template edge_victim",
    "template, quoted": 'CREATE DATABASE "edge_copy" WITH OWNER = app TEMPLATE = edge_victim',
}


SESSIONS = "select 1 from pg_stat_activity where datname = '{}' and state = 'idle'"


@pytest.fixture
def victim(start_pooler, postgres):
    """A pooler; its database edge_victim had a client, and has an idle server."""

    def clear():
        for name in ("edge_victim", "edge_copy"):
            postgres.sql(f"drop database if exists {name} with (force)", "postgres")
        postgres.sql("alter role app nocreatedb", "postgres")

    clear()
    postgres.sql("alter role app createdb", "postgres")
    postgres.sql("create database edge_victim owner app", "postgres")
    server = {"host": "127.0.0.1", "port": postgres.port}
    keeps = {"min_pool_size": 2}
    databases = {"app": server, "template1": server, "edge_victim": {**server, **keeps}}
    yield start_pooler(databases=databases)
    clear()


@pytest.fixture
def idle(postgres):
    """Waits until so many servers of a database are idle."""

    def wait(count, database="edge_victim"):
        sessions = SESSIONS.format(database)
        wait_until(lambda: len(postgres.sql(sessions)) == count, 4, what=f"{count} idle servers")

    return wait


@pytest.mark.parametrize("what", STATEMENTS)
@pytest.mark.parametrize("is_prepared", [False, True], ids=["query", "prepared"])
def test_a_database_that_only_the_pool_uses(victim, connect, idle, what, is_prepared):
    # It stays connected, so that the pool wants to have servers.
    visitor = connect(victim.port, database="edge_victim")
    visitor.ask("select 1")
    idle(2)
    client = connect(victim.port)
    if is_prepared:
        client.send(wire.parse(STATEMENTS[what]), wire.bind(), wire.execute(), wire.SYNC)
        assert error_code(client.until_ready()) is None
    else:
        assert error_code(client.ask(STATEMENTS[what])) is None
    if "template" in what:
        idle(2)
        assert error_code(visitor.ask("select 1")) is None


def test_no_template_is_template1(victim, connect, idle):
    visitor = connect(victim.port, database="template1")
    visitor.ask("select 1")
    idle(1, "template1")
    client = connect(victim.port)
    # Nothing is to be asked any more when the statement is over.
    client.ask("select 1")
    client.ask("select 1")
    assert error_code(client.ask("create database edge_copy")) is None
    visitor.ask("select 1")
    idle(1, "template1")


def test_from_a_client_of_the_database_itself(victim, connect, idle):
    others = [connect(victim.port, database="edge_victim") for _ in range(3)]
    client = connect(victim.port, database="edge_victim")
    for other in others:
        other.ask("begin")
    for other in others:
        other.ask("commit")
    idle(3)
    assert error_code(client.ask(STATEMENTS["template"])) is None


def test_a_client_that_leaves_in_time(victim, connect):
    visitor = connect(victim.port, database="edge_victim")
    visitor.ask("begin")
    client = connect(victim.port)
    client.send(wire.query(STATEMENTS["drop"]))
    time.sleep(0.5)
    assert error_code(visitor.ask("commit")) is None
    assert error_code(client.until_ready()) is None


def test_others_are_left_alone(victim, connect, idle, postgres):
    connect(victim.port, database="template1").ask("select 1")
    pids = "select pid from pg_stat_activity where datname = 'template1' and state = 'idle'"
    idle(1, "template1")
    before = postgres.sql(pids)
    connect(victim.port).ask("alter database edge_victim connection limit 7")
    connect(victim.port).ask(STATEMENTS["drop"])
    assert postgres.sql(pids) == before


def test_a_database_that_a_client_uses_is_still_refused(victim, connect):
    visitor = connect(victim.port, database="edge_victim")
    visitor.ask("begin")
    assert error_code(connect(victim.port).ask("drop database edge_victim")) == "55006"
    assert error_code(visitor.ask("commit")) is None
