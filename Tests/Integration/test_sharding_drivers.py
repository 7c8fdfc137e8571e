"""Drivers as they come, on a database on two shards: their tenants' rows, and where those are.

STORM_STATEMENTS sets how many statements, SEED repeats a run.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support import builds
from support.postgres import PASSWORDS
from support.shards import Shards

STATEMENTS = int(os.environ.get("SHARDS_STATEMENTS", 2000))
SEED = int(os.environ.get("SEED", random.randrange(10**6)))
CONNECTIONS = 6
STORMS = Path(__file__).parent / "storms"
pytestmark = [pytest.mark.pgweir_only, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def shards(postgres):
    shards = Shards(postgres, workers=2)
    yield shards
    shards.stop()


def python(driver):
    return lambda shards: [sys.executable, STORMS / "shards.py", driver, shards.pooler.uri()]


def jdbc(shards):
    classes = builds.java(STORMS / "Shards.java")
    secret = PASSWORDS["app"]
    url = f"jdbc:postgresql://127.0.0.1:{shards.pooler.port}/app?user=app&password={secret}"
    return ["java", "-XX:+UseSerialGC", "-cp", classes, "Shards", url]


def pgx(shards):
    return [builds.go(STORMS / "pgx_shards"), shards.pooler.uri()]


PROGRAMS = {
    "psycopg": python("psycopg"),
    "asyncpg": python("asyncpg"),
    "sqlalchemy": python("sqlalchemy"),
    "django": python("django"),
    "jdbc": jdbc,
    "pgx": pgx,
}


@pytest.mark.parametrize("driver", PROGRAMS)
def test_every_tenant_has_its_rows(shards, driver):
    print(f"\nSEED={SEED}")
    for shard in (0, 1):
        shards.rows(shard, "delete from orders where tenant_id >= 1000")
    done = subprocess.run(
        [*PROGRAMS[driver](shards), *map(str, (SEED, STATEMENTS, CONNECTIONS))],
        text=True,
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-4000:]
    found = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    print(f"{found['statements'][0]} statements, {len(found['rows'])} rows")
    # Each connection has its share, rounded down.
    wanted = STATEMENTS // CONNECTIONS * CONNECTIONS
    assert int(found["statements"][0]) >= wanted and len(found["rows"]) > STATEMENTS / 10
    there = []
    for shard in (0, 1):
        rows = shards.rows(shard, "select tenant_id, note from orders where tenant_id >= 1000")
        homes = {tenant: shards.home(tenant) for tenant in {tenant for tenant, _ in rows}}
        assert set(homes.values()) == {shard}
        there += [note for _, note in rows]
    assert sorted(there) == sorted(found["rows"])


def test_psycopg_in_pipeline_mode(shards):
    """Every statement of a pipeline for a tenant of its own, in blocks and outside of them."""
    rng = random.Random(SEED)
    print(f"\nSEED={SEED}")
    with psycopg.connect(shards.pooler.uri(), autocommit=True, prepare_threshold=1) as connection:
        for round in range(30):
            tenants = [rng.randrange(1, 21) for _ in range(10)]
            with connection.pipeline() as pipeline:
                cursors = []
                for tenant in tenants:
                    sql = "select note from orders where tenant_id = %s and id = 1"
                    cursors.append(connection.execute(sql, (tenant,)))
                    pipeline.sync()
            assert [it.fetchall() for it in cursors] == [[(f"first of {it}",)] for it in tenants]
            tenant = tenants[0]
            with connection.pipeline(), connection.transaction():
                sql = "insert into orders (tenant_id, id, note) values (%s, %s, 'piped')"
                connection.execute(sql, (tenant, 10_000 + round))
                with connection.transaction(force_rollback=True):
                    connection.execute(sql, (tenant, 20_000 + round))
                sql = "select count(*) from orders where tenant_id = %s and id = %s"
                found = [connection.execute(sql, (tenant, it + round)) for it in (10_000, 20_000)]
            assert [it.fetchone() for it in found] == [(1,), (0,)]
            connection.execute("delete from orders where tenant_id = %s and id > 9999", (tenant,))
