"""Edge cases: a scenario sees through the pooler, message by message, what it sees without.

A scenario is a function of a `World`, in which it opens clients. It runs with PostgreSQL itself,
then with a pooler before it: once with one server and nobody else, once with two servers that
strangers keep busy. Afterwards nothing of it may be left: see `Edge.check_aftermath`.
"""

import contextlib
import time

import pytest

from .pooler import Pooler
from .postgres import PASSWORDS
from .processes import wait_until
from .recording import Console, Recorder, compare, tags
from .strangers import Strangers
from .wire import Closed, values

ALONE, SATURATED = "alone", "saturated"
POOL_SIZES = {ALONE: 1, SATURATED: 2}

LEFTOVERS = """
select 'parameter ' || name, setting from pg_settings
    where name !~ '^transaction_|^in_hot_standby|^plpgsql\\.'
union all select 'role', current_user || ' ' || session_user
union all select 'advisory lock', objid::text from pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid()
union all select 'temporary object', relname from pg_class where relnamespace = pg_my_temp_schema()
union all select 'cursor', name from pg_cursors
union all select 'prepared statement', name from pg_prepared_statements where name !~ '^pgweir_'
union all select 'channel', c from pg_listening_channels() c
order by 1, 2
"""
"""What one client of a server could leave to the next one."""


class World:
    """Where a scenario runs: `port` is PostgreSQL's or the pooler's."""

    def __init__(self, edge, port, is_direct):
        self.postgres, self.port, self.is_direct = edge.postgres, port, is_direct
        self.strangers, self.watch = edge.strangers, edge.watch
        self.clients = []

    def connect(self, user="app", database="app", timeout=4.0, password=None, **more):
        client = Recorder(self.port, timeout)
        self.clients.append(client)
        client.login(user, password or PASSWORDS.get(user), database, **more)
        client.trace = []
        return client

    def sql(self, text, dbname="app"):
        """Runs `text` as superuser, past the pooler."""
        return self.postgres.sql(text, dbname)

    def hush(self):
        """Until it ends, strangers ask nothing: for what they cannot bear."""
        return self.strangers.hushed() if self.strangers else contextlib.nullcontext()

    def close(self):
        for client in self.clients:
            client.abandon()
        if self.is_direct:
            numbers = [int.from_bytes(client.key[0]) for client in self.clients if client.key]
            wait_until(
                lambda: not self.watch(
                    f"select 1 from pg_stat_activity where pid = any(array{numbers}::int[])"
                ),
                5,
                every=0.005,
                what="the sessions of the clients to end",
            )


