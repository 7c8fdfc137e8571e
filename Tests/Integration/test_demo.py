"""`pgweir demo`: what it prints can be typed, and it leaves nothing behind."""

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from support.pooler import BINARY
from support.processes import wait_until

pytestmark = pytest.mark.pgweir_only


class Demo:
    """One running demo."""

    def __init__(self):
        self.process = subprocess.Popen(
            [BINARY, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()
        wait_until(self.is_ready, 40, what="the demo's greeting")
        text = "".join(self.lines)
        self.directory = Path(re.search(r"PostgreSQL in (\S+)", text).group(1))
        self.commands = re.findall(r"^ +(psql .*)$", text, re.MULTILINE)
        self.statements = re.findall(
            r"^ +((?:SELECT|EXPLAIN)[^;]*;)$", text, re.MULTILINE | re.DOTALL
        )

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def is_ready(self):
        assert self.process.poll() is None, "".join(self.lines)
        return any("Ctrl-C ends" in line for line in self.lines)

    def run(self, command, text=None):
        """One of the printed commands, with `text` to its input."""
        environment = {key: it for key, it in os.environ.items() if not key.startswith("PG")}
        return subprocess.run(
            command.replace("psql ", "psql -XAt ", 1), shell=True, input=text, text=True,
            capture_output=True, timeout=20, env=environment,
        )

    def processes(self):
        """Those that have the demo's directory among their arguments."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self.directory).encode() in file.read_bytes():
                    found.append(file.parent.name)
            except OSError:
                pass
        return found

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@pytest.fixture
def demo():
    demo = Demo()
    yield demo
    if demo.process.poll() is None:
        demo.end()


def test_what_it_prints_works_and_ctrl_c_removes_everything(demo):
    shell, *others = demo.commands
    rows, refused, explained = (demo.run(shell, text) for text in demo.statements)
    amount = sum(number % 97 for number in range(1, 1001))
    assert rows.stdout == f"acme|large|1000|{amount}.00\n", rows
    assert "ERROR:  the statement is not proven to concern one shard" in refused.stderr
    assert "WHERE tenant_id" in refused.stderr
    shard, role, rule, _ = explained.stdout.strip().split("|")
    assert shard in ("shard0", "shard1") and role == "primary" and rule.endswith("of 2")
    for command in others:
        done = demo.run(command)
        assert done.returncode == 0 and len(done.stdout.splitlines()) >= 2, done
    # Both shards have tenants, and each tenant's orders are where the tenant is.
    port = re.search(r"-p (\d+)", shell).group(1)
    seen = []
    for number in (0, 1):
        done = demo.run(
            f"psql -h 127.0.0.1 -p {port} -U demo shard{number}",
            "SELECT tenant_id, count(*) FROM tenants JOIN orders USING (tenant_id) GROUP BY 1;",
        )
        tenants = [tuple(map(int, line.split("|"))) for line in done.stdout.splitlines()]
        assert tenants and all(count == 1000 * tenant for tenant, count in tenants)
        seen += tenants
        for tenant, _ in tenants:
            route = demo.run(shell, f"EXPLAIN (SHARDS) TABLE orders /* pgweir: key={tenant} */;")
            assert route.stdout.startswith(f"shard{number}|"), route
    assert len(seen) == 6
    assert demo.processes()
    assert demo.end() == 0
    assert not demo.directory.exists()
    assert demo.processes() == []
