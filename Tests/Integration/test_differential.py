"""Random legal messages: the same answers through saturated pools as from PostgreSQL itself.

DIFFERENTIAL_SECONDS sets how long, SEED replays one script. What fails is made shorter and shown.
Every other script is played while pgweir audits every release, and must not find anything.
"""

import asyncio
import os
import random
import time

import pytest
from support import differential_run
from support.differential_known import KNOWN, MENDED
from support.differential_messages import random_script
from support.differential_shrinking import shrink
from support.pooler import Pooler
from support.postgres import Postgres

SECONDS = float(os.environ.get("DIFFERENTIAL_SECONDS", 40))
SEED = int(os.environ["SEED"]) if "SEED" in os.environ else None
FIRST = random.randrange(10**9)
SHRINK_SECONDS = 90
GONE = "mended: take it out of differential_known, and what leaves it out"
CLIENTS, GENERATIONS = 6, 6
pytestmark = [pytest.mark.pgweir_only, pytest.mark.timeout(SECONDS + 300)]


class Stage:
    """A cluster with the same database twice; a pooler of its own for each run."""

    def __init__(self):
        self.postgres = Postgres(method="trust").start()
        self.surprises = []
        self.names = [f"items_{c}_{g}" for c in range(CLIENTS) for g in range(GENERATIONS)]
        self.postgres.sql("create role differential; grant differential to app", "postgres")
        for database in ("differential", "differential_direct"):
            self.postgres.sql(f"create database {database} owner app", "postgres")
            for name in self.names:
                self.postgres.sql(
                    f"create table {name} (id serial, words text); grant all on {name},"
                    f" {name}_id_seq to app; grant select on {name} to differential",
                    database,
                )

    def stop(self):
        self.postgres.stop()

    def clear(self):
        for database in ("differential", "differential_direct"):
            self.postgres.sql(f"truncate {', '.join(self.names)} restart identity", database)

    def run(self, script, audits=False, **how):
        """The Difference that the script shows, or None."""
        self.clear()
        server = {"host": "127.0.0.1", "port": self.postgres.port}
        pooler = Pooler(
            self.postgres,
            settings={
                "default_pool_size": script.servers,
                "auth_type": "trust",
                "audit_releases": audits,
            },
            databases={"differential": server},
        ).start()
        try:
            run = differential_run.Run(script, self.postgres.port, pooler.port, **how)
            found = asyncio.run(run.run())
            assert pooler.is_running(), "the pooler has ended\n" + pooler.log_tail()
            self.surprises += pooler.surprises()
            return found
        finally:
            pooler.stop()

    def shrink(self, script, difference, audits, seconds=SHRINK_SECONDS):
        """A shorter script that differs in the same way, or this one."""
        deadline = time.monotonic() + seconds

        def fails(candidate):
            # What depends on timing may need a second try.
            for _ in range(2):
                if time.monotonic() > deadline:
                    return False
                found = self.run(candidate, audits)
                if found is not None and found.signature() == difference.signature():
                    return True
            return False

        return shrink(script, fails)


@pytest.fixture(scope="module")
def stage():
    stage = Stage()
    yield stage
    stage.stop()


def test_random_scripts_are_answered_as_postgresql_answers_them(stage):
    deadline = time.monotonic() + SECONDS
    seed, scripts, turns, impossible = FIRST if SEED is None else SEED, 0, 0, 0
    while True:
        script = random_script(seed)
        audits = seed % 2 == 1
        difference = stage.run(script, audits)
        if difference and difference.kind == "impossible":
            # PostgreSQL itself closes: a COPY that nobody knew of, say. One in thousands.
            impossible += 1
            assert impossible <= 2, f"SEED={seed}\n\n{script}\n\n{difference}"
        elif difference and not difference.is_known:
            break
        assert stage.surprises == [], f"SEED={seed}\n\n{script}"
        scripts += 1
        turns += len(script.turns)
        if SEED is not None or time.monotonic() > deadline:
            print(f"\n{scripts} scripts, {turns} turns, to SEED={seed}")
            return
        seed += 1
    short = stage.shrink(script, difference, audits)
    difference = stage.run(short, audits) or difference
    pytest.fail(f"SEED={seed}\n\n{short}\n\n{difference}", pytrace=False)


# A skipped test counts as failed, and xfail as skipped: so these pass as long as they differ.


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_difference_is_there(stage, name):
    difference = stage.run(KNOWN[name])
    assert difference, GONE
    assert difference.kind in ("differs", "closed"), str(difference)


@pytest.mark.parametrize("name", MENDED)
def test_a_mended_difference_stays_mended(stage, name):
    difference = stage.run(MENDED[name])
    assert difference is None, f"{MENDED[name]}\n\n{difference}"
