"""Maps that change under way, maps by schema, and modes of pooling, on a database on two shards."""

import asyncio
import contextlib
import itertools
import os
import random
import threading
import time

import pytest
from support.asking import Asker, ask_all
from support.postgres import PASSWORDS
from support.shards import Shards
from support.wire import (
    SYNC,
    Client,
    bind,
    describe,
    error_code,
    execute,
    parse,
    query,
    values,
)

SECONDS = float(os.environ.get("TOKEN_SECONDS", 30)) / 4
SEED = int(os.environ.get("SEED", random.randrange(10**9)))
pytestmark = pytest.mark.pgweir_only


@contextlib.contextmanager
def running(postgres, more="", **settings):
    shards = Shards(postgres, **settings)
    try:
        if more:
            shards.reload(more)
        yield shards
    finally:
        shards.stop()


def open_client(shards, database="app", user="app", **more):
    client = Client(shards.pooler.port)
    client.login(user, PASSWORDS[user], database, **more)
    return client


def placed(*tenants, shard):
    return f'[[sharding.by_tenant.place]]\nvalues = [{", ".join(map(str, tenants))}]\nshard = "{shard}"\n'


# RELOAD.


def test_after_a_reload_nobody_writes_where_the_old_map_said(postgres):
    """A transaction that has begun keeps its map, whole; what begins behind RELOAD has the new."""
    with running(postgres, workers=2) as shards:
        moving = [tenant for tenant in range(1, 21) if shards.home(tenant) == 0][:6]
        places = {"old": "s0", "new": "s1"}
        epoch, stop, failures = [0], threading.Event(), []

        def write(number):
            rng = random.Random(number)
            client = open_client(shards)
            sql = "insert into orders (tenant_id, id, note) values ($1, $2, $3)"
            client.send(parse(sql, "put", [20, 20, 25]), SYNC)
            client.until_ready()
            ids = itertools.count(1000 + number * 100_000)
            try:
                while not stop.is_set():
                    tenant = str(rng.choice(moving))
                    in_block = rng.random() < 0.4
                    note = f"{epoch[0]} {number} {next(ids)}"
                    if in_block:
                        client.send(query("begin"))
                        assert client.until_ready()[-1] == ("Z", "T")
                        if rng.random() < 0.5:
                            time.sleep(rng.random() / 50)
                        if rng.random() < 0.5:
                            client.send(query("select count(*) from plans"))
                            client.until_ready()
                    for _ in range(2 if in_block else 1):
                        client.send(bind([tenant, str(next(ids)), note], "put"), execute(), SYNC)
                        assert error_code(client.until_ready()) is None
                    if in_block:
                        client.send(query("commit"))
                        assert client.until_ready()[-2:] == [("C", "COMMIT"), ("Z", "I")]
            except Exception as error:  # noqa: BLE001
                failures.append(error)
            client.abandon()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        homes = [0]
        for round in range(1, 9):
            time.sleep(0.15)
            home = round % 2
            shards.reload(placed(*moving, shard=f"s{home}"))
            homes.append(home)
            epoch[0] = round
        time.sleep(0.15)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        counts, pairs = {}, {}
        for shard in (0, 1):
            for tenant, note in shards.rows(shard, "select tenant_id, note from orders where id >= 1000"):
                began = int(note.split()[0])
                pairs.setdefault(note, set()).add(shard)
                # It may have begun in this epoch and have been sent when the next had come.
                is_right = shard in (homes[began], *homes[began + 1 : began + 2])
                counts[began, is_right] = counts.get((began, is_right), 0) + 1
        assert not [key for key in counts if not key[1]], counts
        assert all(len(found) == 1 for found in pairs.values()), "a transaction on two shards"
        assert len(counts) == 9, counts
        assert places


