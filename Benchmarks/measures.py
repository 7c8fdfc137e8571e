"""The measurements. Each function is one group, by name; it yields lines.

A line is what was measured, of whom: {"labels": {...}, "runs": {peer key: [result, ...]}}. The
peers of a line take turns: the n-th results of all of them are of the same moment.
"""

import time

import counts
import profiling
from peers import BINARY, POOL_SIZES, SEEDS, Held, load
from real import Real

MODES = ("simple", "extended", "prepared")
PLAIN_CLIENTS = (1, 16, 64, 256, 1000)
FEW_CLIENTS = (16, 64, 256)
PIPELINE_CLIENTS = (16, 64)
DEPTH = 16
WORKERS = (1, 2, 4, 8, 16)
COUNTED_WORKERS = (1, 2, 8, 16)
IDLE_CLIENTS, IDLE_FIRST = 10_000, 500
ROWS = "select repeat('x', 100) from generate_series(1, 40000)"
WIDE_ROWS = "select repeat('x', 20000) from generate_series(1, 400)"
COPY_OUT = "copy (select repeat('x', 100) from generate_series(1, 40000)) to stdout"
COPY_IN = "copy t from stdin"
ROUTED = "select id, note from orders where tenant_id = {} and id = 7"
ROUTED_SHAPES = {
    "literal, simple": ("simple", ROUTED.format(42), ()),
    "hint, simple": ("simple", ROUTED.format("'x'") + " /* pgweir: key=42 */", ()),
    "parameter, extended": ("extended", ROUTED.format("$1"), ("-v", 42)),
    "parameter, prepared": ("prepared", ROUTED.format("$1"), ("-v", 42)),
}
"""Mode, text and more options of the load, by what a statement names its key with."""


class Settings:
    """How long and how often."""

    def __init__(self, seconds, rounds, quick=False):
        self.seconds = seconds
        self.rounds = rounds
        self.quick = quick

    def some(self, all_of_them, few):
        return few if self.quick else all_of_them


def take_turns(peers, rounds, measure):
    """Results of `measure(peer)` by the peers' keys, each `rounds` times, in turn."""
    runs = {peer.key: [] for peer in peers}
    for number in range(rounds):
        # Every other round runs backwards: nobody is always the one after the same other.
        for peer in peers if number % 2 == 0 else reversed(peers):
            runs[peer.key].append(measure(peer))
    return runs


def line(peers, settings, options, transport="tcp", **labels):
    def measure(peer):
        return load(peer, *options, "-s", settings.seconds, transport=transport)

    return {
        "labels": {"transport": transport, **labels},
        "runs": take_turns(peers, settings.rounds, measure),
    }


def able(peers, mode):
    """Those that can do prepared statements in transaction mode, if that is asked for."""
    return [peer for peer in peers if mode != "prepared" or peer.canPrepare]


def queries(world, settings):
    """One query in flight per client, by TCP."""
    for mode in MODES:
        for clients in settings.some(PLAIN_CLIENTS, (64,)):
            peers = able(world.main + world.floors("tcp") + world.others, mode)
            options = ("-m", mode, "-c", clients)
            yield line(peers, settings, options, mode=mode, clients=clients)


def unix(world, settings):
    """One query in flight per client, clients and servers by unix sockets."""
    for mode in settings.some(("simple", "extended"), ("simple",)):
        for clients in settings.some(FEW_CLIENTS, (64,)):
            peers = world.main + world.floors("unix")
            options = ("-m", mode, "-c", clients)
            yield line(peers, settings, options, "unix", mode=mode, clients=clients)


def tls(world, settings):
    """One query in flight per client, clients by TLS."""
    for mode in settings.some(MODES, ("simple",)):
        for clients in settings.some(FEW_CLIENTS, (64,)):
            options = ("-m", mode, "-c", clients)
            yield line(able(world.main, mode), settings, options, "tls", mode=mode, clients=clients)


def pipeline(world, settings):
    """DEPTH queries in one write, then all their answers."""
    for mode in settings.some(MODES, ("extended",)):
        for clients in settings.some(PIPELINE_CLIENTS, (16,)):
            options = ("-m", mode, "-c", clients, "-d", DEPTH)
            peers = able(world.main + world.floors("tcp") + world.others, mode)
            yield line(peers, settings, options, mode=mode, clients=clients)


def workers(world, settings):
    """More threads, and two processes of PgBouncer."""
    counted = settings.some(WORKERS, (1, 2))
    with world.started(world.more_workers(counted)) as more:
        for mode in settings.some(("simple", "extended"), ("simple",)):
            peers = world.main + more
            options = ("-m", mode, "-c", 64)
            yield line(peers, settings, options, mode=mode, clients=64)


def churn(world, settings):
    """Connect, one query, disconnect."""
    options = ("-C", "-c", 16)
    yield line(world.main, settings, options, login="trust")
    yield line(world.main, settings, options, "tls", login="trust over TLS")
    with world.started(world.poolers(world.backend, auth_type="scram-sha-256")) as peers:
        yield line(peers, settings, options, login="SCRAM")


