"""PostgreSQL's JDBC driver, by a small Java program compiled here."""

import subprocess
from pathlib import Path

import pytest
from support import builds
from support.postgres import PASSWORDS

pytestmark = pytest.mark.pgweir_or_direct
SETTINGS = {"default_pool_size": 2}


@pytest.mark.parametrize("what", ["prepared", "fetchSize", "batch", "errors", "threads"])
def test_jdbc(pooler, postgres, what):
    path = builds.java(Path(__file__).parent / "Driver.java")
    postgres.sql(
        "drop table if exists jdbc_batch; create table jdbc_batch (n int, t text);"
        " alter table jdbc_batch owner to app"
    )
    url = f"jdbc:postgresql://127.0.0.1:{pooler.port}/app?user=app&password={PASSWORDS['app']}"
    done = subprocess.run(
        ["java", "-XX:+UseSerialGC", "-cp", path, "Driver", url, what],
        text=True,
        capture_output=True,
        timeout=50,
    )
    assert done.returncode == 0 and done.stdout == "done\n", done.stdout + done.stderr
