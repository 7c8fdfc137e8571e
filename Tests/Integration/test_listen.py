"""LISTEN, UNLISTEN and NOTIFY in transaction mode: as PostgreSQL does it, on shared servers."""

import asyncio
import os
import random
import signal
import threading
import time

import psycopg
import pytest
from support.wire import SYNC, bind, describe, error_code, execute, parse, query

pytestmark = pytest.mark.pgweir_or_direct
SETTINGS = {"default_pool_size": 1}


def listening(pooler, *statements, autocommit=True):
    connection = psycopg.connect(pooler.uri(), autocommit=autocommit)
    for statement in statements:
        connection.execute(statement)
    return connection


def heard(connection, count, timeout=5):
    """(channel, payload) of the next notifications: `count`, or fewer when time is over."""
    found = []
    for notify in connection.notifies(timeout=timeout, stop_after=count):
        found.append((notify.channel, notify.payload))
    return found


def is_silent(connection):
    return heard(connection, 1, timeout=0.3) == []


def notify_long(postgres, count):
    with postgres.connect("app") as direct:
        for number in range(count):
            direct.execute("select pg_notify('a', %s)", (f"{number:09}" + "x" * 7990,))


def kill_listeners(postgres):
    """Ends the listeners of all poolers, once clients have been handed over to them."""
    time.sleep(0.5)
    killed = postgres.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where usename = 'app' and query ~ '^LISTEN|^-- pgweir'"
    )
    assert killed


def app_queries(postgres):
    rows = postgres.sql("select query from pg_stat_activity where usename = 'app'")
    return [text for (text,) in rows]


def test_a_listener_does_not_keep_its_server(pooler, postgres):
    with listening(pooler, "listen a") as first, psycopg.connect(pooler.uri()) as second:
        assert second.execute("select 1").fetchone() == (1,)
        second.commit()
        postgres.sql("notify a, 'one'")
        assert heard(first, 1) == [("a", "one")]
        assert first.execute("select 2").fetchone() == (2,)
        postgres.sql("notify a, 'two'; notify b, 'not for anybody'; notify a, 'three'")
        assert heard(first, 2) == [("a", "two"), ("a", "three")]
        assert is_silent(first)


def test_notifications_right_behind_listen_are_not_missed_nor_doubled(pooler, postgres):
    sent = []
    done = threading.Event()

    def notify():
        with postgres.connect("app") as direct:
            while not done.is_set():
                sent.append(str(len(sent)))
                direct.execute(f"notify busy, '{sent[-1]}'")

    thread = threading.Thread(target=notify)
    thread.start()
    try:
        for _ in range(20):
            with listening(pooler) as connection:
                connection.execute("listen busy")
                found = [int(payload) for _, payload in heard(connection, 300)]
                assert len(found) >= 300
                assert found == list(range(found[0], found[0] + len(found)))
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "name", ["plain", "UPPER", '"Quoted Name"', '"two "" quotes"', '"ünïcode"', '"*"', '"a;b"']
)
def test_names(pooler, postgres, name):
    with listening(pooler, f"listen {name}") as connection:
        connection.execute("select 1")
        postgres.sql(f"notify {name}, 'x'")
        folded = name[1:-1].replace('""', '"') if name[0] == '"' else name.lower()
        assert heard(connection, 1) == [(folded, "x")]
        connection.execute(f"unlisten {name}")
        postgres.sql(f"notify {name}, 'y'")
        assert is_silent(connection)


def test_a_long_payload(pooler, postgres):
    with listening(pooler, "listen a") as connection:
        postgres.sql(f"notify a, '{'x' * 7999}'")
        assert heard(connection, 1) == [("a", "x" * 7999)]


def test_listen_takes_effect_at_commit(pooler, postgres):
    with listening(pooler) as connection:
        connection.execute("begin")
        connection.execute("listen a")
        postgres.sql("notify a, 'before'")
        connection.execute("commit")
        postgres.sql("notify a, 'after'")
        assert heard(connection, 1) == [("a", "after")]
        assert is_silent(connection)


