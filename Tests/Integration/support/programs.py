"""Running command line programs of PostgreSQL against a pooler."""

import os
import subprocess

from .postgres import PASSWORDS, binaries


def run(program, pooler, *arguments, dbname="app", user="app", text=None, timeout=50, **more):
    """Runs `program` as `user`; returns what `subprocess.run` returns."""
    environment = {name: it for name, it in os.environ.items() if not name.startswith("PG")}
    environment |= {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(pooler.port),
        "PGDATABASE": dbname,
        "PGUSER": user,
        "PGPASSWORD": PASSWORDS.get(user, ""),
        "PGCONNECT_TIMEOUT": "10",
        **more,
    }
    return subprocess.run(
        [binaries() / program, *map(str, arguments)],
        env=environment,
        input=text,
        text=True,
        capture_output=True,
        timeout=timeout,
    )


def psql(pooler, *arguments, **more):
    """psql without the user's settings, unaligned, tuples only, no pager."""
    return run("psql", pooler, "-X", "-A", "-t", "-q", *arguments, **more)


def succeed(done):
    """The output of a program that ended well; otherwise what it complained of fails the test."""
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr}"
    return done.stdout
