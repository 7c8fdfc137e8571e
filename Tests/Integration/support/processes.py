"""Starting and ending processes so that none outlives the tests, whatever ends them."""

import ctypes
import os
import pwd
import random
import resource
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
IS_ROOT = os.geteuid() == 0


def raise_file_limit():
    """Lets this process and its children open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    """A TCP port below the kernel's ephemeral range, so that no outgoing connection takes it."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def start(command, log, user=None, death_signal=signal.SIGKILL):
    """Starts `command` in a session of its own, with its output in the file `log`.

    The kernel sends `death_signal` to it when this process ends in any way.
    `user` is an account to run as; it is ignored unless we are root.
    """
    who = {}
    if user and IS_ROOT:
        account = pwd.getpwnam(user)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    parent = os.getpid()

    def before_exec():
        LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)

    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            preexec_fn=before_exec,
            **who,
        )


def end(process, first=signal.SIGTERM, patience=5.0):
    """Ends `process`: first politely, after `patience` seconds not."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def wait_until(condition, seconds=10.0, every=0.02, what="a condition"):
    """Returns the first true value of `condition()`; raises after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


def accepts(port):
    """Whether something on `port` of this machine takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def tail(path, lines=60):
    """The last `lines` lines of a file, for a failure's report."""
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return str(error)