def test_what_is_sent_after_the_answer_to_reload_follows_the_new_map(postgres):
    """Clients that were there before, in every state: idle, waiting, in a transaction, with a pin."""
    with running(postgres, workers=2, default_pool_size=1) as shards:
        tenant = shards.tenant_of(0)
        where = f"select current_database() from orders where tenant_id = {tenant}"
        for shard in (0, 1):
            shards.rows(shard, f"insert into orders values ({tenant}, 999, 'on both')")
        where += " and id = 999"
        clients = [open_client(shards) for _ in range(8)]
        for client in clients:
            client.send(parse(where.replace(str(tenant), "$1", 1), "q"), SYNC)
            client.until_ready()
            assert values(client.ask(where)) == [(b"app_0",)]
        begun, busy, pinned, waiting, *idle = clients
        begun.ask("begin")
        # Keeps the one server of s1.
        pinned.ask("/* pgweir: shard=s1 */ create temp table mine (n int)")
        # Keeps the one server of s0, so that `waiting` waits.
        busy.ask("begin")
        assert values(busy.ask(where)) == [(b"app_0",)]
        waiting.send(query(where))
        time.sleep(0.1)
        shards.reload(placed(tenant, shard="s1"))
        assert values(busy.ask(where)) == [(b"app_0",)]
        busy.ask("commit")
        assert values(pinned.ask(where)) == [(b"app_1",)]
        assert error_code(pinned.ask("/* pgweir: shard=s1 */ drop table mine")) is None
        # It got a server after the map had changed.
        assert values(waiting.until_ready()) == [(b"app_1",)]
        assert values(begun.ask(where)) == [(b"app_0",)]
        begun.ask("commit")
        for client in clients:
            assert values(client.ask(where)) == [(b"app_1",)]
            client.send(bind([str(tenant)], "q"), execute(), SYNC)
            assert values(client.until_ready()) == [(b"app_1",)]
            client.abandon()


# Tokens.


class TenantAsker(Asker):
    """A client that reads the rows of its tenants, which nobody else has; sometimes it dies."""

    def __init__(self, number, pooler, tenants):
        super().__init__(pooler, SEED * 1000 + number)
        self.tenants = tenants
        self.kinds = [self.simple, self.extended, self.named, self.block, self.pipelined]

    def simple(self, tenant):
        sql = f"select note from orders where tenant_id = {tenant} and id = 1"
        return query(sql), "TDCZ", [tenant]

    def extended(self, tenant):
        sql = "select note from orders where tenant_id = $1 and id = 1"
        return parse(sql) + bind([str(tenant)]) + describe() + execute() + SYNC, "12TDCZ", [tenant]

    def named(self, tenant):
        name, first = "s", not self.is_prepared
        self.is_prepared = True
        frames = parse("select note from orders where tenant_id = $1 and id = 1", name) * first
        return frames + bind([str(tenant)], name) + execute() + SYNC, "1" * first + "2DCZ", [tenant]

    def block(self, tenant):
        frames = query("begin") + query("set local my.x = '1'") + query("savepoint a")
        frames += query("rollback to a") + self.simple(tenant)[0] + query("commit")
        return frames, "CZCZCZCZTDCZCZ", [tenant]

    def pipelined(self, _):
        """Batches and queries for several tenants at once."""
        tenants = [self.random.choice(self.tenants) for _ in range(5)]
        sent = [self.random.choice([self.simple, self.extended])(it) for it in tenants]
        return b"".join(it[0] for it in sent), "".join(it[1] for it in sent), tenants

    async def ask(self):
        frames, tags, tenants = self.random.choice(self.kinds)(self.random.choice(self.tenants))
        if self.random.random() < 0.1:
            self.writer.write(frames[: self.random.randrange(len(frames) + 1)])
            await asyncio.sleep(self.random.choice([0, 0, 0.001, 0.01]))
            self.writer.transport.abort()
            self.deaths += 1
            await self.open()
            return
        self.writer.write(frames)
        got = []
        while len(got) < len(tags):
            got.append(await self.message())
            assert got[-1][0] == tags[len(got) - 1], (tags, got, tenants)
        assert [row[0].decode() for row in values(got)] == [f"first of {it}" for it in tenants]
        self.answers += 1


def test_every_answer_is_of_the_askers_tenant(postgres):
    print(f"\nSEED={SEED}")
    with running(postgres, workers=2, auth_type="trust", max_client_conn=1000) as shards:
        askers = [
            TenantAsker(number, shards.pooler, [1 + (number * 4 + it) % 20 for it in range(4)])
            for number in range(60)
        ]
        asyncio.run(ask_all(askers, SECONDS))
        assert postgres.server_count() <= 4
        client = open_client(shards)
        for tenant in range(1, 21):
            sql = f"select note from orders where tenant_id = {tenant} and id = 1"
            assert values(client.ask(sql)) == [(f"first of {tenant}".encode(),)]


