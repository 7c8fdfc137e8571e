"""What callgrind has counted: instructions, allocations, retains and releases.

Two runs of different length are counted; their difference, divided by the difference in what they
did, leaves out how they start and end. valgrind runs one thread at a time, so what threads do to
each other's caches is not in it.
"""

import functools
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

COMMAND = ("valgrind", "--tool=callgrind", "--dump-instr=yes", "--fair-sched=yes")
CALLS = {
    "allocations": (
        *("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"),
        *("_mid_memalign", "_mid_memalign.constprop.0", "operator new(unsigned long)"),
        *("swift_allocObject", "swift_slowAlloc", "swift_slowAllocTyped"),
    ),
    "retains": ("swift_retain", "swift_retain_n", "swift_bridgeObjectRetain"),
    "releases": ("swift_release", "swift_release_n", "swift_bridgeObjectRelease"),
}
"""Functions of one kind call each other; a call from elsewhere is one allocation, retain or
release."""
ATOMIC = re.compile(r"^\s*([0-9a-f]+):\s+(?:lock |xchg\s+[^(]*\()", re.MULTILINE)
NAME = re.compile(r"\((\d+)\)(?: (.*))?$")


class Profile:
    """One file of callgrind, without what the object file `without` executes itself."""

    def __init__(self, path, without=None):
        self.without = str(without)
        self.instructions = 0
        self.functions = Counter()
        """Instructions by function, without those that it calls."""
        self.calls = Counter()
        """(caller, called): how often."""
        self.executed = Counter()
        """(object, address): how often the instruction there was executed."""
        self.names = {"fn": {}, "ob": {}}
        self.read(path)

    def resolve(self, kind, text):
        number, name = NAME.match(text).groups()
        if name is not None:
            self.names[kind][number] = name
        return self.names[kind][number]

    def function(self, text):
        """Without the marks of recursion and of versions of a symbol."""
        return self.resolve("fn", text).partition("'")[0].partition("@")[0]

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
                elif program != self.without:
                    self.instructions += int(cost)
                    self.functions[function] += int(cost)
                    self.executed[program, address] += int(cost)
            elif head == "fn":
                function = self.function(rest)
            elif head == "ob":
                program = self.resolve("ob", rest)
            elif head == "cob":
                self.resolve("ob", rest)
            elif head == "cfn":
                called = self.function(rest)
            elif head == "calls":
                self.calls[function, called] += int(rest.split()[0])
                isInclusive = True


@dataclass(frozen=True)
class Cost:
    """Of one query, message or operation."""

    instructions: float
    allocations: float = 0
    retains: float = 0
    releases: float = 0


class Difference:
    """What the `count` things cost that `long` did and `short` did not."""

    def __init__(self, short, long, count):
        self.short, self.long, self.count = short, long, count
        instructions = (long.instructions - short.instructions) / count
        calls = {kind: sum(self.callers(kind).values()) / count for kind in CALLS}
        self.cost = Cost(instructions, **calls)

    def callers(self, kind):
        """Who allocates, retains or releases: {function: how often in all}."""
        found = Counter()
        for caller, called in self.long.calls | self.short.calls:
            if called in CALLS[kind] and caller not in CALLS[kind]:
                call = caller, called
                found[caller] += self.long.calls[call] - self.short.calls[call]
        return found

    def functions(self):
        """Instructions in all by function, without those that it calls."""
        found = self.long.functions.copy()
        found.subtract(self.short.functions)
        return found

    def dearest(self, kind, most):
        """The functions that cost most of `kind`, as lines, for people."""
        counts = self.functions() if kind == "instructions" else self.callers(kind)
        each = [(name, count / self.count) for name, count in counts.most_common(most)]
        lines = "\n".join(f"  {count:8.2f} {name}" for name, count in each if count >= 0.01)
        done = subprocess.run(
            ["swift", "demangle", "--simplified"], input=lines, capture_output=True, text=True
        )
        return done.stdout if done.returncode == 0 else lines

    def atomics(self):
        """Instructions of each thing that lock memory, by object file."""
        found = Counter()
        for program in {program for program, _ in self.long.executed if Path(program).is_file()}:
            for address in atomic_addresses(program):
                place = program, address
                times = self.long.executed[place] - self.short.executed[place]
                found[program] += times / self.count
        return found


@functools.cache
def atomic_addresses(program):
    """Addresses of the instructions in the file `program` that lock memory."""
    done = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True
    )
    return {int(address, 16) for address in ATOMIC.findall(done.stdout)}


def stripped(binary, folder):
    """A copy of the program without what describes its source, which valgrind is slow to read."""
    copy = Path(folder) / Path(binary).name
    if not copy.exists():
        shutil.copy(binary, copy)
        subprocess.run(["strip", "-g", copy], check=True)
    return copy
