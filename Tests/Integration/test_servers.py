"""How server connections are opened, checked and given up."""

import contextlib
import socket
import threading
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


class Door:
    """A way to PostgreSQL; the first `broken` connections are closed once they ask for something.

    `count` is how many were made.
    """

    def __init__(self, port, broken):
        self.server_port, self.broken, self.count = port, broken, 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.open, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def open(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.socket.accept()
                self.count += 1
                if self.count <= self.broken:
                    near.recv(1000)
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.server_port))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self.relay, args=ends, daemon=True).start()

    @staticmethod
    def relay(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_one_broken_login_is_tried_again_at_once(start_pooler, postgres):
    with Door(postgres.port, broken=1) as door:
        pooler = start_pooler(databases=app(door))
        began = time.monotonic()
        with psycopg.connect(pooler.uri()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert time.monotonic() - began < 3
        assert door.count == 2
        assert "closed the connection" in pooler.log.read_text()


def test_a_login_that_breaks_twice_is_told_at_once_and_tried_again_later(start_pooler, postgres):
    with Door(postgres.port, broken=2) as door:
        pooler = start_pooler({"server_login_retry": 2}, databases=app(door))
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match="server login has been failing"):
            psycopg.connect(pooler.uri())
        assert time.monotonic() - began < 1
        assert door.count == 2
        # Who comes during the pause is told as well, and does not wait for its end.
        with pytest.raises(psycopg.OperationalError, match="server login has been failing"):
            psycopg.connect(pooler.uri())
        assert time.monotonic() - began < 1.5
        assert door.count == 2
        time.sleep(max(0, began + 2.5 - time.monotonic()))
        with psycopg.connect(pooler.uri()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert door.count == 3


def test_a_server_that_is_not_there_is_tried_once(start_pooler, postgres):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    pooler = start_pooler(databases=app(postgres, port=port))
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="server login has been failing"):
        psycopg.connect(pooler.uri())
    assert time.monotonic() - began < 1
    assert pooler.log.read_text().count("WARNING server") == 1
