"""Drivers as they come, over two servers, while servers are killed and connections are cut.

For each driver one program with several connections asks 10,000 statements of every kind and
checks every answer (storms/storm.py says which). Here its rows are compared with the table, and the
pool has to be whole afterwards. STORM_STATEMENTS sets how many statements, SEED repeats a run.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import builds
from support.breaker import Breaker, Killer
from support.edges import ALONE, edges, fresh  # noqa: F401
from support.postgres import PASSWORDS

SERVERS, CONNECTIONS = 2, 6
STATEMENTS = int(os.environ.get("STORM_STATEMENTS", 10_000))
SEED = int(os.environ.get("SEED", random.randrange(10**9)))
CUT_PAUSE = KILL_PAUSE = 0.1
"""Seconds, in the mean, between two cuts, and between two kills."""
STORMS = Path(__file__).parent / "storms"
TABLES = """
drop table if exists storm, storm_numbers;
create table storm (id bigint primary key, token text);
create table storm_numbers (n int primary key);
insert into storm_numbers select generate_series(1, 300);
grant all on storm to app; grant select on storm_numbers to app;
"""
pytestmark = [pytest.mark.pgweir_only, pytest.mark.timeout(120)]


URL = f"postgresql://app:{PASSWORDS['app']}@127.0.0.1:{{port}}/app"
JDBC_URL = f"jdbc:postgresql://127.0.0.1:{{port}}/app?user=app&password={PASSWORDS['app']}"


def python(driver):
    return URL, [sys.executable, STORMS / "storm.py", driver]


def jdbc():
    classes = builds.java(STORMS / "Storm.java")
    return JDBC_URL, ["java", "-XX:+UseSerialGC", "-cp", classes, "Storm"]


def pgx():
    return URL, [builds.go(STORMS / "pgx")]


PROGRAMS = {
    "psycopg": lambda: python("psycopg"),
    "asyncpg": lambda: python("asyncpg"),
    "sqlalchemy": lambda: python("sqlalchemy"),
    "django": lambda: python("django"),
    "jdbc": jdbc,
    "pgx": pgx,
}


@pytest.mark.parametrize("driver", PROGRAMS)
def test_ten_thousand_statements_among_kills(edges, postgres, driver):
    edge = edges(ALONE, default_pool_size=SERVERS)
    postgres.sql(TABLES)
    print(f"\nSEED={SEED}")
    url, command = PROGRAMS[driver]()
    began = time.monotonic()
    with (
        edge.spoiling(),
        Breaker(edge.pooler.port, SEED, CUT_PAUSE) as breaker,
        Killer(postgres, SEED, KILL_PAUSE) as killer,
    ):
        done = subprocess.run(
            [*command, url.format(port=breaker.port), *map(str, (SEED, STATEMENTS, CONNECTIONS))],
            text=True,
            capture_output=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-4000:]
        killer.stop()
        found = {}
        for line in done.stdout.splitlines():
            name, *numbers = line.split()
            found[name] = [int(it) for it in numbers]
        print(
            f"{found['statements'][0]} statements, {killer.kills} servers killed,"
            f" {breaker.cuts} connections cut, {found['deaths'][0]} deaths noticed,"
            f" {time.monotonic() - began:.1f} s"
        )
        assert found["statements"][0] >= STATEMENTS
        assert min(killer.kills, breaker.cuts, found["deaths"][0]) > 0
        assert breaker.hidden == [], "a driver was told so, and may have tried again"
        there = {id for (id,) in postgres.sql("select id from storm")}
        committed, doubtful = set(found["committed"]), set(found["doubtful"])
        assert committed - there == set(), "committed and lost"
        assert there - committed - doubtful == set(), "not committed and there"
        edge.check_aftermath()
