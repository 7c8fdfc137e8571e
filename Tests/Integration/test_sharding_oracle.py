"""Random statements through pgweir on several shards, and on one PostgreSQL that has all the rows.

Each client gets the answers of the one PostgreSQL, or 0A000; afterwards every row is on the shard
that `satisfies_hash_partition` names. SHARDING_SECONDS sets how long, SHARDING_STATEMENTS how many
statements at least, SEED repeats a run.
"""

import os
import random
import threading
import time

import pytest
from support.pooler import Pooler
from support.postgres import PASSWORDS
from support.sharded_oracle import KEYS_PER_CLIENT, KINDS, Mismatch, Twin

SECONDS = float(os.environ.get("SHARDING_SECONDS", 20))
STATEMENTS = int(os.environ.get("SHARDING_STATEMENTS", 0))
SEED = int(os.environ.get("SEED", random.randrange(10**9)))
CLIENTS = 2
"""Of each kind of key."""
TABLES = ("orders", "items", "users", "plans")
SETTINGS = [
    {"default_pool_size": 1, "workers": 2},
    {"default_pool_size": 2, "workers": 3},
]
pytestmark = [pytest.mark.pgweir_only, pytest.mark.timeout(max(120, SECONDS * 3 + STATEMENTS / 50))]


def schema(kind):
    first = kind.types[0]
    more = ", region text" if len(kind.types) > 1 else ""
    return f"""
    create table orders (tenant_id {first}{more}, x int, plan int, note text);
    create table items (tenant_id {first}{more}, x int, y int);
    create table users (id {first}{more}, tenant_id {first}, x int);
    create table plans (id int, x int);
    insert into plans select g, g % 3 from generate_series(0, 4) g;
    create table parent (k {first}{", r text" if more else ""})
        partition by hash (k{", r" if more else ""});
    grant all on all tables in schema public to app;
    """


def name(kind, shard):
    return f"o_{kind.name}_{shard}"


def columns(kind, table):
    first = "id" if table == "users" else "tenant_id"
    return first if len(kind.types) == 1 else f"{first}, region"


@pytest.fixture(scope="module")
def data(postgres):
    names = [name(kind, shard) for kind in KINDS for shard in (*range(kind.shard_count), "all")]
    for it in names:
        postgres.sql(f"create database {it} owner app", "postgres")
    for kind in KINDS:
        for shard in (*range(kind.shard_count), "all"):
            postgres.sql(schema(kind), name(kind, shard))
    yield postgres
    for it in names:
        postgres.sql(f"drop database {it} with (force)", "postgres")


def configuration(postgres):
    out = ""
    for kind in KINDS:
        for shard in range(kind.shard_count):
            out += (
                f'[[clusters.{kind.name}.shards]]\nname = "s{shard}"\nprimary = {{'
                f' host = "127.0.0.1", port = {postgres.port}, dbname = "{name(kind, shard)}" }}\n'
            )
        listed = ", ".join(f'"{it}"' for it in kind.types)
        keyed = '["tenant_id", "region"]' if len(kind.types) > 1 else '["tenant_id"]'
        users = '["id", "region"]' if len(kind.types) > 1 else '["id"]'
        out += (
            f'[sharding.{kind.name}]\ncluster = "{kind.name}"\nkey = [{listed}]\n'
            f'tables = {{ "*" = {keyed}, users = {users} }}\nreference_tables = ["plans"]\n'
            f'[databases.{kind.name}]\ncluster = "{kind.name}"\nsharding = "{kind.name}"\n'
        )
    return out


def home(connection, kind, key):
    values = ", ".join(f"%s::{it}" for it in kind.types)
    for shard in range(kind.shard_count):
        sql = f"select satisfies_hash_partition('parent'::regclass, {kind.shard_count}, {shard}, {values})"
        if connection.execute(sql, key).fetchone()[0]:
            return shard
    raise AssertionError(key)


def fill(postgres, kind, keys):
    """The same rows on the shards and on the whole."""
    homes = {}
    with postgres.connect(name(kind, "all")) as whole:
        for key in keys:
            homes[key] = home(whole, kind, key)
    for key in keys:
        places = ", ".join(f"%s::{it}" for it in kind.types)
        for database in (name(kind, homes[key]), name(kind, "all")):
            with postgres.connect(database) as connection:
                listed = columns(kind, "orders")
                connection.execute(
                    f"insert into orders ({listed}, x, note) select {places}, g, 'n'"
                    " from generate_series(1, 3) g",
                    key,
                )
                connection.execute(
                    f"insert into items ({listed}, x) select {places}, g"
                    " from generate_series(1, 2) g",
                    key,
                )
                listed = columns(kind, "users")
                connection.execute(f"insert into users ({listed}, x) values ({places}, 1)", key)
    return homes


