"""What queries and small operations cost whatever the machine is doing: counted by callgrind.

pgweir runs under valgrind, which runs one thread at a time; Benchmarks/tools/patient_enter.c lets
the others run while one waits.
"""

import os
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from callgrind import COMMAND, Difference, Profile, stripped
from peers import POOL, ROOT, TOOLS, PoolerPeer, load, processes

SHIM = TOOLS / "patient_enter.so"
MICRO = ROOT / ".build/release/micro"
TIMERS = "runTimers"
WITHOUT_TIMERS = (f"--toggle-collect=*{TIMERS}*", "--collect-atstart=yes")
SETTINGS = {"function_check_interval": 3600}
"""What is done as time goes by would be counted more often the slower the machine is."""
CLIENTS = 16
DEAREST = 12
QUERIES = (32, 112, 512)
"""Per client: before it is counted, of the shorter and of the longer load. Multiples of 16, which
some clients send at once."""
OPERATIONS = (1000, 1000, 3000)
"""Of each kind, likewise."""


class CountedPooler:
    """pgweir under callgrind, for one load after the other: for `with`."""

    def __init__(self, backend, binary, workers):
        self.workers = workers
        self.binary = stripped(binary, backend.folder.path)
        assert TIMERS.encode() in self.binary.read_bytes(), f"{TIMERS} has another name"
        settings = SETTINGS | {"workers": workers}
        self.peer = PoolerPeer("counted", "pgweir", backend, backend.folder, **settings)
        self.folder = tempfile.TemporaryDirectory(dir=backend.folder.path)
        self.dumps = 0

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.peer.stop()
        self.folder.cleanup()

    def start(self):
        self.peer.prepare()
        pooler, out = self.peer.poolers[0], f"--callgrind-out-file={self.folder.name}/out"
        command = ["env", f"LD_PRELOAD={SHIM}", *COMMAND, *WITHOUT_TIMERS, out]
        command += [self.binary, pooler.write()]
        pooler.process = processes.start(command, pooler.log)

        def is_ready():
            assert pooler.is_running(), "pgweir did not start:\n" + pooler.log_tail()
            return processes.accepts(self.peer.port)

        processes.wait_until(is_ready, 60, what="pgweir under valgrind")

    def profile(self, *options):
        """What a load with these options makes it do."""
        load(self.peer, *options)
        processes.wait_until(lambda: not connection_count(self.peer.port), what="clients to go")
        # Writes what was counted to the next file, and starts again from zero.
        dump = ["callgrind_control", "--dump", str(self.peer.poolers[0].process.pid)]
        subprocess.run(dump, check=True, capture_output=True)
        self.dumps += 1
        return Profile(Path(self.folder.name) / f"out.{self.dumps}", without=SHIM)

    def query(self, *options):
        """What one query of a load with these options costs."""
        before, few, many = QUERIES
        # All servers are opened, and know its text.
        self.profile(*options, "-c", 2 * POOL, "-n", before)
        short = self.profile(*options, "-c", CLIENTS, "-n", few)
        long = self.profile(*options, "-c", CLIENTS, "-n", many)
        return Difference(short, long, CLIENTS * (many - few))


def connection_count(port):
    """TCP connections that clients have to `port`, as long as the server's end is open."""
    states = [line.split()[1:4] for line in Path("/proc/net/tcp").open()]
    return sum(
        local.endswith(f":{port:04X}") and state in ("01", "08") for local, _, state in states[1:]
    )


def count(backend, binary, workers, options):
    """What one query of a load with `options` costs: {what: count}."""
    with CountedPooler(backend, binary, workers) as pooler:
        query = pooler.query(*options)
    if workers == 1:
        print(query.dearest("instructions", DEAREST))
    atomics = query.atomics()
    return asdict(query.cost) | {
        "atomic operations": sum(atomics.values()),
        "of these in pgweir's code": atomics[str(pooler.binary)],
    }


def operation_names():
    """What Benchmarks/Micro can do."""
    done = subprocess.run([MICRO], check=True, capture_output=True, text=True)
    return done.stdout.split()


def count_operations(names, folder):
    """What the operations of Benchmarks/Micro cost: {name: Difference}."""
    command = [*COMMAND, "--dump-after=micro_report", f"--callgrind-out-file={folder}/out"]
    command.append(stripped(MICRO, folder))
    for name in names:
        command += [word for count in OPERATIONS for word in (name, str(count))]
    # Tables that are as full in each run.
    environment = os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    _, few, many = OPERATIONS
    found = {}
    for index, name in enumerate(names):
        short, long = (Profile(Path(folder) / f"out.{3 * index + run}") for run in (2, 3))
        found[name] = Difference(short, long, many - few)
    return found
