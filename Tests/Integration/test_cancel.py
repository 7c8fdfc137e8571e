"""Cancel requests, and clients that vanish."""

import time

import pytest
from support.processes import wait_until
from support.wire import error_code, query, values

SETTINGS = {"default_pool_size": 2}


def is_running(postgres, mark):
    return (
        postgres.value(
            "select count(*) from pg_stat_activity where usename = 'app' and state = 'active'"
            f" and query like '%{mark}%'",
            "postgres",
        )
        > 0
    )


def start_sleep(client, postgres, mark, seconds=10):
    client.send(query(f"select pg_sleep({seconds}) /* {mark} */"))
    wait_until(lambda: is_running(postgres, mark), what="the query to run")


def test_a_running_query_is_cancelled(pooler, postgres, connect):
    client = connect(pooler.port)
    start_sleep(client, postgres, "running")
    began = time.monotonic()
    client.cancel()
    assert error_code(client.until_ready()) == "57014"
    assert time.monotonic() - began < 2
    assert values(client.ask("select 1")) == [(b"1",)]


def test_cancel_reaches_only_its_own_query(pooler, postgres, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    start_sleep(one, postgres, "first", 2)
    start_sleep(two, postgres, "second")
    two.cancel()
    assert error_code(two.until_ready()) == "57014"
    assert error_code(one.until_ready()) is None


@pytest.mark.pgweir_only
def test_a_queued_client_is_cancelled_and_its_statement_never_runs(pooler, postgres, connect):
    postgres.sql(
        "create table if not exists marks (n int); alter table marks owner to app; truncate marks"
    )
    busy = [connect(pooler.port) for _ in range(2)]
    for number, client in enumerate(busy):
        start_sleep(client, postgres, f"busy{number}", 2)
    queued = connect(pooler.port)
    queued.send(query("insert into marks values (1)"))
    time.sleep(0.2)
    began = time.monotonic()
    queued.cancel()
    assert error_code(queued.until_ready()) == "57014"
    assert time.monotonic() - began < 1
    for client in busy:
        assert error_code(client.until_ready()) is None
    assert postgres.value("select count(*) from marks") == 0
    queued.ask("insert into marks values (2)")
    assert postgres.sql("select n from marks") == [(2,)]


def test_a_wrong_key_cancels_nothing(pooler, postgres, connect):
    client = connect(pooler.port)
    start_sleep(client, postgres, "wrong", 1)
    number, secret = client.key
    client.cancel((number, bytes(byte ^ 0x55 for byte in secret)))
    client.cancel((bytes(byte ^ 0x55 for byte in number), secret))
    assert error_code(client.until_ready()) is None


def test_cancel_when_idle_cancels_nothing(pooler, postgres, connect):
    client, other = connect(pooler.port), connect(pooler.port)
    client.ask("select 1")
    start_sleep(other, postgres, "others", 1)
    client.cancel()
    assert error_code(other.until_ready()) is None
    assert values(client.ask("select 2")) == [(b"2",)]


def test_a_late_cancel_never_hits_the_next_query(pooler, connect):
    one, two = connect(pooler.port), connect(pooler.port)
    for n in range(100):
        one.send(query("select 1"))
        one.cancel()
        assert error_code(one.until_ready()) in (None, "57014")
        assert error_code(two.ask(f"select {n}")) is None
        assert error_code(two.ask("select pg_sleep(0.005)")) is None


@pytest.mark.pgweir_only
def test_the_query_of_a_client_that_vanished_is_cancelled(pooler, postgres, connect):
    client = connect(pooler.port)
    start_sleep(client, postgres, "vanished")
    client.abandon()
    wait_until(lambda: not is_running(postgres, "vanished"), 2, what="the query to be cancelled")


def test_the_transaction_of_a_client_that_vanished_is_rolled_back(pooler, postgres, connect):
    postgres.sql(
        "create table if not exists marks (n int); alter table marks owner to app; truncate marks"
    )
    client = connect(pooler.port)
    client.ask("begin")
    client.ask("insert into marks values (1)")
    client.abandon()
    wait_until(
        lambda: (
            postgres.value(
                "select count(*) from pg_stat_activity where state like 'idle in transaction%'"
            )
            == 0
        ),
        2,
        what="the end of the transaction",
    )
    other = connect(pooler.port)
    assert values(other.ask("select count(*) from marks")) == [(b"0",)]


@pytest.mark.pooler_only
def test_a_client_that_vanishes_in_the_queue_leaves_no_trace(pooler, postgres, connect):
    postgres.sql(
        "create table if not exists marks (n int); alter table marks owner to app; truncate marks"
    )
    busy = [connect(pooler.port) for _ in range(2)]
    for number, client in enumerate(busy):
        start_sleep(client, postgres, f"queue{number}", 1)
    for _ in range(20):
        queued = connect(pooler.port)
        queued.send(query("insert into marks values (1)"))
        queued.abandon()
    for client in busy:
        client.until_ready()
    for client in busy:
        assert values(client.ask("select count(*) from marks")) == [(b"0",)]
