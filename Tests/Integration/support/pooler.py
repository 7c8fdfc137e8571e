"""Starting the pooler under test with a given configuration.

POOLER chooses it: pgweir (the default), or, to check the tests themselves, pgbouncer (PgBouncer on
an equivalent ini file) or direct (no pooler: clients talk to PostgreSQL). PGWEIR_BINARY and
PGBOUNCER_BINARY name other binaries.
"""

import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path

import psycopg

from . import processes
from .postgres import MD5_PASSWORD, PASSWORDS

KIND = os.environ.get("POOLER", "pgweir")
ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("PGWEIR_BINARY", ROOT / ".build/release/pgweir")).absolute()
PGBOUNCER = Path(os.environ.get("PGBOUNCER_BINARY", "/usr/sbin/pgbouncer")).absolute()
NOT_PGBOUNCERS = {"workers", "io", "max_prepared_statements"}


def toml(sections):
    """`{"pgweir": {...}, "databases": {name: {...}}}` as TOML."""

    def value(it):
        if isinstance(it, bool):
            return "true" if it else "false"
        if isinstance(it, (int, float)):
            return str(it)
        if isinstance(it, list):
            return "[" + ", ".join(map(value, it)) + "]"
        return '"' + str(it).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = []
    for name, section in sections.items():
        tables = (
            {f'{name}."{key}"': section[key] for key in section}
            if name in ("databases", "users")
            else {name: section}
        )
        for header, table in tables.items():
            lines.append(f"[{header}]")
            lines += [f"{key} = {value(it)}" for key, it in table.items()]
    return "\n".join(lines) + "\n"


def ini(sections):
    """The same configuration for PgBouncer."""

    def value(it):
        if isinstance(it, bool):
            return "1" if it else "0"
        return ", ".join(it) if isinstance(it, list) else str(it)

    lines = []
    for name in ("databases", "users"):
        lines.append(f"[{name}]")
        for key, table in sections.get(name, {}).items():
            lines.append(f"{key} = " + " ".join(f"{k}={value(v)}" for k, v in table.items()))
    lines.append("[pgbouncer]")
    for key, it in sections["pgweir"].items():
        if key not in NOT_PGBOUNCERS:
            lines.append(f"{key} = {value(it)}")
    return "\n".join(lines) + "\n"


class Pooler:
    """One running pooler in front of `postgres`."""

    def __init__(
        self,
        postgres,
        settings=None,
        databases=None,
        users=None,
        secrets=None,
        sections=None,
        kind=KIND,
        more="",
    ):
        """`more`: TOML that follows the sections as it is."""
        self.kind = kind
        self.more = more
        self.postgres = postgres
        self.folder = Path(tempfile.mkdtemp(prefix="pgweir-pooler-"))
        self.log = self.folder / "pooler.log"
        self.process = None
        self.port = postgres.port if self.kind == "direct" else processes.free_port()
        server = {"host": "127.0.0.1", "port": postgres.port}
        if secrets is None:
            secrets = dict(PASSWORDS, md5user=MD5_PASSWORD)
        self.write_secrets(secrets)
        self.sections = {
            "pgweir": {
                "listen_addr": "127.0.0.1",
                "listen_port": self.port,
                "unix_socket_dir": "",
                "pool_mode": "transaction",
                "default_pool_size": 5,
                "auth_type": "scram-sha-256",
                "auth_file": str(self.folder / "users.txt"),
                "admin_users": ["admin"],
                "stats_users": ["other"],
                **(settings or {}),
            },
            "databases": databases
            if databases is not None
            else {"app": server, "app2": server, "postgres": server},
        }
        if users:
            self.sections["users"] = users
        self.sections.update(sections or {})

    def write_secrets(self, secrets):
        """Writes auth_file: `{user: secret}`."""
        lines = [f'"{user}" "{secret}"\n' for user, secret in secrets.items()]
        (self.folder / "users.txt").write_text("".join(lines))

    def write(self):
        """Writes the configuration; returns its file."""
        is_pgbouncer = self.kind == "pgbouncer"
        file = self.folder / ("pooler.ini" if is_pgbouncer else "pooler.toml")
        file.write_text((ini if is_pgbouncer else toml)(self.sections) + self.more)
        if processes.IS_ROOT and is_pgbouncer:
            account = pwd.getpwnam("postgres")
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        return file

    def start(self):
        if self.kind == "direct":
            return self
        file = self.write()
        if self.kind == "pgbouncer":
            command, user = [PGBOUNCER, file], "postgres"
        else:
            command, user = [BINARY, file], None
            assert BINARY.exists(), f"{BINARY} does not exist: run make build"
        self.process = processes.start(command, self.log, user=user)

        def is_ready():
            assert self.is_running(), "the pooler did not start:\n" + self.log_tail()
            return processes.accepts(self.port)

        processes.wait_until(is_ready, 10, what=f"the pooler to listen on port {self.port}")
        return self

    def is_running(self):
        return self.kind == "direct" or self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process:
            processes.end(self.process, signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self, lines=60):
        return processes.tail(self.log, lines)

    def surprises(self):
        """What audits found that no text had shown, one log line each."""
        if self.kind != "pgweir":
            return []
        return [line for line in self.log.read_text().splitlines() if " audit: " in line]

    def wait_for_release(self):
        """Until no client has a server: only then is all that they did counted."""

        def is_over():
            with psycopg.connect(self.uri("pgbouncer", "admin"), autocommit=True) as console:
                cursor = console.execute("show servers")
                state = [column.name for column in cursor.description].index("state")
                return all(row[state] == "idle" for row in cursor)

        processes.wait_until(is_over, 5, what="all servers to be idle")

    def uri(self, dbname="app", user="app", scheme="postgresql"):
        """Where a driver connects."""
        return f"{scheme}://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/{dbname}"

    def private_byte_count(self):
        """Memory that this process has written to. What it only reads, of programs and libraries, is
        private or not depending on who else runs."""
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
