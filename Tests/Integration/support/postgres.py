"""A throwaway PostgreSQL cluster."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from . import processes

PASSWORDS = {"app": "app-secret", "other": "other-secret", "admin": "admin-secret"}
"""Roles of every cluster. Their secrets are SCRAM's; role md5user's is MD5's."""
MD5_PASSWORD = "md5-secret"

SETUP = """
create role app login password 'app-secret';
create role other login password 'other-secret';
create role admin login password 'admin-secret';
set password_encryption = 'md5';
create role md5user login password 'md5-secret';
reset password_encryption;
"""

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
autovacuum = off
max_wal_size = 256MB
wal_level = minimal
max_wal_senders = 0
timezone = 'UTC'
log_timezone = 'UTC'
"""

ACCESS = """
host all postgres 127.0.0.1/32 trust
host all md5user  127.0.0.1/32 md5
host all all      127.0.0.1/32 {method}
"""


def binaries():
    """The folder with initdb, postgres, psql and pgbench, of the newest version there is."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL is not installed: run make setup"
    return Path(on_path).resolve().parent


class Postgres:
    """One cluster: made by `start`, gone after `stop`."""

    def __init__(self, method="scram-sha-256", configuration=""):
        self.port = processes.free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="pgweir-postgres-"))
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.process = None
        self.method = method
        self.configuration = configuration

    def start(self):
        if processes.IS_ROOT:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.run(
            "initdb",
            "-D",
            self.data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--no-locale",
        )
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(CONFIGURATION + self.configuration)
        (self.data / "pg_hba.conf").write_text(ACCESS.format(method=self.method))
        self.launch()
        with self.connect() as connection:
            for statement in SETUP.strip().split("\n"):
                connection.execute(statement)
            for name in ("app", "app2"):
                connection.execute(f"create database {name} owner app")
        return self

    def launch(self):
        """Starts the postmaster and waits until it takes sessions."""
        self.process = processes.start(
            [binaries() / "postgres", "-D", self.data, "-p", str(self.port)],
            self.log,
            user="postgres",
            death_signal=signal.SIGQUIT,
        )

        def is_ready():
            assert self.process.poll() is None, processes.tail(self.log)
            try:
                self.connect().close()
                return True
            except psycopg.OperationalError:
                return False

        processes.wait_until(is_ready, 20, what="PostgreSQL to start")

    def halt(self):
        """Stops the postmaster at once; `launch` starts it again."""
        processes.end(self.process, signal.SIGQUIT)

    def stop(self):
        if self.process:
            self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program, *arguments):
        as_postgres = {}
        if processes.IS_ROOT:
            account = pwd.getpwnam("postgres")
            as_postgres = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [binaries() / program, *arguments],
            cwd="/",
            text=True,
            capture_output=True,
            **as_postgres,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def connect(self, dbname="postgres", user="postgres", **more):
        """A session with PostgreSQL itself, past the pooler, as superuser unless told."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=dbname,
            user=user,
            autocommit=True,
            connect_timeout=5,
            **more,
        )

    def sql(self, text, dbname="app"):
        """Runs `text` as superuser; the rows of the last statement, if it has any."""
        with self.connect(dbname) as connection:
            cursor = connection.execute(text)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else None

    def value(self, text, dbname="app"):
        return self.sql(text, dbname)[0][0]

    def server_count(self, user="app"):
        """How many sessions `user` has."""
        return self.value(
            f"select count(*) from pg_stat_activity where usename = '{user}'"
            " and backend_type = 'client backend'",
            "postgres",
        )