def test_listen_in_a_rolled_back_transaction_gives_nothing(pooler, postgres):
    with listening(pooler) as connection:
        connection.execute("begin; listen a; rollback")
        connection.execute("begin")
        connection.execute("listen a")
        connection.execute("savepoint s")
        connection.execute("listen b")
        connection.execute("rollback to s")
        connection.execute("commit")
        postgres.sql("notify b, 'no'; notify a, 'yes'")
        assert heard(connection, 1) == [("a", "yes")]
        assert is_silent(connection)
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("listen c; select 1/0")
        postgres.sql("notify c, 'no'")
        assert is_silent(connection)


def test_listen_and_commit_in_one_query(pooler, postgres):
    with listening(pooler, "begin; listen a; commit") as connection:
        postgres.sql("notify a, 'x'")
        assert heard(connection, 1) == [("a", "x")]


def extended(sql, name=""):
    return parse(sql, name) + bind(name=name) + describe() + execute()


def notifications(client, count):
    found = []
    while len(found) < count:
        tag, body = client.message()
        assert tag == "A", (tag, body)
        found.append(tuple(part.decode() for part in body[4:-1].split(b"\0")))
    return found


@pytest.mark.parametrize(
    "batches",
    [
        [[extended("listen e")]],
        [[extended("begin"), extended("listen e"), extended("commit")]],
        [[extended("begin"), extended("listen e")], [extended("commit")]],
        [[extended("listen f"), extended("listen e")]],
    ],
)
def test_extended_protocol(pooler, postgres, connect, batches):
    client = connect(pooler.port)
    for batch in batches:
        client.send(*batch, SYNC)
        client.until_ready()
    other = connect(pooler.port)
    other.ask("select 1")
    postgres.sql("notify e, 'x'")
    assert notifications(client, 1) == [("e", "x")]
    client.send(extended("unlisten e"), SYNC)
    client.until_ready()
    postgres.sql("notify e, 'y'")
    assert "A" not in [tag for tag, _ in client.ask("select 1")]
    assert "A" not in [tag for tag, _ in client.ask("select 1")]


@pytest.mark.parametrize(
    ("statements", "left"),
    [
        (["unlisten a"], "b"),
        (["unlisten *"], ""),
        (["discard all"], ""),
        (["do $$ begin execute 'unlisten a'; end $$"], "b"),
        (["begin; unlisten a; rollback"], "ab"),
        (["begin", "unlisten a", "rollback"], "ab"),
        (["begin", "unlisten a", "commit"], "b"),
        (["begin", "unlisten *", "rollback"], "ab"),
        (["begin", "unlisten *", "commit"], ""),
        (["begin", "unlisten *", "listen b", "commit"], "b"),
        (["begin", "listen b", "unlisten *", "commit"], ""),
        (["begin", "savepoint s", "unlisten a", "rollback to s", "unlisten b", "commit"], "a"),
        (["begin", "unlisten a", "savepoint s", "unlisten b", "rollback to s", "commit"], "b"),
        (["unlisten a; listen a"], "ab"),
        (["unlisten *; listen c"], "c"),
        (["listen c; unlisten a"], "bc"),
        (["listen a", "listen a", "unlisten a"], "b"),
        (["unlisten nothing"], "ab"),
    ],
)
def test_unlisten(pooler, postgres, statements, left):
    with listening(pooler, "listen a", "listen b") as connection:
        for statement in statements:
            connection.execute(statement)
        with psycopg.connect(pooler.uri()) as other:
            other.execute("select 1")
        for _ in range(2):
            postgres.sql("notify a, 'x'; notify b, 'x'; notify c, 'x'")
            assert [channel for channel, _ in heard(connection, len(left))] == list(left)
            assert is_silent(connection)
            connection.execute("select 1")


def test_a_failed_unlisten_changes_nothing(pooler, postgres):
    with listening(pooler, "listen a") as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("unlisten *; select 1/0")
        postgres.sql("notify a, 'x'")
        assert heard(connection, 1) == [("a", "x")]


def test_notify_of_its_own(pooler):
    with listening(pooler, "listen a") as connection:
        connection.execute("notify a, 'mine'")
        assert heard(connection, 1) == [("a", "mine")]
    with listening(pooler, "begin", "listen a", "notify a, 'inside'", "commit") as connection:
        assert heard(connection, 1) == [("a", "inside")]


