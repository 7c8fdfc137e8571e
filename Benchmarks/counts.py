"""What a query costs whatever the machine is doing: counted by callgrind, not measured.

pgweir runs under valgrind, which runs one thread at a time, so what threads do to each other's
caches is not in it; Benchmarks/tools/patient_enter.c lets the others run while one waits. Two loads
of different length are counted; their difference, divided by the difference in queries, leaves out
start, login and leaving.
"""

import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from peers import TOOLS, PoolerPeer, load, processes

SHIM = TOOLS / "patient_enter.so"
CLIENTS = 16
DEAREST = 12
QUERIES = (150, 750)
"""Per client: of the shorter and of the longer load."""
CALLS = {
    "allocations": ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"),
    "retains": ("swift_retain", "swift_retain_n", "swift_bridgeObjectRetain"),
    "releases": ("swift_release", "swift_release_n", "swift_bridgeObjectRelease"),
}
ATOMIC = re.compile(r"^\s*([0-9a-f]+):\s+(?:lock |xchg\s+[^(]*\()", re.MULTILINE)
NAME = re.compile(r"\((\d+)\)(?: (.*))?$")


class Profile:
    """One file of callgrind: instructions by object and address, calls by function."""

    def __init__(self, path):
        self.instructions = 0
        self.calls = Counter()
        self.functions = Counter()
        """Instructions by function, without those that it calls."""
        self.executed = Counter()
        """(object, address): how often the instruction there was executed."""
        self.names = {"fn": {}, "ob": {}}
        self.read(path)

    def resolve(self, kind, text):
        number, name = NAME.match(text).groups()
        if name is not None:
            self.names[kind][number] = name
        return self.names[kind][number]

    def read(self, path):
        program, function, called, address, isInclusive = "", "", "", 0, False
        for line in path.read_text(errors="replace").splitlines():
            head, _, rest = line.partition("=")
            if line[:1] in "0123456789+-*" and line:
                position, _, cost = line.split()[:3]
                if position[0] == "*":
                    pass
                elif position[0] in "+-":
                    address += int(position)
                else:
                    address = int(position, 16)
                if isInclusive:
                    isInclusive = False
                else:
                    if program != str(SHIM):
                        self.instructions += int(cost)
                        self.functions[function] += int(cost)
                    self.executed[program, address] += int(cost)
            elif head == "fn":
                function = self.resolve("fn", rest)
            elif head == "ob":
                program = self.resolve("ob", rest)
            elif head == "cob":
                self.resolve("ob", rest)
            elif head == "cfn":
                called = self.resolve("fn", rest)
            elif head == "calls":
                self.calls[called.partition("'")[0].partition("@")[0]] += int(rest.split()[0])
                isInclusive = True


def atomic_addresses(program):
    """Addresses of the instructions in the file `program` that lock memory."""
    done = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True
    )
    return {int(address, 16) for address in ATOMIC.findall(done.stdout)}


def take_profiles(peer, binary, folder, options):
    """Two profiles of `peer` under callgrind: of loads of lengths QUERIES."""
    peer.prepare()
    command = ["env", f"LD_PRELOAD={SHIM}", "valgrind", "--tool=callgrind", "--dump-instr=yes"]
    command += ["--fair-sched=yes", f"--callgrind-out-file={folder}/out", binary]
    command.append(peer.poolers[0].write())
    process = processes.start(command, folder / "log")
    try:
        processes.wait_until(lambda: processes.accepts(peer.port), 60, what="valgrind")
        for count in (QUERIES[0], *QUERIES):
            load(peer, "-c", CLIENTS, *options, "-n", count)
            # Writes what was counted to the next file, and starts again from zero.
            dump = ["callgrind_control", "--dump", str(process.pid)]
            subprocess.run(dump, check=True, capture_output=True)
    finally:
        processes.end(process, signal.SIGQUIT)
        peer.stop()
    return [Profile(folder / f"out.{number}") for number in (2, 3)]


def show_dearest(short, long, queries):
    """Prints the functions that cost most per query."""
    costs = long.functions.copy()
    costs.subtract(short.functions)
    lines = "\n".join(
        f"  {cost / queries:8.1f} {name}" for name, cost in costs.most_common(DEAREST)
    )
    done = subprocess.run(
        ["swift", "demangle", "--simplified"], input=lines, capture_output=True, text=True
    )
    print(done.stdout if done.returncode == 0 else lines)


def count(backend, binary, workers, options, known):
    """What one query of a load with `options` costs: {what: count}. `known` keeps what was learnt of
    programs."""
    stripped = backend.folder.path / "pgweir"
    if not stripped.exists():
        shutil.copy(binary, stripped)
        subprocess.run(["strip", "-g", stripped], check=True)
    peer = PoolerPeer("counted", "pgweir", backend, backend.folder, workers=workers)
    with tempfile.TemporaryDirectory(dir=backend.folder.path) as folder:
        short, long = take_profiles(peer, stripped, Path(folder), options)
    queries = CLIENTS * (QUERIES[1] - QUERIES[0])
    if workers == 1:
        show_dearest(short, long, queries)
    costs = {"instructions": (long.instructions - short.instructions) / queries}
    for what, names in CALLS.items():
        costs[what] = sum(long.calls[name] - short.calls[name] for name in names) / queries
    for program in {program for program, _ in long.executed if Path(program).is_file()}:
        if program not in known:
            known[program] = atomic_addresses(program)
    atomics = {"atomic operations": 0, "of these in pgweir's code": 0}
    for place, executed in long.executed.items():
        program, address = place
        if address in known.get(program, ()) and program != str(SHIM):
            each = (executed - short.executed[place]) / queries
            atomics["atomic operations"] += each
            if program == str(stripped):
                atomics["of these in pgweir's code"] += each
    return costs | atomics
