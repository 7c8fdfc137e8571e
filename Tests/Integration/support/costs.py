"""pgweir under callgrind in front of a server that does no work: what queries and messages cost."""

import shutil
import sys

from .pooler import BINARY, ROOT

sys.path.append(str(ROOT / "Benchmarks"))

import counts  # noqa: E402
import limits  # noqa: E402
from callgrind import Difference  # noqa: E402
from peers import TOOLS, Folder, NullBackend  # noqa: E402

ROUTED = "select id, note from orders where tenant_id = {} and id = 7"
QUERIES = {
    "simple": ("-m", "simple"),
    "extended": ("-m", "extended"),
    "prepared": ("-m", "prepared"),
    "simple, 16 at once": ("-m", "simple", "-d", 16),
    "extended, 16 at once": ("-m", "extended", "-d", 16),
    "prepared, 16 at once": ("-m", "prepared", "-d", 16),
    "simple, routed": ("-m", "simple", "-D", "sharded", "-q", ROUTED.format(42)),
    "prepared, routed": ("-m", "prepared", "-D", "sharded", "-q", ROUTED.format("$1"), "-v", 42),
}
"""Options of a load, by what limits.QUERIES calls its queries."""

ROWS = "select repeat('x', 20) from generate_series(1, {})"
COPY_OUT = f"copy ({ROWS}) to stdout"
COPY_IN = ("-m", "copyin", "-q", "copy t from stdin", "-z", 32, "-k")
MESSAGES = {
    "DataRow": (("-q", ROWS.format(10)), ("-q", ROWS.format(2010)), 2000),
    "CopyData to the client": (("-q", COPY_OUT.format(10)), ("-q", COPY_OUT.format(2010)), 2000),
    "CopyData from the client": ((*COPY_IN, 64), (*COPY_IN, 128), 2048),
}
"""Options of two loads, and how many more messages a query of the second has, by what
limits.MESSAGES calls them."""

CLIENTS, ASKED = 4, 20
"""For messages: clients, and the queries of each."""
LOGINS = 20


def require(*programs):
    """Fails if something is not there that must be installed or built before."""
    tools = [name for name in ("valgrind", "strip") if shutil.which(name) is None]
    missing = tools + [str(path) for path in programs if not path.exists()]
    assert not missing, f"missing: {', '.join(missing)}. Run: make setup build tools"


class Costs:
    """Runs one pgweir at a time, with so many workers as were asked for last: for `with`."""

    def __init__(self):
        require(BINARY, TOOLS / "load", TOOLS / "null_backend", counts.SHIM)
        self.folder = Folder()
        self.backend = NullBackend(self.folder)
        self.pooler = None
        self.queries = {}

    def __enter__(self):
        try:
            self.backend.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop_pooler()
        if self.backend.process:
            self.backend.stop()
        self.folder.remove()

    def stop_pooler(self):
        if self.pooler:
            self.pooler.__exit__()
            self.pooler = None

    def with_workers(self, workers):
        """pgweir with so many."""
        if not self.pooler or self.pooler.workers != workers:
            self.stop_pooler()
            self.pooler = counts.CountedPooler(self.backend, BINARY, workers).__enter__()
        return self.pooler

    def query(self, name, workers=1):
        """What a query of limits.QUERIES costs; counted once."""
        if (name, workers) not in self.queries:
            self.queries[name, workers] = self.with_workers(workers).query(*QUERIES[name])
        return self.queries[name, workers]

    def message(self, name):
        """What a message of limits.MESSAGES costs."""
        pooler, queries = self.with_workers(1), ("-c", CLIENTS, "-n", ASKED)
        few, many, more = MESSAGES[name]
        # At first servers are opened, and buffers get their sizes.
        pooler.profile(*queries, *many)
        short, long = pooler.profile(*queries, *few), pooler.profile(*queries, *many)
        return Difference(short, long, CLIENTS * ASKED * more)

    def login(self):
        """What a client costs that logs in and leaves. All loads have as many queries."""
        pooler = self.with_workers(1)
        pooler.profile("-c", 2 * LOGINS, "-n", 10)
        short = pooler.profile("-c", LOGINS, "-n", 20)
        long = pooler.profile("-c", 2 * LOGINS, "-n", 10)
        return Difference(short, long, LOGINS)