def check(postgres, kind):
    """Every row is on its shard, and together they are what the whole has."""
    union = {table: [] for table in TABLES}
    for shard in range(kind.shard_count):
        with postgres.connect(name(kind, shard)) as connection:
            for table in TABLES[:3]:
                strays = connection.execute(
                    f"select * from {table} where not satisfies_hash_partition("
                    f"'parent'::regclass, {kind.shard_count}, {shard}, {columns(kind, table)})"
                ).fetchall()
                assert strays == [], f"{kind.name}: on shard {shard} without belonging there"
                union[table] += connection.execute(f"select * from {table}").fetchall()
    with postgres.connect(name(kind, "all")) as connection:
        for table in TABLES[:3]:
            rows = connection.execute(f"select * from {table}").fetchall()
            assert sorted(union[table], key=repr) == sorted(rows, key=repr), (kind.name, table)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda it: f"pool {it['default_pool_size']}")
def test_every_client_sees_what_one_postgresql_would_show(data, settings):
    print(f"\nSEED={SEED}")
    postgres = data
    pooler = Pooler(postgres, settings=settings, databases={}, more=configuration(postgres))
    pooler.start()
    began = time.monotonic()
    try:
        run(postgres, pooler, began)
        assert pooler.surprises() == []
    finally:
        tail = pooler.log_tail(20)
        pooler.stop()
        print(tail if "crash" in tail.lower() or "fatal error" in tail.lower() else "")


def run(postgres, pooler, began):
    base = SEED % 100 * 10 + pooler.sections["pgweir"]["default_pool_size"] * 1000
    twins = []
    try:
        run_twins(postgres, pooler, began, base, twins)
    finally:
        for twin in twins:
            twin.close()


def run_twins(postgres, pooler, began, base, twins):
    for kind_index, kind in enumerate(KINDS):
        for table in TABLES[:3]:
            for shard in (*range(kind.shard_count), "all"):
                postgres.sql(f"truncate {table}", name(kind, shard))
        for number in range(CLIENTS):
            first = base + number * KEYS_PER_CLIENT
            keys = list(dict.fromkeys(kind.key(first + it) for it in range(KEYS_PER_CLIENT)))
            homes = fill(postgres, kind, keys)
            twins.append(
                Twin(
                    f"{SEED} {kind_index} {number}", kind, keys, homes, pooler.port, "app",
                    PASSWORDS["app"], kind.name, postgres.port, name(kind, "all"),
                )
            )
    failures, deadline = [], time.monotonic() + SECONDS / len(SETTINGS)
    wanted = STATEMENTS / len(SETTINGS)

    def goes_on():
        if failures:
            return False
        done = sum(it.counts["statements"] for it in twins)
        return time.monotonic() < deadline if not wanted else done < wanted

    def work(twin):
        try:
            twin.prepare()
            while goes_on():
                twin.round()
        except Exception as error:  # noqa: BLE001
            failures.append((twin, error))

    while True:
        pause = time.monotonic() + 5
        threads = [threading.Thread(target=work, args=(twin,)) for twin in twins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not goes_on():
            break
    for twin, error in failures:
        print(f"{twin.kind.name}, keys {twin.homes}, before:")
        for sql, answer in twin.log[-12:]:
            print(f"    {sql}\n        {answer}")
        raise error
    for kind in KINDS:
        check(postgres, kind)
    total = {key: sum(it.counts[key] for it in twins) for key in twins[0].counts}
    share = total["refused"] / total["statements"]
    print(f"{total}, {share:.0%} refused, {time.monotonic() - began:.1f} s")
    reasons = {}
    for twin in twins:
        for said, count in twin.refusals.items():
            reasons[said] = reasons.get(said, 0) + count
    for said, count in sorted(reasons.items(), key=lambda it: -it[1]):
        print(f"    {count:6} {said}")
    assert total["rows"] > total["statements"] / 10 and total["changed"] > total["statements"] / 20
    assert 0.02 < share < 0.5, "the share of refusals is not sensible"
