"""A tenant variable that is set once, and row-level security that relies on it.

Many clients share two servers; each sees its own rows only, and no statement costs a round trip
more than without the pooler. A relay between pgweir and PostgreSQL counts.
"""

import random
import threading

import psycopg
import pytest
from support.counting import Counter
from support.postgres import PASSWORDS
from support.processes import wait_until
from support.wire import SYNC, Client, bind, execute, parse, values

TENANTS, ROWS = 50, 5
TABLE = f"""
drop table if exists notes;
create table notes (tenant text, n int);
insert into notes select 'tenant ' || t, n from generate_series(0, {TENANTS - 1}) t,
    generate_series(1, {ROWS}) n;
alter table notes enable row level security;
create policy own on notes using (tenant = current_setting('app.tenant', true));
grant select, insert on notes to app;
"""
LOOK = "select tenant, count(*)::int from notes group by tenant"
SETTERS = {
    "SET": "set app.tenant = '{}'",
    "SET SESSION": 'set session app.tenant to "{}"',
    "set_config": "select set_config('app.tenant', '{}', false)",
}
pytestmark = pytest.mark.pgweir_only


@pytest.fixture
def counted(start_pooler, postgres):
    """A pooler with two servers, and the relay that counts for it."""
    postgres.sql(TABLE)
    counter = Counter(postgres.port)
    pooler = start_pooler(
        {
            **{"default_pool_size": 2, "server_check_delay": 60},
            **{"server_tls_sslmode": "disable", "function_check_interval": 3600},
        },
        databases={"app": {"host": "127.0.0.1", "port": counter.port}},
    )
    with Client(pooler.port) as first:
        # Behind its first transaction the database is asked what functions there are.
        first.login("app", PASSWORDS["app"])
        first.ask("select 1")
        first.ask("select 'last'")
        wait_until(lambda: any("select 'last'" in trip.texts for trip in counter.trips[:]))
    yield pooler, counter
    counter.close()


def trips_of(counter, what):
    """The round trips that `what` makes."""
    with counter.lock:
        before = len(counter.trips)
    what()
    with counter.lock:
        return counter.trips[before:]


@pytest.mark.parametrize("setter", SETTERS)
def test_each_tenant_sees_its_own_rows_without_a_round_trip_more(counted, connect, setter):
    pooler, counter = counted
    clients = [connect(pooler.port) for _ in range(TENANTS)]
    for number, client in enumerate(clients):
        client.ask(SETTERS[setter].format(f"tenant {number}"))
    # Behind the question that the last of them costs.
    clients[-1].ask("select 1")
    order = [number for number in range(TENANTS) for _ in range(6)]
    random.Random(4).shuffle(order)

    def look(ask):
        def each():
            for number in order:
                found = values(ask(clients[number]))
                assert found == [(f"tenant {number}".encode(), f"{ROWS}".encode())], number

        return each

    def extended(client):
        client.send(parse(LOOK), bind(), execute(), SYNC)
        return client.until_ready()

    for ask in (lambda client: client.ask(LOOK), extended):
        trips = trips_of(counter, look(ask))
        assert len(trips) == len(order)
        set_in_front = [trip for trip in trips if len(trip.texts) == 2]
        # Nearly each time another tenant's server has to be made fit, and that is one write.
        assert len(set_in_front) > len(order) / 2
        assert all("set_config" in trip.texts[0] for trip in set_in_front)
        assert all(trip.texts[-1] == LOOK for trip in trips)
        assert all(trip.receives == 1 for trip in trips)


def test_tenants_at_once_with_prepared_statements_and_transactions(counted):
    """Ten programs with five connections each: as many round trips as statements."""
    pooler, counter = counted
    failures, statements = [], []
    barrier = threading.Barrier(11)

    def program(first):
        try:
            connections = []
            for number in range(first, first + 5):
                connection = psycopg.connect(pooler.uri(), autocommit=True, prepare_threshold=1)
                connection.execute(
                    "select set_config('app.tenant', %s, false)", [f"tenant {number}"]
                )
                # The question that a set_config costs has been asked when this is answered.
                connection.execute("select 1", prepare=False)
                connections.append((f"tenant {number}", connection))
            barrier.wait(20)
            barrier.wait(20)
            count = 0
            for turn in range(20):
                for tenant, connection in connections:
                    wanted = [(tenant, ROWS)]
                    if turn % 4 == 3:
                        with connection.transaction():
                            assert connection.execute(LOOK).fetchall() == wanted
                            assert connection.execute(LOOK).fetchall() == wanted
                        count += 4
                    else:
                        assert connection.execute(LOOK).fetchall() == wanted
                        count += 1
            # The second use of LOOK parses it, in a round trip of psycopg's own.
            statements.append(count + len(connections))
            for _, connection in connections:
                connection.close()
        except Exception as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=program, args=(n * 5,)) for n in range(10)]

    def start():
        for thread in threads:
            thread.start()
        barrier.wait(20)

    def go():
        barrier.wait(20)
        for thread in threads:
            thread.join()

    start()
    trips = trips_of(counter, go)
    assert failures == []
    assert len(trips) <= sum(statements)
    assert all(trip.receives == 1 for trip in trips)


def test_what_setting_it_costs(counted, connect):
    """One question to the server, behind the answer: the client waits for one round trip."""
    pooler, counter = counted
    client = connect(pooler.port)
    client.ask("select 1")
    for setter in SETTERS.values():

        def set_and_look():
            client.ask(setter.format("tenant 1"))
            client.ask(LOOK)

        trips = trips_of(counter, set_and_look)
        texts = [text for trip in trips for text in trip.texts]
        assert len(texts) == 3, texts
        assert "current_setting" in texts[1]


def test_rolled_back_and_local_tenants(counted, connect):
    pooler, counter = counted
    one, other = connect(pooler.port), connect(pooler.port)
    one.ask("set app.tenant = 'tenant 1'")
    other.ask("set app.tenant = 'tenant 2'")

    def own():
        for client, tenant in ((one, b"tenant 1"), (other, b"tenant 2")):
            assert values(client.ask(LOOK)) == [(tenant, b"5")]

    for texts in (
        ("begin", "set app.tenant = 'tenant 3'", "rollback"),
        ("begin", "savepoint s", "set app.tenant = 'tenant 3'", "rollback to s", "commit"),
        ("begin", "set local app.tenant = 'tenant 3'", "commit"),
        ("begin; set app.tenant = 'tenant 3'; select 1/0",),
    ):
        for text in texts:
            one.ask(text)
        if texts[-1].endswith("1/0"):
            one.ask("rollback")
        for _ in range(3):
            own()


def test_a_tenant_in_the_startup_packet_costs_a_round_trip_once(counted):
    pooler, counter = counted
    found = []
    for _ in range(3):

        def come_and_look():
            with Client(pooler.port) as client:
                client.login(
                    "app", PASSWORDS["app"], options="-c app.tenant=tenant\\ 7 -c work_mem=5MB"
                )
                assert values(client.ask(LOOK)) == [(b"tenant 7", b"5")]

        found.append(len(trips_of(counter, come_and_look)))
    assert found == [2, 1, 1]
