"""PostgreSQL's JDBC driver, by a small Java program compiled here."""

import subprocess
from pathlib import Path

import pytest
from support.postgres import PASSWORDS

pytestmark = pytest.mark.pgweir_or_direct
JAR = Path("/usr/share/java/postgresql.jar")


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The folder with the compiled program."""
    assert JAR.exists(), f"{JAR} is missing: run make setup"
    folder = tmp_path_factory.mktemp("classes")
    subprocess.run(["javac", "-d", folder, Path(__file__).parent / "Driver.java"], check=True)
    return folder


@pytest.mark.parametrize("what", ["prepared", "fetchSize", "batch", "errors", "threads"])
def test_jdbc(pooler, postgres, classes, what):
    postgres.sql(
        "drop table if exists jdbc_batch; create table jdbc_batch (n int, t text);"
        " alter table jdbc_batch owner to app"
    )
    url = f"jdbc:postgresql://127.0.0.1:{pooler.port}/app?user=app&password={PASSWORDS['app']}"
    done = subprocess.run(
        ["java", "-XX:+UseSerialGC", "-cp", f"{classes}:{JAR}", "Driver", url, what],
        text=True,
        capture_output=True,
        timeout=50,
    )
    assert done.returncode == 0 and done.stdout == "done\n", done.stdout + done.stderr