def large(world, settings):
    """Results of megabytes, and COPY; the figures are per megabyte that clients see."""
    wanted = {
        "rows of 100 bytes": ("-q", ROWS),
        "rows of 20,000 bytes": ("-q", WIDE_ROWS),
        "COPY to the client": ("-q", COPY_OUT),
        "COPY from the client": ("-m", "copyin", "-k", 4096, "-q", COPY_IN),
    }
    for what, options in settings.some(wanted, dict(list(wanted.items())[:1])).items():
        peers = world.main + world.floors("tcp")
        yield line(peers, settings, ("-c", 4, *options), what=what)


def seeds(world, settings):
    """Many clients, few servers."""
    for clients, servers in settings.some(SEEDS, {}).items():
        options = ("-c", clients, "-D", f"pool{servers}")
        yield line(world.main, settings, options, clients=clients, servers=servers)


def servers(world, settings):
    """256 clients over more and more servers."""
    for size in settings.some(POOL_SIZES, (5, 20)):
        options = ("-c", 256, "-D", f"pool{size}")
        yield line(world.main, settings, options, clients=256, servers=size)


PROFILED = {
    "16 clients": ("-c", 16),
    "64 clients": ("-c", 64),
    "16 clients, 16 queries in one write": ("-c", 16, "-d", DEPTH, "-m", "extended"),
    "connect, one query, disconnect": ("-C", "-c", 16),
}


def profile(world, settings):
    """Where the CPU time of a query goes, by perf."""
    if not profiling.can_profile():
        print("  perf is not here, or may not look at other processes: left out")
        return
    for what in settings.some(PROFILED, ()):
        # The relays know of no end of a connection while they wait.
        peers = world.main + ([] if what.startswith("connect") else world.floors("tcp"))
        runs = {peer.key: [profiling.profile(peer, *PROFILED[what])] for peer in peers}
        yield {"labels": {"load": what}, "runs": runs}


def routing(world, settings):
    """The same statement for a database on one server, and for one on two shards."""
    ours = world.main[0]
    for shape in settings.some(ROUTED_SHAPES, ("literal, simple", "parameter, prepared")):
        mode, text, more = ROUTED_SHAPES[shape]
        runs = {"app": [], "sharded": []}
        # A difference of two runs needs more of them than a ratio.
        for number in range(settings.rounds if settings.quick else 3 * settings.rounds):
            for database in sorted(runs, reverse=number % 2 == 1):
                options = ("-m", mode, "-c", 64, "-q", text, "-D", database, *more)
                runs[database].append(load(ours, *options, "-s", settings.seconds))
        yield {"labels": {"statement": shape, "clients": 64}, "runs": runs}


def idle_memory(peer, isTLS, asks):
    """Private memory per idle client, in bytes, of a pooler that has just started."""
    options = (["-T"] if isTLS else []) + (["-Q"] if asks else [])
    with Held(peer, IDLE_FIRST, *options):
        time.sleep(0.3)
        few = peer.private_byte_count()
        with Held(peer, IDLE_CLIENTS - IDLE_FIRST, *options):
            time.sleep(0.5)
            many = peer.private_byte_count()
    return {"bytes": (many - few) / (IDLE_CLIENTS - IDLE_FIRST)}


def memory(world, settings):
    """IDLE_CLIENTS idle clients; every figure is of a process of its own."""
    for isTLS in settings.some((False, True), ()):
        for asks in (False, True):
            runs = {}
            for peer in world.poolers(world.backend):
                with world.started([peer]):
                    runs[peer.key] = [idle_memory(peer, isTLS, asks)]
            labels = {
                "transport": "tls" if isTLS else "tcp",
                "after": "a query" if asks else "the login",
            }
            yield {"labels": labels, "runs": runs}


def counted(world, settings):
    """Instructions and the like per query, by callgrind."""
    modes = ("simple", "prepared")
    loads = [(mode, number, ("-m", mode)) for mode in modes for number in COUNTED_WORKERS]
    for shape in ("literal, simple", "parameter, prepared"):
        for database in ("app", "sharded"):
            mode, text, more = ROUTED_SHAPES[shape]
            name = f"{shape}, {'two shards' if database == 'sharded' else 'one server'}"
            loads.append((name, 1, ("-m", mode, "-q", text, "-D", database, *more)))
    for mode, number, options in settings.some(loads, ()):
        result = counts.count(world.backend, BINARY, number, options)
        yield {"labels": {"mode": mode, "workers": number}, "runs": {"pgweir": [result]}}


def postgres(world, settings):
    """pgbench against a real PostgreSQL."""
    with Real(world.poolers) as real:
        for mode in settings.some(MODES, ("simple", "extended")):
            for clients in FEW_CLIENTS:
                peers = able(world.main, mode)

                def measure(peer, mode=mode, clients=clients):
                    return real.measure(peer.key, mode, clients)

                rounds = max(1, settings.rounds // 2) if settings.quick else settings.rounds
                runs = take_turns(peers, rounds, measure)
                yield {"labels": {"mode": mode, "clients": clients}, "runs": runs}


GROUPS = {
    "queries": queries,
    "pipeline": pipeline,
    "unix": unix,
    "tls": tls,
    "workers": workers,
    "churn": churn,
    "large": large,
    "memory": memory,
    "seeds": seeds,
    "servers": servers,
    "routing": routing,
    "postgres": postgres,
    "counted": counted,
    "profile": profile,
}

QUICK = ["postgres", "queries", "pipeline", "workers", "churn", "large", "routing"]
"""What a quick run looks at unless it is told."""
