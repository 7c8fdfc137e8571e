"""What is measured, and what it is measured against: poolers, relays, and the server behind them.

All have 20 servers in transaction mode and let everybody in, unless a measurement says otherwise.
"""

import base64
import hashlib
import hmac
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".build/bench"
sys.path.insert(0, str(ROOT / "Tests/Integration"))

from support import processes  # noqa: E402
from support.pooler import BINARY, PGBOUNCER, Pooler  # noqa: E402, F401

POOL = 20
PASSWORD = "app-secret"
CPUS = len(os.sched_getaffinity(0))
HELPERS = max(1, CPUS // 4)
"""Threads of the load generator, and processes of the null backend."""
POOL_SIZES = (1, 2, 5, 10, 20, 50, 100)
SEEDS = {1500: 20, 10000: 25}
"""Clients, and the servers they share."""


def pgbouncer_version():
    text = subprocess.run([PGBOUNCER, "--version"], capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"(\d+)\.(\d+)\.?(\d*)", text).groups("0")))


PGBOUNCER_VERSION = pgbouncer_version()
"""Before 1.21 it cannot do prepared statements in transaction mode; from 1.24 on it does."""


def scram_secret(password):
    """What PostgreSQL stores for `password`. Source: RFC 5803."""
    salt, iterations = b"sixteen bytes of", 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)

    def keyed(what):
        return hmac.digest(salted, what, "sha256")

    stored, server = hashlib.sha256(keyed(b"Client Key")).digest(), keyed(b"Server Key")
    salt, stored, server = (base64.b64encode(it).decode() for it in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt}${stored}:{server}"


class Folder:
    """A folder that poolers' accounts may read, with a certificate for TLS in it."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="pgweir-bench-"))
        self.certificate, self.key = self.path / "server.crt", self.path / "server.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
            + ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            + ["-out", self.certificate, "-keyout", self.key],
            check=True,
            capture_output=True,
        )
        self.path.chmod(0o755)
        self.key.chmod(0o600)
        if processes.IS_ROOT:
            account = pwd.getpwnam("postgres")
            os.chown(self.key, account.pw_uid, account.pw_gid)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class NullBackend:
    """A server that answers at once, by TCP and by a unix socket; stands in for PostgreSQL."""

    def __init__(self, folder):
        self.port = processes.free_port()
        self.folder = folder
        self.process = None

    def start(self):
        socket = self.folder.path / f".s.PGSQL.{self.port}"
        command = [TOOLS / "null_backend", str(HELPERS), str(self.port), socket]
        self.process = processes.start(command, self.folder.path / "backend.log")
        processes.wait_until(lambda: processes.accepts(self.port), what="the null backend")
        return self

    def stop(self):
        processes.end(self.process)


def databases(backend, folder):
    """`app` by TCP, `local` by unix sockets, `poolN` with N servers."""
    tcp = {"host": "127.0.0.1", "port": backend.port, "dbname": "app"}
    local = dict(tcp, host=str(folder.path))
    sizes = sorted({*POOL_SIZES, *SEEDS.values()})
    return {
        "app": tcp,
        "local": local,
        **{f"pool{size}": dict(tcp, pool_size=size) for size in sizes},
    }


def sharded(backend):
    """A cluster whose shards are all the null backend, and database `sharded` on it."""
    shards = "".join(
        f'[[clusters.main.shards]]\nname = "s{number}"\nprimary = {{ host = "127.0.0.1", port ='
        f' {backend.port}, dbname = "app_{number}" }}\n'
        for number in range(2)
    )
    return f"""{shards}[sharding.by_tenant]
