"""CPU and throughput of pgweir beside PgBouncer, in less than a minute: `make bench-smoke`.

Both pool the same throwaway PostgreSQL: one thread, transaction mode, 20 servers, no passwords.
For every line pgbench runs through the one, then through the other, and so on in turn; the medians
count. CPU is the pooler's process, user and system, logins included, over pgbench's transactions.
The machine is shared with pgbench and PostgreSQL and the runs are short: ratios mean something,
single figures do not.
"""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests/Integration"))

from support import processes  # noqa: E402
from support.pooler import KIND, PGBOUNCER, Pooler  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.programs import run, succeed  # noqa: E402

CLIENTS = (16, 64, 256)
MODES = ("simple", "extended") if KIND == "pgbouncer" else ("simple", "extended", "prepared")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
SECONDS = float(os.environ.get("BENCH_SECONDS", 1))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process with all its threads, from proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(pooler, mode, clients, script):
    """(CPU µs per query, queries per second) of one run."""
    before = cpu_seconds(pooler.process.pid)
    output = succeed(
        run(
            "pgbench",
            pooler,
            "-n",
            "-M",
            mode,
            "-c",
            clients,
            "-j",
            1,
            "-T",
            int(SECONDS),
            "-f",
            script,
            timeout=30,
        )
    )
    spent = cpu_seconds(pooler.process.pid) - before
    count = int(re.search(r"actually processed: (\d+)", output)[1])
    failed = re.search(r"number of failed transactions: (\d+)", output)
    if count == 0 or failed and failed[1] != "0":
        raise AssertionError(output)
    return spent / count * 1e6, float(re.search(r"tps = ([\d.]+)", output)[1])


def medians(poolers, mode, clients, script, cannot):
    """(ours, theirs) of interleaved rounds, each (CPU µs per query, queries per second)."""
    runs = ([], [])
    for _ in range(ROUNDS):
        for index, pooler in enumerate(poolers[:1] if cannot else poolers):
            runs[index].append(measure(pooler, mode, clients, script))
    return [
        tuple(map(statistics.median, zip(*run, strict=True))) if run else None for run in runs
    ]


def pgbouncer_version():
    text = subprocess.run([PGBOUNCER, "--version"], capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", text).groups()))


def main():
    processes.raise_file_limit()
    settings = {
        "workers": 1,
        "default_pool_size": 20,
        "auth_type": "trust",
        "max_client_conn": 1000,
    }
    version = pgbouncer_version()
    postgres, poolers = Postgres(method="trust"), []
    try:
        postgres.start()
        for kind in (KIND, "pgbouncer"):
            poolers.append(Pooler(postgres, settings, kind=kind))
            poolers[-1].start()
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "one.sql"
            script.write_text("select 1;\n")
            print(f"{'':>20} {'CPU µs per query':^31} {'queries per second':^31}")
            other = "PgBouncer " + ".".join(map(str, version))
            heads = (KIND, other, "ratio") * 2
            print(
                f"{'mode':<10} {'clients':>9}"
                + "".join(
                    f" {head:>{width}}" for head, width in zip(heads, (8, 15, 6) * 2, strict=True)
                )
            )
            for mode in MODES:
                for clients in CLIENTS:
                    # PgBouncer before 1.21 cannot do prepared statements in transaction mode.
                    cannot = mode == "prepared" and version < (1, 21)
                    ours, theirs = medians(poolers, mode, clients, script, cannot)
                    line = f"{mode:<10} {clients:>9}"
                    for index, digits in ((0, 1), (1, 0)):
                        line += f" {ours[index]:>8.{digits}f}"
                        line += (
                            f" {theirs[index]:>15.{digits}f} {ours[index] / theirs[index]:>6.2f}"
                            if theirs
                            else f" {'cannot':>15} {'':>6}"
                        )
                    print(line, flush=True)
    except AssertionError as error:
        print(error)
        for pooler in poolers:
            print(f"log of {pooler.kind}:\n{pooler.log_tail(20)}")
        return 1
    finally:
        for pooler in poolers:
            pooler.stop()
        postgres.stop()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