# The key is the schema.

BY_SCHEMA = """
[sharding.by_schema]
cluster = "main"
placement = "schema"
[[sharding.by_schema.place]]
values = ["acme"]
shard = "s0"
[[sharding.by_schema.place]]
values = ["umbrella"]
shard = "s1"
[databases.schemas]
cluster = "main"
sharding = "by_schema"
"""


@pytest.fixture
def schemas(postgres):
    with running(postgres, BY_SCHEMA) as shards:
        for shard in (0, 1):
            for schema in ("acme", "umbrella"):
                shards.rows(
                    shard,
                    f"create schema {schema}; create table {schema}.t (word text);"
                    f"insert into {schema}.t values ('{schema} on {shard}');"
                    f"grant usage on schema {schema} to app;"
                    f"grant all on all tables in schema {schema} to app",
                )
        yield shards


def test_the_schema_in_the_search_path_is_the_key(schemas):
    client = open_client(schemas, "schemas")
    words = {"acme": [(b"acme on 0",)], "umbrella": [(b"umbrella on 1",)]}
    read = "select word from t"
    for mine, other in (("acme", "umbrella"), ("umbrella", "acme")):
        assert values(client.ask(f"select word from {mine}.t")) == words[mine]
        client.ask(f"set search_path = {mine}")
        assert values(client.ask(read)) == words[mine]
        # All at once.
        client.send(query(f"set search_path = {other}"), query(read))
        client.send(query(f"set search_path to {mine}, public"), query(read))
        messages = client.until_ready(4)
        assert values(messages) == [*words[other], *words[mine]], messages
        # In one batch, of which the second half stands under another path than the first.
        client.send(
            parse(f"set search_path = {other}"), bind(), execute(), parse(read), bind(), execute(),
            SYNC,
        )
        messages = client.until_ready()
        assert values(messages) == words[other] or error_code(messages) == "0A000", messages
        client.ask(f"set search_path = {mine}")
        # In transactions, kept and undone.
        for end, schema in (("rollback", mine), ("commit", other)):
            client.ask("begin")
            client.ask(f"set search_path = {other}")
            assert values(client.ask(read)) == words[other]
            client.ask(end)
            assert values(client.ask(read)) == words[schema], end
        client.ask(f"set search_path = {mine}")
        client.ask("begin")
        client.ask(f"set local search_path = {other}")
        assert values(client.ask(read)) == words[other]
        client.ask("commit")
        assert values(client.ask(read)) == words[mine]
        # What fails or is skipped has no effect.
        client.send(
            parse("select 1 / 0"), bind(), execute(), parse(f"set search_path = {other}"), bind(),
            execute(), SYNC, parse(read), bind(), execute(), SYNC,
        )
        messages = client.until_ready(2)
        assert error_code(messages) == "22012" and values(messages) == words[mine], messages
        # A savepoint takes it back: known, or refused.
        client.ask("begin")
        client.ask("savepoint a")
        client.ask(f"set local search_path = {other}")
        client.ask("rollback to a")
        messages = client.ask(read)
        assert values(messages) == words[mine] or error_code(messages) == "0A000", messages
        client.ask("rollback")
        # A function's doing.
        client.ask(f"/* pgweir: shard=s0 */ select set_config('search_path', '{other}', false)")
        messages = client.ask(read)
        assert values(messages) == words[other] or error_code(messages) == "0A000", messages
        client.ask("reset search_path")
        messages = client.ask(read)
        assert error_code(messages) in ("0A000", "42P01"), messages
    client.abandon()


# Modes.


def test_statement_mode(postgres):
    with running(postgres, pool_mode="statement") as shards:
        client = open_client(shards)
        for shard in (0, 1, 0):
            tenant = shards.tenant_of(shard)
            sql = f"select note from orders where tenant_id = {tenant}"
            client.send(query(sql), parse(sql), bind(), execute(), SYNC)
            assert values(client.until_ready(2)) == [(f"first of {tenant}".encode(),)] * 2
        client.send(query("begin"), query(sql))
        assert error_code(client.rest()) == "0A000"