cluster = "main"
key = ["bigint"]
tables = {{ "*" = ["tenant_id"] }}
[databases.sharded]
cluster = "main"
sharding = "by_tenant"
"""


class Peer:
    """One thing to measure. `key` names it in results, `name` in tables."""

    def __init__(self, key, name):
        self.key = key
        self.name = name
        self.canPrepare = True
        self.running = []
        self.port = None
        self.socket = None
        """Where it listens for clients: TCP and unix."""

    def pids(self):
        return [process.pid for process in self.running]

    def start(self):
        return self

    def stop(self):
        for process in self.running:
            processes.end(process)
        self.running = []

    def log_tail(self):
        return ""


class PoolerPeer(Peer):
    """pgweir, or PgBouncer in one or more processes that share a port."""

    def __init__(self, key, name, backend, folder, kind="pgweir", count=1, **settings):
        super().__init__(key, name)
        self.canPrepare = kind == "pgweir" or PGBOUNCER_VERSION >= (1, 24)
        self.backend = backend
        self.folder = folder
        self.kind = kind
        self.count = count
        self.settings = settings
        self.poolers = []

    def prepare(self):
        """Makes what `start` starts, with its files."""
        self.port = processes.free_port()
        for _ in range(self.count):
            pooler = Pooler(
                self.backend,
                {
                    "workers": 1,
                    "default_pool_size": POOL,
                    "auth_type": "trust",
                    "max_client_conn": 11000,
                    "log_connections": False,
                    "log_disconnections": False,
                    "listen_backlog": 4096,
                    "listen_port": self.port,
                    "client_tls_sslmode": "allow",
                    "client_tls_cert_file": str(self.folder.certificate),
                    "client_tls_key_file": str(self.folder.key),
                    **self.settings,
                },
                databases=databases(self.backend, self.folder),
                secrets={"app": scram_secret(PASSWORD)},
                kind=self.kind,
                more=sharded(self.backend) if self.kind == "pgweir" else "",
            )
            pooler.port = self.port
            if self.count > 1:
                pooler.sections["pgweir"]["so_reuseport"] = True
            else:
                pooler.sections["pgweir"]["unix_socket_dir"] = str(pooler.folder)
                self.socket = pooler.folder / f".s.PGSQL.{self.port}"
            self.poolers.append(pooler)

    def start(self):
        self.prepare()
        for pooler in self.poolers:
            pooler.start()
            self.running.append(pooler.process)
        return self

    def stop(self):
        for pooler in self.poolers:
            pooler.stop()
        self.poolers, self.running = [], []

    def log_tail(self):
        return "".join(pooler.log_tail(20) for pooler in self.poolers)

    def private_byte_count(self):
        return sum(pooler.private_byte_count() for pooler in self.poolers)


class CommandPeer(Peer):
    """Programs that are told by arguments or variables where to listen: relays, other poolers."""

    def __init__(self, key, name, folder):
        super().__init__(key, name)
        self.log = folder.path / f"{key}.log"

    def launch(self, command, address):
        self.running.append(processes.start(command, self.log))
        processes.wait_until(lambda: accepts(address), what=f"{self.name} to listen")

    def log_tail(self):
        return processes.tail(self.log, 20)


class Relay(CommandPeer):
    """A floor: copies and nothing else. One process for TCP, one for unix sockets."""

    def __init__(self, key, name, tool, backend, local):
        super().__init__(key, name, backend.folder)
        self.tool = tool
        self.backend = backend
        self.local = local

    def start(self):
        folder, port = self.backend.folder.path, self.backend.port
        if self.local:
            self.socket = folder / f"{self.key}.socket"
            listen, server = self.socket, folder / f".s.PGSQL.{port}"
        else:
            self.port = listen = processes.free_port()
            server = port
        self.launch([TOOLS / self.tool, str(listen), str(server), str(POOL)], listen)
        return self


class Other(CommandPeer):
    """Any other pooler, started by a program of the user's: see Benchmarks/bench.py."""

    def __init__(self, name, program, backend):
        super().__init__("other-" + name, name, backend.folder)
        self.program = program
        self.backend = backend

    def start(self):
        self.port = processes.free_port()
        variables = {
            "LISTEN_PORT": self.port,
            "SERVER_PORT": self.backend.port,
            "POOL_SIZE": POOL,
            "FOLDER": self.backend.folder.path,
        }
        words = [f"{name}={value}" for name, value in variables.items()]
        self.launch(["env", *words, self.program], self.port)
        return self


def accepts(address):
    if isinstance(address, Path):
        return address.exists()
    return processes.accepts(address)


class LoadError(Exception):
    """The load generator found something wrong."""


def load(peer, *options, transport="tcp", timeout=120):
    """Runs the load generator against `peer`; what it measured, as a dictionary."""
    address = peer.socket if transport == "unix" else peer.port
    if transport == "unix":
        options = ("-D", "local", *options)
    if transport == "tls":
        options = ("-T", *options)
    pids = ",".join(map(str, peer.pids()))
    command = [TOOLS / "load", "-P", pids, "-p", PASSWORD, *map(str, options), str(address)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise LoadError(
            f"{' '.join(map(str, command))}\n{done.stderr}log of {peer.name}:\n{peer.log_tail()}"
        )
    return json.loads(done.stdout)


class Held:
    """Clients that log in (and ask once) and then do nothing, until the end of `with`."""

    def __init__(self, peer, count, *options):
        command = [TOOLS / "load", "-H", "-c", count, "-p", PASSWORD, *options, peer.port]
        self.peer = peer
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        if '"held"' not in self.process.stdout.readline():
            raise LoadError(
                f"clients could not log in to {self.peer.name}:\n{self.peer.log_tail()}"
            )
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
