"""Limits mean what they say, and refusals say why."""

import threading
import time

import pytest
from support.pooler import KIND
from support.postgres import PASSWORDS, Postgres
from support.programs import run, succeed
from support.wire import Client, Closed, LoginRefused, error_code, query, values

pytestmark = pytest.mark.pooler_only
WORKERS = [1, 2, 8] if KIND == "pgweir" else [1]


def refusal(port, user="app", password=None, database="app"):
    """The ErrorResponse of a login, or of the first query, that has to fail."""
    with Client(port) as client:
        try:
            client.login(user, PASSWORDS.get(user) if password is None else password, database)
        except LoginRefused as refused:
            return refused.error
        client.send(query("select 1"))
        return next(it for tag, it in client.until("E", "Z") if tag == "E")


@pytest.mark.parametrize("workers", WORKERS)
def test_postgres_never_sees_more_servers_than_the_pool_size(
    start_pooler, postgres, tmp_path, workers
):
    pooler = start_pooler({"workers": workers, "default_pool_size": 7, "max_client_conn": 200})
    script = tmp_path / "load.sql"
    script.write_text("select 1;\nbegin;\nselect 2;\ncommit;\nselect pg_sleep(0.001);\n")
    counts, over = [], threading.Event()

    def watch():
        with postgres.connect() as connection:
            while not over.is_set():
                counts.append(
                    connection.execute(
                        "select count(*) from pg_stat_activity where usename = 'app'"
                        " and backend_type = 'client backend'"
                    ).fetchone()[0]
                )
                time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        succeed(run("pgbench", pooler, "-n", "-c", 100, "-j", 2, "-T", 3, "-f", script))
        succeed(run("pgbench", pooler, "-n", "-C", "-c", 50, "-j", 2, "-T", 2, "-f", script))
    finally:
        over.set()
        watcher.join()
    assert max(counts) <= 7
    assert max(counts) >= 6, "the load was too small to show anything"


@pytest.mark.parametrize("workers", WORKERS)
def test_ten_servers_work_at_once(start_pooler, workers):
    pooler = start_pooler({"workers": workers, "default_pool_size": 10})
    clients = [Client(pooler.port) for _ in range(10)]
    for client in clients:
        client.login("app", PASSWORDS["app"])
    for turn in range(3):
        began = time.monotonic()
        for client in clients:
            client.send(query("select pg_sleep(0.5)"))
        for client in clients:
            assert error_code(client.until_ready()) is None
        took = time.monotonic() - began
        # The first turn also opens the servers.
        assert took < (1.5 if turn == 0 else 0.9), f"turn {turn} took {took:.2f} s"
    for client in clients:
        client.abandon()


def test_a_client_that_waits_too_long_is_told_so(start_pooler, connect):
    pooler = start_pooler({"default_pool_size": 1, "query_wait_timeout": 1})
    busy, waiting = connect(pooler.port), connect(pooler.port)
    busy.send(query("select pg_sleep(4)"))
    time.sleep(0.3)
    began = time.monotonic()
    waiting.send(query("select 1"))
    error = next(it for tag, it in waiting.rest() if tag == "E")
    assert 0.8 < time.monotonic() - began < 3
    # PgBouncer has one code for everything; ours says that there are too few servers.
    code = "53300" if KIND == "pgweir" else "08P01"
    assert (error["S"], error["C"], error["M"]) == ("FATAL", code, "query_wait_timeout")
    if KIND == "pgweir":
        assert error["D"]
    assert error_code(busy.until_ready()) is None


def test_waiters_are_served_in_turn(start_pooler, connect):
    # Between workers the order is only nearly that of arrival.
    pooler = start_pooler({"default_pool_size": 1, "workers": 1})
    busy = connect(pooler.port)
    waiting = [connect(pooler.port) for _ in range(10)]
    busy.send(query("select pg_sleep(0.5)"))
    time.sleep(0.2)
    for client in waiting:
        client.send(query("select extract(epoch from clock_timestamp())::text"))
        time.sleep(0.01)
    times = [float(values(client.until_ready())[0][0]) for client in waiting]
    assert times == sorted(times)


def test_more_clients_than_allowed_are_refused(start_pooler, connect):
    pooler = start_pooler({"max_client_conn": 3})
    kept = [connect(pooler.port) for _ in range(3)]
    error = refusal(pooler.port)
    assert error["S"] == "FATAL"
    assert error["M"] == "no more connections allowed (max_client_conn)"
    kept[0].abandon()
    time.sleep(0.3)
    assert values(connect(pooler.port).ask("select 1")) == [(b"1",)]


def test_an_unknown_database_is_refused_by_name(start_pooler):
    error = refusal(start_pooler().port, database="nowhere")
    assert error["S"] == "FATAL"
    assert error["M"] == "no such database: nowhere"


def test_a_wrong_password_is_refused(start_pooler):
    error = refusal(start_pooler().port, password="wrong")
    assert error["S"] == "FATAL"
    assert "authentication failed" in error["M"]


def test_a_wrong_user_is_refused_like_a_wrong_password(start_pooler):
    port = start_pooler().port
    unknown, wrong = refusal(port, user="nobody", password="x"), refusal(port, password="x")
    assert unknown["M"] == wrong["M"] and unknown["C"] == wrong["C"]


def test_a_database_that_the_server_lacks_is_refused_in_the_servers_words(start_pooler, postgres):
    pooler = start_pooler(
        databases={"app": {"host": "127.0.0.1", "port": postgres.port, "dbname": "missing"}}
    )
    assert refusal(pooler.port)["M"] == 'database "missing" does not exist'


def test_a_server_that_is_down_is_told_and_its_return_noticed(start_pooler):
    cluster = Postgres().start()
    try:
        pooler = start_pooler({"server_login_retry": 1, "query_wait_timeout": 3}, before=cluster)
        with Client(pooler.port) as client:
            client.login("app", PASSWORDS["app"])
            assert values(client.ask("select 1")) == [(b"1",)]
        cluster.halt()
        time.sleep(0.5)
        began = time.monotonic()
        error = refusal(pooler.port)
        assert error["S"] == "FATAL" and error["M"]
        assert time.monotonic() - began < 8
        cluster.launch()
        deadline = time.monotonic() + 10
        while True:
            try:
                with Client(pooler.port) as client:
                    client.login("app", PASSWORDS["app"])
                    assert values(client.ask("select 1")) == [(b"1",)]
                break
            except (LoginRefused, Closed, AssertionError):
                assert time.monotonic() < deadline, "the pooler does not notice the server's return"
                time.sleep(0.3)
    finally:
        cluster.stop()


def test_a_server_that_dies_in_mid_query_ends_that_client_only(start_pooler, postgres, connect):
    pooler = start_pooler()
    victim, other = connect(pooler.port), connect(pooler.port)
    victim.send(query("select pg_sleep(10) /* victim */"))
    time.sleep(0.4)
    postgres.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where usename = 'app' and query like '%victim%'"
    )
    assert [it for tag, it in victim.rest() if tag == "E"]
    assert values(other.ask("select 1")) == [(b"1",)]
    assert values(connect(pooler.port).ask("select 1")) == [(b"1",)]


def test_idle_servers_that_died_are_not_handed_out(start_pooler, postgres, connect):
    pooler = start_pooler()
    client = connect(pooler.port)
    for _ in range(3):
        assert values(client.ask("select 1")) == [(b"1",)]
        # The client keeps its server as long as that is asked what it was left with.
        pooler.wait_for_release()
        postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")
        time.sleep(0.3)
    assert values(client.ask("select 1")) == [(b"1",)]
