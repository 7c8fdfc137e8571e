"""Fixtures: one PostgreSQL for all tests, one pooler per module, or one of the test's own."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import pooler as pooler_module  # noqa: E402
from support import processes  # noqa: E402
from support.pooler import Pooler  # noqa: E402
from support.postgres import PASSWORDS, Postgres  # noqa: E402
from support.traces import assert_same  # noqa: E402
from support.wire import Client  # noqa: E402

RUNNING = []
"""Poolers that run now; a failing test shows their logs."""


def pytest_configure(config):
    processes.raise_file_limit()
    # SIGTERM ends as Ctrl-C does, so that fixtures clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """Checks of the harness itself leave out what its stand-ins cannot do, and say so."""
    barred = {
        "pgbouncer": ["pgweir_only", "pgweir_or_direct"],
        "direct": ["pgweir_only", "pooler_only"],
    }
    names = barred.get(pooler_module.KIND, [])
    out = [item for item in items if any(map(item.get_closest_marker, names))]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for pooler in RUNNING:
            if pooler.process:
                report.sections.append(
                    (f"log of the pooler, process {pooler.process.pid}", pooler.log_tail())
                )


@pytest.fixture(scope="session")
def postgres():
    cluster = Postgres()
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def run_pooler(postgres, **what):
    pooler = Pooler(postgres, **what)
    RUNNING.append(pooler)
    return pooler.start()


def stop_pooler(pooler):
    pooler.stop()
    if pooler in RUNNING:
        RUNNING.remove(pooler)


@pytest.fixture(scope="module")
def module_pooler(request, postgres):
    """Holds the module's pooler; `pooler` starts it anew if a test has ended it."""
    holder = {}

    def get():
        if holder.get("pooler") is None or not holder["pooler"].is_running():
            if holder.get("pooler"):
                stop_pooler(holder["pooler"])
            holder["pooler"] = run_pooler(
                postgres, settings=getattr(request.module, "SETTINGS", None)
            )
        return holder["pooler"]

    yield get
    if holder.get("pooler"):
        surprises = holder["pooler"].surprises()
        stop_pooler(holder["pooler"])
        assert not surprises, surprises


@pytest.fixture
def pooler(module_pooler):
    """The module's pooler, with the module's SETTINGS. It has to survive every test."""
    pooler = module_pooler()
    yield pooler
    assert pooler.is_running(), f"the pooler has ended with {pooler.process.returncode}"


@pytest.fixture
def start_pooler(postgres):
    """Starts a pooler of the test's own: start_pooler({"default_pool_size": 1})."""
    started = []

    def start(settings=None, before=None, **what):
        started.append(run_pooler(before or postgres, settings=settings, **what))
        return started[-1]

    yield start
    for pooler in started:
        stop_pooler(pooler)


@pytest.fixture
def connect():
    """Opens raw clients, logged in, closed when the test ends: connect(port, user=…)."""
    clients = []

    def open_client(port, user="app", database="app", timeout=10.0, one_byte_writes=False, **more):
        client = Client(port, timeout, one_byte_writes)
        clients.append(client)
        client.login(user, PASSWORDS.get(user), database, **more)
        return client

    yield open_client
    for client in clients:
        client.abandon()


@pytest.fixture
def same(postgres, pooler):
    """same(script): the script sees through the module's pooler what it sees without."""

    def check(script, before=None, **how):
        return assert_same(postgres, pooler, script, before, **how)

    return check
