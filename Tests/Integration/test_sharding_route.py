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

SHARDS = 3
KEYS = [*range(-3, 12), 2**40]
TABLES = ("orders", "items", "users", "plans")
KEY = {"orders": "tenant_id", "items": "tenant_id", "users": "id"}

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


class Writer:
    """Random statements, most of which have a key somewhere; not all of them rightly."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.key = self.rng.choice(KEYS)

    def chance(self, part):
        return self.rng.random() < part

    def pick(self, *choices):
        return self.rng.choice(choices)

    def value(self):
        key = self.key if self.chance(0.9) else self.rng.choice(KEYS)
        return self.pick(str(key), f"'{key}'", f"{key}::bigint", f"'{key}'::int8", f"E'{key}'")

    def is_key(self, column):
        value = self.value()
        return self.pick(
            f"{column} = {value}",
            f"{column} = {value}",
            f"{value} = {column}",
            f"{column} IN ({value}, {self.value()})",
            f"{column} = ANY (ARRAY[{value}])",
            f"({column}, 1) = ({value}, 1)",
            f"{column} >= {value}",
            f"({column} = {value} OR {column} = {value})",
            f"NOT {column} <> {value}",
        )

    def table(self):
        return self.pick("orders", "orders", "items", "items", "users", "plans")

    def column(self, table, alias=None):
        """The key column, sometimes another one."""
        name = KEY.get(table, "x")
        if self.chance(0.05):
            name = "x"
        return f"{alias}.{name}" if alias and self.chance(0.9) else name

    def conditions(self, tables, depth):
        """`tables` is [(table, alias)]."""
        parts = []
        for table, alias in tables:
            if table in KEY and self.chance(0.75):
                parts.append(self.is_key(self.column(table, alias)))
        for (one, first), (other, second) in zip(tables, tables[1:], strict=False):
            if one in KEY and other in KEY and self.chance(0.5):
                parts.append(f"{first}.{KEY[one]} = {second}.{KEY[other]}")
        if depth and self.chance(0.4):
            parts.append(self.subquery(tables, depth - 1))
        if self.chance(0.3):
            parts.append(f"{tables[0][1]}.x > {self.rng.randrange(3)}")
        self.rng.shuffle(parts)
        return " AND ".join(parts) or "true"

    def subquery(self, outer, depth):
        table, alias = self.table(), f"q{depth}"
        parts = []
        if table in KEY and self.chance(0.5):
            parts.append(self.is_key(self.column(table, alias)))
        keyed = [pair for pair in outer if pair[0] in KEY]
        if table in KEY and keyed and self.chance(0.7):
            one, name = self.rng.choice(keyed)
            parts.append(f"{alias}.{KEY[table]} = {name}.{KEY[one]}")
        condition = " AND ".join(parts) or "true"
        inner = f"SELECT {alias}.x FROM {table} {alias} WHERE {condition}"
        return self.pick(
            f"EXISTS ({inner})",
            f"NOT EXISTS ({inner})",
            f"{outer[0][1]}.x IN ({inner})",
            f"(SELECT count(*) FROM ({inner}) c) > 0",
        )

    def source(self, depth):
        """FROM and WHERE."""
        tables = [(self.table(), f"t{depth}{index}") for index in range(self.pick(1, 1, 2, 3))]
        text = "{} {}".format(*tables[0])
        for index, (table, alias) in enumerate(tables[1:]):
            before, name = tables[index]
            style = self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ",", "CROSS JOIN")
            if style in (",", "CROSS JOIN"):
                text += f" {style} {table} {alias}"
                continue
            on = [f"{name}.x = {alias}.x"] if style == "FULL JOIN" or self.chance(0.4) else []
            if before in KEY and table in KEY and self.chance(0.8):
                on.append(f"{name}.{KEY[before]} = {alias}.{KEY[table]}")
            if table in KEY and style != "FULL JOIN" and self.chance(0.3):
                on.append(self.is_key(f"{alias}.{KEY[table]}"))
            if before in KEY and style != "FULL JOIN" and self.chance(0.2):
                on.append(self.is_key(f"{name}.{KEY[before]}"))
            text += f" {style} {table} {alias} ON {' AND '.join(on) or 'true'}"
        return f"FROM {text} WHERE {self.conditions(tables, depth)}", tables

    def select(self, depth=1):
        source, tables = self.source(depth)
        shown = self.pick("count(*)", "*", f"{tables[0][1]}.x", f"sum({tables[-1][1]}.x)")
        statement = f"SELECT {shown} {source}"
        if depth and self.chance(0.1):
            return f"SELECT count(*) FROM ({statement.replace('*', '1')}) d"
        if depth and self.chance(0.1):
            return f"WITH c AS ({statement.replace('*', '1')}) SELECT count(*) FROM c"
        if depth and self.chance(0.1) and shown.endswith("x"):
            return f"{statement} UNION ALL {self.select(0).replace('*', '1')}"
        return statement

    def write(self):
        table = self.pick("orders", "items")
        condition = self.conditions([(table, table)], 1)
        joined = f"{table}.tenant_id = users.id" if self.chance(0.7) else f"{table}.x = users.x"
        return self.pick(
            f"UPDATE {table} SET x = x + 100 WHERE {condition}",
            f"DELETE FROM {table} WHERE {condition}",
            f"UPDATE {table} SET x = {table}.x + 1 FROM users WHERE {joined} AND {condition}",
            f"DELETE FROM {table} USING users WHERE {joined} AND {condition}",
            f"INSERT INTO {table} (tenant_id, x) VALUES ({self.value()}, 7)",
            f"INSERT INTO {table} (x, tenant_id) VALUES (7, {self.value()}), (8, {self.value()})",
            f"INSERT INTO {table} (tenant_id, x) SELECT t.tenant_id, t.x FROM items t"
            f" WHERE {self.is_key('t.tenant_id')}",
            f"INSERT INTO {table} (tenant_id, x) SELECT {self.value()}, t.x FROM plans t",
            f"INSERT INTO {table} (tenant_id, x) SELECT t.tenant_id, 5 FROM users u"
            f" LEFT JOIN items t ON t.tenant_id = u.id WHERE {self.is_key('u.id')}",
        )


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
