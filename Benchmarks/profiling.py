"""Where a pooler's CPU time goes: perf's samples of its process, under load, by system call."""

import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from peers import load

SECONDS = 2.0
PARTS = {
    "sending": ("sendto", "sendmsg", "write", "writev"),
    "receiving and waiting": (
        "io_uring_enter", "epoll_wait", "epoll_ctl", "recvfrom", "recvmsg", "read",
    ),
    "opening and closing": (
        "accept", "accept4", "shutdown", "close", "setsockopt", "getsockopt", "getpeername",
        "getsockname", "fcntl", "socket", "connect",
    ),
}  # fmt: skip
"""System calls, by what they are for. What none of them is about is the program's own."""
ENTRY = re.compile(r"^\s*([\d.]+)%.*\b__(?:x64|arm64|se|do)_sys_(\w+)\s*$", re.MULTILINE)


def can_profile():
    """Whether perf is here, and allowed to look at other processes."""
    if shutil.which("perf") is None:
        return False
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "--", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


def profile(peer, *options):
    """CPU of a query in microseconds: `cpu`, the program's own `user`, and each of PARTS."""
    results = []
    load(peer, *options, "-s", 0.5)
    runner = threading.Thread(
        target=lambda: results.append(load(peer, *options, "-s", SECONDS + 1))
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "perf.data"
        runner.start()
        pids = ",".join(map(str, peer.pids()))
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-g", "-p", pids]
        subprocess.run(
            [*record, "-o", file, "--", "sleep", str(SECONDS)], check=True, capture_output=True
        )
        runner.join()
        command = ["perf", "report", "-i", file, "--children", "--stdio", "-g", "none"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = results[0]
    calls = {}
    for share, name in ENTRY.findall(text):
        # A call may show under several names, one inside of the other.
        calls[name] = max(calls.get(name, 0), float(share) / 100)
    found = {"cpu": result["cpu"], "user": result["user"]}
    for part, names in PARTS.items():
        found[part] = sum(calls.get(name, 0) for name in names) * result["cpu"]
    return found
