"""pgbench against a real PostgreSQL, through poolers that take turns."""

import re
import tempfile
from pathlib import Path

from peers import LoadError
from support.postgres import Postgres
from support.programs import run, succeed

TRANSACTIONS = 16_000
"""Of all clients together. A time would be over when many clients have hardly connected."""


def cpu_seconds(pid):
    """Time that a process has run with all its threads, to the nanosecond: schedstat of proc(5)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Real:
    """A throwaway PostgreSQL, and the same poolers in front of it: for `with`."""

    def __init__(self, make_peers):
        """`make_peers(backend)` returns poolers in front of `backend`."""
        self.make_peers = make_peers
        self.postgres = Postgres(method="trust")
        self.folder = tempfile.TemporaryDirectory()
        self.script = Path(self.folder.name) / "one.sql"
        self.peers = {}

    def __enter__(self):
        self.script.write_text("select 1;\n")
        try:
            self.postgres.start()
            for peer in self.make_peers(self.postgres):
                self.peers[peer.key] = peer
                peer.start()
                # Opens the servers: PostgreSQL takes its time for that.
                self.pgbench(peer, "simple", 64, "-t", 20)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for peer in self.peers.values():
            peer.stop()
        self.postgres.stop()
        self.folder.cleanup()

    def pgbench(self, peer, mode, clients, *options):
        """The output of a run without failed transactions, and how many there were."""
        options = ("-n", "-M", mode, "-c", clients, "-j", 1, *options, "-f", self.script)
        output = succeed(run("pgbench", peer.poolers[0], *options, timeout=60))
        count = int(re.search(r"actually processed: (\d+)", output)[1])
        failed = re.search(r"number of failed transactions: (\d+)", output)
        if count == 0 or failed and failed[1] != "0":
            raise LoadError(f"{output}\nlog of {peer.name}:\n{peer.log_tail()}")
        return output, count

    def measure(self, key, mode, clients):
        """CPU and rate of one run, logins included, as the load generator has it."""
        peer = self.peers[key]
        pid = peer.poolers[0].process.pid
        before = cpu_seconds(pid)
        output, count = self.pgbench(peer, mode, clients, "-t", TRANSACTIONS // clients)
        spent = cpu_seconds(pid) - before
        rate = float(re.search(r"tps = ([\d.]+)", output)[1])
        return {"cpu": spent / count * 1e6, "rate": rate, "count": count}