class Edge:
    """One setting: PostgreSQL, a pooler before it, and who else uses that."""

    def __init__(self, name, postgres, pooler, fresh):
        self.name, self.postgres, self.pooler = name, postgres, pooler
        self.pool_size = pooler.sections["pgweir"]["default_pool_size"]
        self.fresh = fresh
        self.is_closed = False
        self.watcher = postgres.connect("app")
        self.console = Console(pooler)
        self.strangers = Strangers(pooler) if name == SATURATED else None
        self.stranger_count = len(self.strangers.clients) if self.strangers else 0

    def same(self, scenario, before=None):
        """`scenario(world)` has to go as it does without the pooler, and leave nothing behind.

        `before` is SQL that runs before each of the two runs.
        """
        if before:
            self.postgres.sql(before)
        direct = self.traces(scenario, self.postgres.port, True)
        with self.spoiling():
            if before:
                self.postgres.sql(before)
            compare(direct, self.pooled(scenario))
            self.check_aftermath()

    def only(self, scenario, before=None):
        """The same for a scenario that has no counterpart without the pooler."""
        if before:
            self.postgres.sql(before)
        with self.spoiling():
            self.pooled(scenario)
            self.check_aftermath()

    @contextlib.contextmanager
    def spoiling(self):
        """What goes wrong must not be the next test's fault: it gets another pooler."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def watch(self, sql):
        """Rows that a superuser sees, past the pooler."""
        return self.watcher.execute(sql).fetchall()

    def pooled(self, scenario):
        if self.strangers:
            self.strangers.start()
        try:
            return self.traces(scenario, self.pooler.port, False)
        finally:
            if self.strangers:
                self.strangers.stop()

    def traces(self, scenario, port, is_direct):
        world = World(self, port, is_direct)
        try:
            scenario(world)
        finally:
            world.close()
        return [client.trace for client in world.clients if client.trace is not None]

    def check_aftermath(self):
        """Every server is free, in no transaction, and like new to its next client."""
        assert self.pooler.is_running()
        if self.strangers:
            assert self.strangers.failures == []
        wait_until(self.is_idle, 1.5, 0.004, f"all servers to be free: {self.show_pools()}")
        with contextlib.ExitStack() as stack:
            world = World(self, self.pooler.port, False)
            stack.callback(world.close)
            clients = [world.connect() for _ in range(self.pool_size)]
            for client in clients:
                number = f"{time.monotonic_ns()}"
                messages = client.ask(f"select 'canary', {number}::text")
                assert tags(messages) == "TDCZ", messages
                assert values(messages) == [(b"canary", number.encode())]
            # In a transaction each, they see all the servers that there can be.
            for client in clients:
                assert client.ask("begin") == [("C", "BEGIN"), ("Z", "T")]
            for client in clients:
                left = set(client.run(LEFTOVERS))
                assert left == self.fresh, f"left behind: {left ^ self.fresh}"
            for client in clients:
                client.run("rollback")
            world.close()
        wait_until(self.is_idle, 1.5, 0.004, f"all servers to be free: {self.show_pools()}")

    def show_pools(self):
        return [
            {key: it for key, it in row.items() if it not in ("0", None)}
            for row in self.console.show("POOLS")
        ]

    def is_idle(self):
        """Whether the pooler and PostgreSQL say that nothing goes on."""
        pools = [row for row in self.console.show("POOLS") if row["database"] != "pgbouncer"]
        busy = ("cl_waiting", "sv_active", "sv_active_cancel", "sv_being_canceled", "sv_login")
        if any(int(row[key]) for row in pools for key in busy):
            return False
        # Whoever has logged in counts as active.
        if sum(int(row["cl_active"]) for row in pools) != self.stranger_count:
            return False
        return not self.watch(
            "select 1 from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"
        )

    def close(self):
        if self.is_closed:
            return
        self.is_closed = True
        numbers = []
        with contextlib.suppress(Closed):
            numbers = [int(row["remote_pid"]) for row in self.console.show("SERVERS")]
        self.console.client.abandon()
        self.pooler.stop()
        if self.strangers:
            self.strangers.close()
        sessions = f"select 1 from pg_stat_activity where pid = any(array{numbers}::int[])"
        wait_until(lambda: not self.watch(sessions), 5, what="the pooler's sessions to end")
        self.watcher.close()


@pytest.fixture(scope="session")
def fresh(postgres):
    """What LEFTOVERS finds in a session that is new."""
    with Recorder(postgres.port) as client:
        client.login("app", PASSWORDS["app"])
        return set(client.run(LEFTOVERS))


@pytest.fixture(scope="module")
def edges(request, postgres, fresh):
    """Makes the settings that are asked for, each once per module: edges(name, key=value, …).

    The module's `FUNCTIONS` are there before: a pooler learns of later ones only now and then.
    """
    made = {}
    if functions := getattr(request.module, "FUNCTIONS", None):
        postgres.sql(functions)

    def get(name, what=None, **settings):
        key = (name, tuple(sorted(settings.items())))
        edge = made.get(key)
        if not edge or edge.is_closed:
            pooler = Pooler(
                postgres,
                settings={"default_pool_size": POOL_SIZES[name], **settings},
                **(what or {}),
            ).start()
            edge = made[key] = Edge(name, postgres, pooler, fresh)
        return edge

    yield get
    for edge in made.values():
        edge.close()


@pytest.fixture(params=[ALONE, SATURATED])
def setting(request):
    return request.param


@pytest.fixture
def edge(edges, setting):
    """A pool of one server that nobody else uses; a pool of two that strangers keep busy."""
    return edges(setting)