def test_who_notified_itself_in_its_listening_transaction_knows_its_process(pooler):
    with listening(pooler, "begin", "listen a", "notify a", "commit") as connection:
        notify = next(connection.notifies(timeout=5))
        assert notify.pid == connection.info.backend_pid


def test_what_it_notifies_itself_of_comes_before_the_end_of_the_answer(pooler, connect):
    client = connect(pooler.port)
    client.ask("listen a")
    for _ in range(20):
        assert [tag for tag, _ in client.ask("notify a, 'x'")] == ["C", "A", "Z"]
        client.send(extended("select pg_notify('a', 'y')"), SYNC)
        assert [tag for tag, _ in client.until_ready()] == ["1", "2", "T", "D", "C", "A", "Z"]


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_everybody_knows_its_own_notifications(start_pooler, postgres, mode):
    """By the process told at login, as drivers do, whatever server they came by."""
    pooler = start_pooler(
        {"default_pool_size": 2 if mode == "transaction" else 5, "workers": 2, "pool_mode": mode}
    )
    clients = [listening(pooler, "listen a") for _ in range(5)]
    numbers = [client.info.backend_pid for client in clients]
    assert len(set(numbers)) == len(numbers)
    sent = 60

    def use(index):
        for number in range(sent):
            clients[index].execute(f"notify a, '{index} {number}'")

    threads = [threading.Thread(target=use, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    with postgres.connect("app") as direct:
        direct.execute("notify a, 'direct'")
        numbers.append(direct.info.backend_pid)
    for thread in threads:
        thread.join()
    for client in clients:
        found = list(client.notifies(timeout=5, stop_after=len(clients) * sent + 1))
        assert len(found) == len(clients) * sent + 1
        for notify in found:
            sender = -1 if notify.payload == "direct" else int(notify.payload.split()[0])
            assert notify.pid == numbers[sender], notify
        client.close()


def test_who_looks_at_its_channels_sees_them(pooler):
    with listening(pooler, "listen a", "listen b") as connection:
        for wait in (0, 0, 0.5, 0):
            time.sleep(wait)
            rows = connection.execute("select pg_listening_channels()").fetchall()
            assert rows == [("a",), ("b",)]
        with psycopg.connect(pooler.uri(), autocommit=True) as other:
            assert other.execute("select pg_listening_channels()").fetchall() == []


@pytest.mark.pgweir_only
def test_more_channels_than_are_taken_over_keep_the_server(start_pooler, postgres):
    pooler = start_pooler({"default_pool_size": 1, "max_channels": 2, "query_wait_timeout": 0.5})
    with listening(pooler, "listen a", "listen b", "listen c") as connection:
        postgres.sql("notify a; notify c")
        assert [channel for channel, _ in heard(connection, 2)] == ["a", "c"]
        with psycopg.connect(pooler.uri("pgweir", user="admin"), autocommit=True) as console:
            cursor = console.execute("show clients")
            place = [column.name for column in cursor.description].index("pinned_by")
            assert "LISTEN" in [row[place] for row in cursor.fetchall()]
        connection.execute("unlisten b")
        with psycopg.connect(pooler.uri(), autocommit=True) as other:
            assert other.execute("select 1").fetchone() == (1,)
        postgres.sql("notify b; notify a; notify c")
        assert [channel for channel, _ in heard(connection, 2)] == ["a", "c"]
        assert is_silent(connection)


def test_inside_a_transaction_block_notifications_wait_for_its_end(start_pooler, postgres, connect):
    pooler = start_pooler({"default_pool_size": 2})
    client = connect(pooler.port)
    client.ask("listen a")
    client.ask("begin")
    postgres.sql("notify a, 'x'")
    time.sleep(0.2)
    assert [tag for tag, _ in client.ask("select 1")] == ["T", "D", "C", "Z"]
    assert [tag for tag, _ in client.ask("commit")] == ["C", "A", "Z"]


def test_one_client_stops_another_goes_on(pooler, postgres):
    with listening(pooler, "listen a") as first, listening(pooler, "listen a") as second:
        second.execute("unlisten a")
        postgres.sql("notify a, 'x'")
        assert heard(first, 1) == [("a", "x")]
        assert is_silent(second)
        second.execute("listen a")
        first.close()
        postgres.sql("notify a, 'y'")
        assert heard(second, 1) == [("a", "y")]


@pytest.mark.pgweir_only
def test_a_client_that_dies_gives_its_channels_back(pooler, postgres, connect):
    client = connect(pooler.port)
    client.ask("listen gone")
    with listening(pooler, "listen here") as connection:
        time.sleep(0.3)
        client.abandon()
        time.sleep(0.3)
        postgres.sql("notify gone, 'x'; notify here, 'y'")
        assert heard(connection, 1) == [("here", "y")]
        assert any('UNLISTEN "gone"' in text for text in app_queries(postgres))


@pytest.mark.pgweir_only
def test_clients_are_told_when_the_listener_is_lost(pooler, postgres, connect):
    clients = [listening(pooler, "listen a") for _ in range(5)]
    raw = connect(pooler.port)
    raw.ask("listen a")
    quiet = psycopg.connect(pooler.uri(), autocommit=True)
    quiet.execute("select 1")
    kill_listeners(postgres)
    start = time.monotonic()
    assert error_code(raw.rest()) == "57P01"
    for client in clients:
        with pytest.raises(psycopg.OperationalError):
            heard(client, 1)
    assert time.monotonic() - start < 2
    assert quiet.execute("select 1").fetchone() == (1,)
    with listening(pooler, "listen a") as again:
        postgres.sql("notify a, 'x'")
        assert heard(again, 1) == [("a", "x")]


@pytest.mark.pgweir_only
def test_a_listener_that_does_not_answer_is_lost(start_pooler, postgres, connect):
    pooler = start_pooler({"default_pool_size": 2, "server_connect_timeout": 1})
    client = connect(pooler.port)
    client.ask("listen a")
    time.sleep(0.5)
    client.ask("select 1")
    ((number,),) = postgres.sql(
        "select pid from pg_stat_activity where usename = 'app' and query ~ '^LISTEN|^-- pgweir'"
    )
    os.kill(number, signal.SIGSTOP)
    try:
        client.send(query("select 2"))
        assert error_code(client.rest()) == "57P01"
        again = connect(pooler.port)
        again.ask("listen a")
        again.ask("select 3")
    finally:
        os.kill(number, signal.SIGCONT)


@pytest.mark.pgweir_only
def test_clients_inside_of_a_transaction_are_told_too(start_pooler, postgres, connect):
    pooler = start_pooler({"default_pool_size": 2})
    client = connect(pooler.port)
    client.ask("listen a")
    time.sleep(0.5)
    client.ask("begin")
    kill_listeners(postgres)
    assert error_code(client.rest()) == "57P01"


@pytest.mark.pgweir_only
def test_the_listener_is_shown(pooler, postgres):
    with listening(pooler, "listen a"):
        time.sleep(0.5)
        with psycopg.connect(pooler.uri("pgbouncer", "admin"), autocommit=True) as console:
            cursor = psycopg.ClientCursor(console)
            cursor.execute("show servers")
            place = [column.name for column in cursor.description].index("state")
            assert [row[place] for row in cursor.fetchall()].count("listening") == 1


@pytest.mark.pgweir_only
def test_a_client_with_too_many_waiting_notifications_is_closed(start_pooler, postgres):
    pooler = start_pooler({"default_pool_size": 2})
    with listening(pooler, "listen a") as connection, listening(pooler, "listen a") as other:
        time.sleep(0.5)
        connection.execute("begin")
        notify_long(postgres, 600)
        with pytest.raises(psycopg.OperationalError, match="too many notifications"):
            connection.execute("select 1")
        assert [int(payload[:9]) for _, payload in heard(other, 600)] == list(range(600))


def test_a_client_that_does_not_read_gets_all_later(pooler, postgres, connect):
    client = connect(pooler.port)
    client.ask("listen a")
    notify_long(postgres, 400)
    found = notifications(client, 400)
    assert [int(payload[:9]) for _, payload in found] == list(range(400))


def test_a_client_of_another_encoding_is_served_too(pooler, postgres):
    with listening(pooler, "set client_encoding = latin1", 'listen "ä"') as connection:
        postgres.sql("notify \"ä\", 'ö'")
        assert heard(connection, 1) == [("ä", "ö")]
        connection.execute("unlisten *")
    with psycopg.connect(pooler.uri()) as other:
        other.execute("select 1")


@pytest.mark.pgweir_only
@pytest.mark.parametrize("workers", [1, 2])
def test_many_clients_on_many_channels(start_pooler, postgres, workers):
    pooler = start_pooler({"default_pool_size": 5, "workers": workers, "max_client_conn": 300})
    channel_count, client_count, notify_count = 20, 200, 5000
    chance = random.Random(workers)
    clients = []
    for number in range(client_count):
        names = chance.sample(range(channel_count), chance.randint(1, 4))
        connection = listening(pooler, *(f"listen c{name}" for name in names))
        clients.append((connection, set(names)))
    sent = []

    def use(connection):
        """Transactions in between, so that notifications meet every state."""
        connection.execute("begin")
        connection.execute("select 1")
        connection.execute("commit")

    with postgres.connect("app") as direct:
        for number in range(notify_count):
            name = chance.randrange(channel_count)
            direct.execute(f"notify c{name}, '{number}'")
            sent.append((name, number))
            if number % 25 == 0:
                use(clients[chance.randrange(client_count)][0])
    for connection, names in clients:
        expected = [(f"c{name}", str(number)) for name, number in sent if name in names]
        assert heard(connection, len(expected), timeout=20) == expected
    for connection, _ in clients[:5]:
        assert is_silent(connection)
    for connection, _ in clients:
        connection.close()


def test_clients_come_and_go(start_pooler, postgres):
    """LISTEN, UNLISTEN and goodbyes at random while notifications pass: none lost, none twice."""
    pooler = start_pooler({"default_pool_size": 3, "workers": 2})
    done = threading.Event()
    last = {name: 0 for name in "abc"}

    def notify():
        with postgres.connect("app") as direct:
            while not done.is_set():
                for name in last:
                    last[name] += 1
                    direct.execute(f"notify {name}, '{last[name]}'")

    failures = []

    def listen(seed):
        chance = random.Random(seed)
        try:
            end = time.monotonic() + 6
            while time.monotonic() < end:
                with listening(pooler) as connection:
                    for _ in range(chance.randint(1, 5)):
                        name = chance.choice("abc")
                        connection.execute(f"listen {name}")
                        if chance.random() < 0.5:
                            connection.execute("select 1")
                        numbers = [
                            int(payload)
                            for channel, payload in heard(connection, chance.randint(1, 40))
                            if channel == name
                        ]
                        if numbers:
                            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
                        connection.execute("unlisten *")
                        # What came until then was still heard.
                        list(connection.notifies(timeout=0))
                        assert is_silent(connection) if chance.random() < 0.1 else True
        except BaseException as failure:  # noqa: BLE001 - shown below
            failures.append(failure)

    threads = [threading.Thread(target=notify)]
    threads += [threading.Thread(target=listen, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    done.set()
    threads[0].join()
    assert not failures, failures[0]


def test_psycopg_asynchronous(pooler, postgres):
    async def run():
        connection = await psycopg.AsyncConnection.connect(pooler.uri(), autocommit=True)
        async with connection:
            await connection.execute("listen a")
            postgres.sql("notify a, 'x'; notify a, 'y'")
            found = [
                notify.payload async for notify in connection.notifies(timeout=5, stop_after=2)
            ]
            assert found == ["x", "y"]

    asyncio.run(run())


def test_asyncpg(pooler, postgres):
    asyncpg = pytest.importorskip("asyncpg")

    async def run():
        connection = await asyncpg.connect(pooler.uri())
        found = asyncio.Queue()

        def note(_connection, _pid, channel, payload):
            found.put_nowait((channel, payload))

        await connection.add_listener("Some Channel", note)
        assert await connection.fetchval("select 1") == 1
        postgres.sql("notify \"Some Channel\", 'x'")
        assert await asyncio.wait_for(found.get(), 5) == ("Some Channel", "x")
        await connection.remove_listener("Some Channel", note)
        postgres.sql("notify \"Some Channel\", 'y'")
        await asyncio.sleep(0.2)
        assert found.empty()
        await connection.close()

    asyncio.run(run())


def test_listening_in_session_mode_is_untouched(start_pooler, postgres, connect):
    pooler = start_pooler({"pool_mode": "session"})
    with listening(pooler, "listen a") as connection:
        postgres.sql("notify a, 'x'")
        assert heard(connection, 1) == [("a", "x")]
