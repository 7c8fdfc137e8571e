"""Statements run on the shard that `pgweir route` names, and on all data: the same must come out.

One PostgreSQL holds the whole and the shards, in a schema each; `search_path` chooses. Rows are
dealt to the shards by `satisfies_hash_partition`, so that PostgreSQL is the judge of placement too.
"""

import os
import random
import subprocess

import psycopg
import pytest
from support.pooler import BINARY
from support.sharded_statements import KEY, KEYS, Writer

SHARDS = 3
TABLES = ("orders", "items", "users", "plans")

CONFIG = """
[pgweir]
auth_type = "any"
[[clusters.main.shards]]
name = "s0"
primary = { host = "h0" }
[[clusters.main.shards]]
name = "s1"
primary = { host = "h1" }
[[clusters.main.shards]]
name = "s2"
primary = { host = "h2" }
[sharding.by_tenant]
cluster = "main"
key = ["bigint"]
tables = { "*" = ["tenant_id"], users = ["id"], items = ["tenant_id"] }
reference_tables = ["plans"]
[databases.app]
cluster = "main"
sharding = "by_tenant"
user = "app"
"""

SCHEMA = """
create table orders (tenant_id bigint, x int, plan int, note text);
create table items (tenant_id bigint, x int, y int);
create table users (id bigint, tenant_id bigint, x int);
create table plans (id int, x int);
"""


@pytest.fixture(scope="module")
def data(postgres):
    """A connection to schemas whole, s0, s1 and s2 with rows."""
    with postgres.connect("app2") as connection:
        rng = random.Random(7)
        connection.execute("create table parent (k bigint) partition by hash (k)")
        for schema in ("whole", *(f"s{index}" for index in range(SHARDS))):
            connection.execute(f"create schema {schema}; set search_path = {schema}; {SCHEMA}")
        connection.execute("set search_path = whole, public")
        for _ in range(60):
            key, x, y = rng.choice(KEYS), rng.randrange(5), rng.randrange(5)
            connection.execute("insert into orders values (%s, %s, %s, 'n')", (key, x, y))
            key, x, y = rng.choice(KEYS), rng.randrange(5), rng.randrange(5)
            connection.execute("insert into items values (%s, %s, %s)", (key, x, y))
        for key in KEYS:
            values = (key, rng.choice(KEYS), rng.randrange(5))
            connection.execute("insert into users values (%s, %s, %s)", values)
        connection.execute("insert into plans select g, g % 3 from generate_series(0, 4) g")
        for index in range(SHARDS):
            for table in TABLES:
                connection.execute(
                    f"insert into s{index}.{table} select * from whole.{table}"
                    + (f" where {mine(index, KEY[table])}" if table in KEY else "")
                )
        yield connection
        connection.execute("set search_path = public; drop table parent")
        for schema in ("whole", *(f"s{index}" for index in range(SHARDS))):
            connection.execute(f"drop schema {schema} cascade")


def mine(index, column):
    return f"satisfies_hash_partition('public.parent'::regclass, {SHARDS}, {index}, {column})"


def routes(folder, statements):
    config = folder / "route.toml"
    config.write_text(CONFIG)
    run = subprocess.run(
        [BINARY, "route", "--config", config, "--database", "app"],
        input="\n".join(statements) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = run.stdout.splitlines()
    assert len(lines) == len(statements), run.stderr
    return lines


def answer(connection, schema, statement):
    """Rows, sorted, or why there are none."""
    try:
        with connection.transaction():
            connection.execute(f"set search_path = {schema}")
            cursor = connection.execute(statement)
    except psycopg.Error as error:
        return type(error).__name__
    if cursor.description is None:
        return cursor.rowcount
    return sorted(cursor.fetchall(), key=repr)


def contents(connection, schema, index):
    """Every row of a shard, or those of the whole that belong there."""
    everything = []
    for table in TABLES:
        condition = mine(index, KEY[table]) if table in KEY and schema == "whole" else "true"
        rows = connection.execute(f"select * from {schema}.{table} where {condition}").fetchall()
        everything.append(sorted(rows, key=repr))
    return everything


COUNT = int(os.environ.get("ROUTE_STATEMENTS", "3000"))


def test_reads_on_their_shard_see_what_they_would_see_of_everything(data, tmp_path):
    statements = [Writer(seed).select() for seed in range(COUNT)]
    counts = {"routed": 0, "any": 0, "refused": 0, "rows": 0}
    for statement, route in zip(statements, routes(tmp_path, statements), strict=True):
        word = route.split(" ")[0]
        if word == "refused:":
            counts["refused"] += 1
            continue
        whole = answer(data, "whole", statement)
        shards = [word] if word != "any" else [f"s{index}" for index in range(SHARDS)]
        for shard in shards:
            assert answer(data, shard, statement) == whole, f"{route}: {statement}"
        counts["any" if word == "any" else "routed"] += 1
        counts["rows"] += isinstance(whole, list) and len(whole) > 1
    print(counts)
    assert counts["routed"] > COUNT / 8 and counts["refused"] > COUNT / 8, counts
    assert counts["rows"] > COUNT / 30, counts


def test_writes_on_their_shard_change_what_they_would_change_of_everything(data, tmp_path):
    statements = [Writer(seed).write() for seed in range(COUNT)]
    counts = {"routed": 0, "refused": 0, "changed": 0}
    for statement, route in zip(statements, routes(tmp_path, statements), strict=True):
        word = route.split(" ")[0]
        if word == "refused:":
            counts["refused"] += 1
            continue
        shards = [word] if word != "any" else [f"s{index}" for index in range(SHARDS)]
        for shard in shards:
            with data.transaction(force_rollback=True):
                mine_count = answer(data, shard, statement)
                assert answer(data, "whole", statement) == mine_count, f"{route}: {statement}"
                for index in range(SHARDS):
                    assert contents(data, "whole", index) == contents(data, f"s{index}", index), (
                        f"{route}: {statement}"
                    )
        counts["routed"] += 1
        counts["changed"] += isinstance(mine_count, int) and mine_count > 0
    print(counts)
    assert counts["routed"] > COUNT / 8 and counts["refused"] > COUNT / 20, counts
    assert counts["changed"] > COUNT / 8, counts
