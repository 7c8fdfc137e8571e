"""RELOAD that gives a database another place while clients are connected: where they go on."""

import contextlib
import itertools
import os
import random
import threading

import pytest
from support.postgres import PASSWORDS
from support.processes import wait_until
from support.shards import Shards
from support.wire import SYNC, Client, bind, error_code, execute, parse, query, values

SEED = int(os.environ.get("SEED", random.randrange(10**9)))
pytestmark = pytest.mark.pgweir_only
PLACES = ["one server", "shard 0", "shard 1", "map", "other map"]
CHANGES = list(itertools.permutations(PLACES, 2))


class Moving(Shards):
    """Database `moving`, whose place changes; a row with the same key is wherever it can be."""

    def __init__(self, postgres, place, **settings):
        super().__init__(postgres, **settings)
        self.tenant = self.tenant_of(1)
        for shard in (0, 1):
            self.rows(shard, f"insert into orders values ({self.tenant}, 999, 'both')")
        self.where = (
            f"select current_database() from orders where tenant_id = {self.tenant} and id = 999"
        )
        self.move(place)

    def move(self, place):
        self.reload(self.section(place))

    def section(self, place):
        other = f"""
[sharding.by_other]
cluster = "main"
key = ["bigint"]
tables = {{ "*" = ["tenant_id"] }}
[[sharding.by_other.place]]
values = [{self.tenant}]
shard = "s0"
"""
        return other + {
            "one server": '[databases.moving]\nhost = "127.0.0.1"\n'
            f'port = {self.postgres.port}\ndbname = "app_0"\n',
            "shard 0": '[tenants.moving]\ncluster = "main"\nshard = "s0"\n',
            "shard 1": '[tenants.moving]\ncluster = "main"\nshard = "s1"\n',
            "map": '[databases.moving]\ncluster = "main"\nsharding = "by_tenant"\n',
            "other map": '[databases.moving]\ncluster = "main"\nsharding = "by_other"\n',
            "one session": '[databases.moving]\npool_mode = "session"\nhost = "127.0.0.1"\n'
            f'port = {self.postgres.port}\ndbname = "app_0"\n',
            "nowhere": "",
        }[place]

    def found(self, place):
        """What `where` finds in `place`."""
        return [(b"app_1" if place in ("shard 1", "map") else b"app_0",)]

    def pool(self, place):
        """What SHOW POOLS calls its pool, if it is one."""
        return {"one server": "moving", "shard 0": "moving/s0"}.get(place, "moving/s1")

    def show(self, what):
        with self.console() as console:
            return console.execute(f"show {what}").fetchall()

    def clients_by_pool(self):
        """How many clients of the moving database are counted in each pool that has any."""
        return {
            row["database"]: int(row["cl_active"])
            for row in self.show("pools")
            if row["database"].startswith("moving") and int(row["cl_active"])
        }

    def open(self, count=1):
        clients = [Client(self.pooler.port) for _ in range(count)]
        for client in clients:
            client.login("app", PASSWORDS["app"], "moving")
        return clients


@contextlib.contextmanager
def moving(postgres, place, **settings):
    shards = Moving(postgres, place, **settings)
    try:
        yield shards
    finally:
        shards.stop()


@pytest.mark.parametrize("old, new", CHANGES)
def test_clients_go_on_where_the_new_place_is(postgres, old, new):
    """Idle ones, and one that waits for a server; a transaction that has begun ends first."""
    with moving(postgres, old, workers=2, default_pool_size=1) as shards:
        busy, waiting, *idle = shards.open(10)
        for client in idle:
            client.send(parse(shards.where.replace(str(shards.tenant), "$1", 1), "q"), SYNC)
            client.until_ready()
            assert values(client.ask(shards.where)) == shards.found(old)
        busy.ask("begin")
        assert values(busy.ask(shards.where)) == shards.found(old)
        waiting.send(query(shards.where))
        wait_until(lambda: sum(int(row["cl_waiting"]) for row in shards.show("pools")) == 1)
        shards.move(new)
        if shards.found(new) != shards.found(old):
            # Behind the old place's server nobody waits any more.
            assert values(waiting.until_ready()) == shards.found(new)
            assert values(idle[0].ask(shards.where)) == shards.found(new)
        assert values(busy.ask(shards.where)) == shards.found(old)
        busy.ask("commit")
        if shards.found(new) == shards.found(old):
            assert values(waiting.until_ready()) == shards.found(new)
        for client in (busy, waiting, *idle):
            assert values(client.ask(shards.where)) == shards.found(new)
        for client in idle:
            client.send(bind([str(shards.tenant)], "q"), execute(), SYNC)
            assert values(client.until_ready()) == shards.found(new)
        assert shards.clients_by_pool() == {shards.pool(new): 10} or "map" in new
        assert sum(shards.clients_by_pool().values()) == 10
        for client in (busy, waiting, *idle):
            client.abandon()


