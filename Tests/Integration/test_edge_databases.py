"""Statements about a whole database, while the pool has idle servers of it and nobody uses it."""

import pytest
from support.edges import known_to_fail  # noqa: F401
from support.processes import wait_until
from support.wire import error_code

pytestmark = pytest.mark.pgweir_only
STATEMENTS = {
    "drop": "drop database edge_victim",
    "rename": "alter database edge_victim rename to edge_copy",
    "template": "create database edge_copy template edge_victim",
    "template, quoted": 'CREATE DATABASE "edge_copy" WITH OWNER = app TEMPLATE = edge_victim',
}


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
    yield start_pooler(databases={"app": server, "edge_victim": server})
    clear()


@pytest.mark.parametrize("what", STATEMENTS)
def test_a_database_that_only_the_pool_uses(victim, postgres, connect, known_to_fail, what):
    known_to_fail("idle servers of a database are in the way of statements about it")
    visitor = connect(victim.port, database="edge_victim")
    visitor.ask("select 1")
    visitor.abandon()
    sessions = "select 1 from pg_stat_activity where datname = 'edge_victim' and state = 'idle'"
    wait_until(lambda: postgres.sql(sessions), 2, what="an idle server")
    client = connect(victim.port)
    assert error_code(client.ask(STATEMENTS[what])) is None


def test_a_database_that_a_client_uses_is_still_refused(victim, connect):
    visitor = connect(victim.port, database="edge_victim")
    visitor.ask("begin")
    assert error_code(connect(victim.port).ask("drop database edge_victim")) == "55006"
    assert error_code(visitor.ask("commit")) is None
