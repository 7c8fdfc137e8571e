"""pgweir beside its peers: `make bench` (all of it), `make bench-smoke` (a little of everything).

    bench.py [GROUP ...] [--quick] [--rounds N] [--seconds S] [--write]
    bench.py --render

Groups are the functions of measures.py. Everybody who is compared is measured in turn, in short
runs, and what counts is the ratio of runs that were neighbours in time. A run of all groups writes
Docs/Benchmarks.md; --write does so with what Benchmarks/results has of the others, --render with
what it has of all.

BENCH_OTHERS="name=/path/to/program,..." measures other poolers too. The program must run the pooler
in the foreground, or become it: in transaction mode, without passwords, on port $LISTEN_PORT, with
$POOL_SIZE servers for database and user app on 127.0.0.1, port $SERVER_PORT. $FOLDER may hold its
files. PGBOUNCER_BINARY and PGWEIR_BINARY name other binaries of these two.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import measures
import report
from peers import (
    BINARY,
    CPUS,
    HELPERS,
    PGBOUNCER_VERSION,
    ROOT,
    Folder,
    LoadError,
    NullBackend,
    Other,
    PoolerPeer,
    Relay,
    processes,
)

RESULTS = ROOT / "Benchmarks/results"
PGBOUNCER_NAME = "PgBouncer " + ".".join(map(str, PGBOUNCER_VERSION))


class World:
    """The null backend and everybody in front of it, for all measurements: for `with`."""

    def __init__(self):
        self.folder = Folder()
        self.backend = NullBackend(self.folder)
        self.main = self.poolers(self.backend)
        self.others = [
            Other(name, program, self.backend)
            for name, program in re.findall(r"([^=,]+)=([^,]+)", os.environ.get("BENCH_OTHERS", ""))
        ]
        self.relays = {
            transport: [
                Relay(f"{tool}-{transport}", name, tool, self.backend, transport == "unix")
                for tool, name in (
                    ("relay_uring", "relay, io_uring"),
                    ("relay_epoll", "relay, epoll"),
                )
            ]
            for transport in ("tcp", "unix")
        }
        self.all = [*self.main, *self.others, *sum(self.relays.values(), [])]

    def __enter__(self):
        try:
            self.backend.start()
            for peer in self.all:
                peer.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for peer in self.all:
            peer.stop()
        if self.backend.process:
            self.backend.stop()
        self.folder.remove()

    def poolers(self, backend, **settings):
        """pgweir and PgBouncer in front of `backend`, one thread each; not started."""
        return [
            PoolerPeer("pgweir", "pgweir", backend, self.folder, **settings),
            PoolerPeer(
                "pgbouncer", PGBOUNCER_NAME, backend, self.folder, kind="pgbouncer", **settings
            ),
        ]

    def floors(self, transport):
        return self.relays[transport]

    def more_workers(self, counts):
        """pgweir with each number of workers above 1, and two processes of PgBouncer."""
        where = (self.backend, self.folder)
        peers = [
            PoolerPeer(f"pgweir-{it}", f"pgweir, {it} workers", *where, workers=it)
            for it in counts
            if it > 1
        ]
        name = f"{PGBOUNCER_NAME}, two processes"
        return [*peers, PoolerPeer("pgbouncer-2", name, *where, kind="pgbouncer", count=2)]

    @contextlib.contextmanager
    def started(self, peers):
        try:
            for peer in peers:
                peer.start()
            yield peers
        finally:
            for peer in peers:
                peer.stop()

    def names(self):
        """{peer key: name} of everybody there may be in the results."""
        peers = [*self.all, *self.more_workers(measures.WORKERS)]
        databases = {"app": "one server", "sharded": "two shards"}
        return {**{peer.key: peer.name for peer in peers}, **databases}


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip().partition("\n")[0]


def machine():
    """Where this runs, as text."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1])
    virtual = first_line("systemd-detect-virt")
    return (
        f"{CPUS} CPUs ({model[1] if model else platform.machine()}), {memory / 2**20:.0f} GiB, "
        f"Linux {platform.release()}" + (f", {virtual}" if virtual not in ("", "none") else "")
    )


def circumstances(settings):
    return {
        "date": datetime.date.today().isoformat(),
        # Only `make bench` knows, for it has just built the program.
        "commit": os.environ.get("BENCH_COMMIT") or "unknown",
        "machine": machine(),
        "pgweir": first_line(BINARY, "--version"),
        "pgbouncer": PGBOUNCER_NAME,
        "canPrepare": PGBOUNCER_VERSION >= (1, 24),
        "seconds": settings.seconds,
        "rounds": settings.rounds,
        "helpers": HELPERS,
        "load": [round(number, 1) for number in os.getloadavg()],
    }


def run(groups, settings):
    """Measures; what all but quick runs found is in RESULTS, a file for each group."""
    with World() as world:
        names = world.names()
        for group in groups:
            began = time.monotonic()
            lines = []
            print(f"\n{group}: {measures.GROUPS[group].__doc__}", flush=True)
            about = circumstances(settings)
            for line in measures.GROUPS[group](world, settings):
                lines.append(line)
                print("  " + report.plain(line, names), flush=True)
            about["load"] += [round(number, 1) for number in os.getloadavg()[:1]]
            about["took"] = round(time.monotonic() - began)
            if not settings.quick:
                RESULTS.mkdir(exist_ok=True)
                result = {"lines": lines, "about": about, "names": names}
                (RESULTS / f"{group}.json").write_text(json.dumps(result, indent=1))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(measures.GROUPS))
    parser.add_argument("--quick", action="store_true", help="a line or two of each, in a minute")
    parser.add_argument("--rounds", type=int, help="runs of each, in turn")
    parser.add_argument("--seconds", type=float, help="length of a run")
    parser.add_argument("--write", action="store_true", help="write Docs/Benchmarks.md")
    parser.add_argument("--render", action="store_true", help="write it without measuring")
    given = parser.parse_args()
    for group in given.groups:
        if group not in measures.GROUPS:
            parser.error(f"no group {group}; there are {', '.join(measures.GROUPS)}")
    return given


def write_page():
    known = {
        group: json.loads((RESULTS / f"{group}.json").read_text())
        for group in measures.GROUPS
        if (RESULTS / f"{group}.json").exists()
    }
    report.write(known, ROOT / "Docs")
    print("wrote Docs/Benchmarks.md")


def main():
    given = arguments()
    if given.render:
        write_page()
        return 0
    processes.raise_file_limit()
    settings = measures.Settings(
        given.seconds or (0.25 if given.quick else 0.4),
        given.rounds or (2 if given.quick else 5),
        given.quick,
    )
    groups = given.groups or (measures.QUICK if given.quick else list(measures.GROUPS))
    began = time.monotonic()
    try:
        run(groups, settings)
    except (LoadError, AssertionError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{time.monotonic() - began:.0f} s")
    if not given.quick and (given.write or not given.groups):
        write_page()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