@pytest.mark.parametrize("old, new", [("shard 0", "shard 1"), ("other map", "map")])
def test_a_tenant_is_moved_while_it_is_paused(postgres, old, new):
    with moving(postgres, old, workers=2) as shards:
        clients = shards.open(10)
        shards.command("pause moving")
        for client in clients[:5]:
            client.send(query(shards.where))
        wait_until(lambda: sum(int(row["cl_waiting"]) for row in shards.show("pools")) == 5)
        shards.move(new)
        shards.command("resume moving")
        for client in clients[:5]:
            assert values(client.until_ready()) == shards.found(new)
        for client in clients:
            assert values(client.ask(shards.where)) == shards.found(new)
            client.abandon()


def test_who_listens_ends_with_the_place(postgres):
    with moving(postgres, "shard 0") as shards:
        listening, told = shards.open(2)
        listening.ask("listen news")
        listening.ask("select 1")
        told.ask("notify news")
        assert listening.until("A")[-1][0] == "A"
        shards.move("shard 1")
        error = listening.rest()[-1][1]
        assert error["C"] == "57P01" and "has moved" in error["M"]
        assert values(told.ask(shards.where)) == shards.found("shard 1")


def test_a_hint_of_the_login_holds_when_there_is_a_map(postgres):
    with moving(postgres, "one server") as shards:
        client = Client(shards.pooler.port)
        client.login(
            "app", PASSWORDS["app"], "moving", options=f"-c pgweir.key={shards.tenant}"
        )
        everyones = "select current_database() from orders limit 1"
        assert values(client.ask(everyones)) == shards.found("one server")
        shards.move("map")
        assert values(client.ask(everyones)) == shards.found("map")


@pytest.mark.parametrize("old, new", CHANGES)
def test_what_keeps_a_server_does_not_move(postgres, old, new):
    """A temporary table. From map to map its client is refused what is elsewhere; else it goes."""
    with moving(postgres, old, workers=2) as shards:
        (client,) = shards.open()
        hinted = f"/* pgweir: key={shards.tenant} */ create temp table mine (n int)"
        for sql in ("begin", shards.where, hinted, "commit"):
            assert error_code(client.ask(sql)) is None
        assert values(client.ask(shards.where)) == shards.found(old)
        shards.move(new)
        if "map" in old and "map" in new:
            assert error_code(client.ask(shards.where)) == "0A000"
            hint = f"/* pgweir: shard=s{int('other' not in old)} */"
            assert error_code(client.ask(f"{hint} drop table mine")) is None
            assert values(client.ask(shards.where)) == shards.found(new)
        else:
            error = client.rest()[-1][1]
            assert error["C"] == "57P01" and "has moved" in error["M"]
        assert sum(shards.clients_by_pool().values()) <= 1


def test_session_mode_ends_with_the_place(postgres):
    with moving(postgres, "one session") as shards:
        begun, idle, new = shards.open(3)
        assert values(idle.ask(shards.where)) == shards.found("one session")
        begun.ask("begin")
        shards.move("map")
        assert error_code(idle.rest()) == "57P01"
        assert values(begun.ask(shards.where)) == shards.found("one session")
        begun.ask("commit")
        begun.send(query(shards.where))
        assert error_code(begun.rest()) == "57P01"
        assert values(new.ask(shards.where)) == shards.found("map")


def test_a_database_that_is_gone_takes_its_clients_along(postgres):
    with moving(postgres, "map") as shards:
        (client,) = shards.open()
        shards.move("nowhere")
        error = client.rest()[-1][1]
        assert (error["C"], error["M"]) == ("57P01", "database removed")


def test_places_change_under_load(postgres):
    """Whoever begins behind the answer to RELOAD is where the new place is, on each worker."""
    with moving(postgres, PLACES[0], workers=2, default_pool_size=3) as shards:
        answered, stop, failures, counts = [0], threading.Event(), [], []
        found = [shards.found(PLACES[0])]

        def ask(client):
            count = 0
            try:
                while not stop.is_set():
                    before = answered[0]
                    got = values(client.ask(shards.where))
                    assert got in found[before : len(found)], (got, before)
                    count += 1
            except Exception as error:  # noqa: BLE001
                failures.append(error)
            counts.append(count)

        clients = shards.open(12)
        threads = [threading.Thread(target=ask, args=(it,)) for it in clients]
        for thread in threads:
            thread.start()
        rng = random.Random(SEED)
        for _ in range(40):
            place = rng.choice(PLACES)
            found.append(shards.found(place))
            shards.move(place)
            answered[0] += 1
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == [], f"SEED={SEED}"
        assert len(counts) == 12 and min(counts) > 10, counts
        assert sum(shards.clients_by_pool().values()) == 12
        for client in clients:
            client.abandon()
