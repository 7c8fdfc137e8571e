"""How server connections are opened, checked and given up."""

import time

import psycopg
import pytest

pytestmark = pytest.mark.pgweir_only


def app(postgres, **more):
    return {"app": {"host": "127.0.0.1", "port": postgres.port, **more}}


def test_a_host_that_is_down_is_passed_over_at_once(start_pooler, postgres):
    for balance in ("round-robin", "disable"):
        pooler = start_pooler(
            databases=app(
                postgres,
                host="127.0.0.9,127.0.0.1",
                load_balance_hosts=balance,
            )
        )
        began = time.monotonic()
        with psycopg.connect(pooler.uri()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert time.monotonic() - began < 3, balance


def test_a_connect_query_that_fails_is_logged_and_ignored(start_pooler, postgres):
    pooler = start_pooler(databases=app(postgres, connect_query="select no_such_function()"))
    with psycopg.connect(pooler.uri()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert "connect_query failed" in pooler.log.read_text()


def test_an_idle_server_is_checked_before_use(start_pooler, postgres):
    pooler = start_pooler(
        {"server_check_query": "select 'checked'", "server_check_delay": 0, "default_pool_size": 1}
    )
    with psycopg.connect(pooler.uri(), autocommit=True) as connection:
        for _ in range(20):
            assert connection.execute("select 1").fetchone() == (1,)


def test_the_reset_query_runs_after_each_release(start_pooler, postgres):
    pooler = start_pooler(
        {
            "server_reset_query": "select set_config('app.reset', 'yes', false)",
            "server_reset_query_always": True,
            "default_pool_size": 1,
        }
    )
    with psycopg.connect(pooler.uri(), autocommit=True) as connection:
        connection.execute("select 1")
        for _ in range(3):
            row = connection.execute("select current_setting('app.reset', true)").fetchone()
            assert row == ("yes",)


def test_a_server_that_ended_while_idle_is_replaced(start_pooler, postgres):
    pooler = start_pooler({"default_pool_size": 1})
    with psycopg.connect(pooler.uri(), autocommit=True) as connection:
        for _ in range(5):
            (backend,) = connection.execute("select pg_backend_pid()").fetchone()
            postgres.value(f"select pg_terminate_backend({backend}, 2000)")
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_removed_database_ends_its_clients(start_pooler, postgres):
    pooler = start_pooler()
    with psycopg.connect(pooler.uri("app2"), autocommit=True) as connection:
        connection.execute("select 1")
        del pooler.sections["databases"]["app2"]
        pooler.write()
        with psycopg.connect(pooler.uri("pgweir", user="admin"), autocommit=True) as console:
            console.execute("reload")
        with pytest.raises(psycopg.OperationalError, match="database removed"):
            for _ in range(50):
                connection.execute("select 1")
                time.sleep(0.02)


def test_queries_in_session_mode_are_counted_while_the_client_stays(start_pooler):
    pooler = start_pooler({"pool_mode": "session"})
    with psycopg.connect(pooler.uri(), autocommit=True) as connection:
        for _ in range(10):
            connection.execute("select 1")
        with psycopg.connect(pooler.uri("pgweir", user="admin"), autocommit=True) as console:
            cursor = console.execute("show stats")
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    (row,) = [row for row in rows if row["database"] == "app"]
    assert int(row["total_query_count"]) >= 10
