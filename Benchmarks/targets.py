"""What the project wants, and whether it is so."""

import statistics

FLOOR = "relay_uring-tcp"


def lines_of(results, group, **labels):
    """Lines of `group` with these labels; a label may be a set of values."""
    for line in results.get(group, {"lines": []})["lines"]:
        if all(
            line["labels"].get(name) in (it if isinstance(it, (set, tuple)) else (it,))
            for name, it in labels.items()
        ):
            yield line


def verdict(measured, limit, atLeast=False):
    missing = limit - measured if atLeast else measured - limit
    return "met" if missing <= 0 else f"**missed by {missing:.2f}**"


def name_of(line):
    words = {
        "transport": lambda it: {"tcp": "", "tls": "TLS", "unix": "unix sockets"}[it],
        "clients": lambda it: f"{it:,} clients",
        "servers": lambda it: f"{it} servers",
        "after": lambda it: f"after {it}",
    }
    parts = [words.get(name, str)(it) for name, it in line["labels"].items()]
    return ", ".join(part for part in parts if part)


def verdicts(results, ratio, median):
    """Rows: what, target, measured, verdict; and the names of what is missed, keys of REASONS."""
    rows, missed = [], set()

    def compare(
        group,
        field,
        limit,
        what,
        base="pgbouncer",
        atLeast=False,
        ours="pgweir",
        reason=None,
        **labels,
    ):
        for line in lines_of(results, group, **labels):
            it = ratio(line, field, ours=ours, base=base)
            sign = "≥" if atLeast else "≤"
            if it is None:
                measured, end = "–", "PgBouncer cannot"
            else:
                measured = f"{it[0]:.2f} ({it[1]:.2f} to {it[2]:.2f})"
                end = verdict(it[0], limit, atLeast)
            if "missed" in end:
                missed.add(reason or group)
            rows.append([f"{what}: {name_of(line)}", f"{sign} {limit}", measured, end])

    def bound(group, limit, what, **labels):
        for line in lines_of(results, group, **labels):
            it = median(line, "pgweir", "bytes") / 1024
            end = verdict(it, limit)
            if "missed" in end:
                missed.add(group)
            rows.append([f"{what}: {name_of(line)}", f"≤ {limit} KiB", f"{it:.2f} KiB", end])

    both = ("simple", "extended")
    cpu, floor = "CPU beside PgBouncer", "CPU beside the io_uring relay"
    compare("queries", "cpu", 0.85, cpu, mode=both, clients=16)
    compare("queries", "cpu", 0.65, cpu, mode=both, clients=(64, 256))
    compare("queries", "cpu", 0.6, cpu, mode="prepared", clients=64)
    compare("queries", "cpu", 1.15, floor, base=FLOOR, mode=both, clients=(16, 64, 256))
    compare("pipeline", "cpu", 0.25, cpu + ", 16 in flight", clients=16)
    what = "p99 beside PgBouncer"
    compare("queries", "p99", 1, what, clients=(16, 64, 256, 1000), reason="p99")
    compare(
        "workers",
        "rate",
        1,
        "queries/s of two workers beside one",
        base="pgweir",
        ours="pgweir-2",
        atLeast=True,
    )
    compare("tls", "cpu", 1, cpu)
    compare("large", "cpu_per_megabyte", 0.5, "CPU per MB beside PgBouncer")
    compare("churn", "cpu", 0.8, "CPU per connection", login="trust")
    compare("churn", "cpu", 0.5, "CPU per connection", login="SCRAM")
    compare("churn", "cpu", 0.9, "CPU per connection", login="trust over TLS")
    for line in lines_of(results, "routing"):
        pairs = zip(line["runs"]["sharded"], line["runs"]["app"], strict=True)
        more = statistics.median(a["user"] - b["user"] for a, b in pairs)
        what = f"own CPU of routing: {name_of(line)}"
        end = verdict(more, 0.5)
        if "missed" in end:
            missed.add("routing")
        rows.append([what, "≤ 0.5 µs more", f"{more:.2f} µs", end])
    bound("memory", 0.7, "memory per idle client", transport="tcp")
    bound("memory", 12, "memory per idle client", transport="tls")
    return rows, missed


# Why a target is missed, in the figures of this very report.


def profiled(results, load):
    """{peer key: parts} of one load; empty = perf did not run."""
    for line in lines_of(results, "profile", load=load):
        return {key: run[0] for key, run in line["runs"].items()}
    return {}


def beside(results, ratio, group, field, ours, **labels):
    """The median ratios to PgBouncer, as "0.71, 0.86"."""
    ratios = [ratio(it, field, ours=ours) for it in lines_of(results, group, **labels)]
    return ", ".join(f"{it[0]:.2f}" for it in ratios if it)


def why_queries(results, ratio):
    texts = ["**CPU with one query in flight.**"]
    parts = profiled(results, "16 clients")
    if parts:
        ours, theirs, floor = parts["pgweir"], parts["pgbouncer"], parts[FLOOR]
        texts.append(
            f"With 16 clients sending is {theirs['sending']:.1f} of PgBouncer's"
            f" {theirs['cpu']:.1f} µs, {ours['sending']:.1f} of pgweir's {ours['cpu']:.1f}, and"
            f" {floor['sending']:.1f} of the {floor['cpu']:.1f} of a relay that only copies."
            " A query is sent on and its answer is sent back, so nobody sends less; and on the"
            " loopback send(2) does the receiver's half of the network's work as well. The"
            f" program's own share is {ours['user']:.1f} µs of pgweir's and {theirs['user']:.1f} of"
            " PgBouncer's."
        )
    labels = {"mode": "simple", "clients": (16, 64, 256)}
    relay = beside(results, ratio, "queries", "cpu", FLOOR, **labels)
    texts.append(
        f"The relay itself needs {relay} of PgBouncer's CPU with 16, 64 and 256 clients and simple"
        " queries: a target below that is below the floor of this machine."
    )
    return " ".join(texts)


def why_pipeline(results, ratio):
    text = "**Pipelines.**"
    parts = profiled(results, "16 clients, 16 queries in one write")
    if parts:
        theirs, floor = parts["pgbouncer"], parts[FLOOR]
        text += (
            f" Of PgBouncer's {theirs['cpu']:.2f} µs {theirs['sending']:.2f} are sending: 16"
            f" queries go in one write through both poolers. The relay needs {floor['cpu']:.2f}."
        )
    relay = beside(results, ratio, "pipeline", "cpu", FLOOR, clients=16)
    return f"{text} Its ratios to PgBouncer, mode by mode: {relay}. The target lies below them."


def why_p99(results, ratio):
    labels = {"mode": "simple", "clients": (16, 64, 256, 1000)}
    relay = beside(results, ratio, "queries", "p99", FLOOR, **labels)
    return (
        "**p99.** The load generator, the pooler and the server want all of the machine's CPUs, so"
        " the slowest answers are those whose process waited for a CPU. Beside PgBouncer's the"
        f" p99 of a relay that only copies is {relay} (simple queries, 16 to 1,000 clients)."
    )


def why_churn(results, ratio):
    text = "**Connections.**"
    parts = profiled(results, "connect, one query, disconnect")
    if parts:
        ours, theirs = parts["pgweir"], parts["pgbouncer"]
        shown = ("sending", "receiving and waiting", "opening and closing")
        told = ", ".join(f"{part} {ours[part]:.1f} ({theirs[part]:.1f})" for part in shown)
        text += (
            f" µs of pgweir, and of PgBouncer in parentheses: {told}, own {ours['user']:.1f}"
            f" ({theirs['user']:.1f}). Accepting and closing are operations of the ring here, and"
            " count as waiting."
        )
    return text + " Arming, ending and closing a connection's receive costs more than epoll_ctl."


def why_routing(results, _):
    text = "**Routing.** What routing adds is less than what all CPU of two runs differs by."
    counted = {
        line["labels"]["mode"]: line["runs"]["pgweir"][0]["instructions"]
        for line in lines_of(results, "counted", workers=1)
    }
    told = []
    for shape in ("literal, simple", "parameter, prepared"):
        more = counted.get(f"{shape}, two shards", 0) - counted.get(f"{shape}, one server", 0)
        if more > 0:
            told.append(f"{more:,.0f} ({shape})")
    if told:
        text += (
            f" callgrind counts {' and '.join(told)} instructions more: the text is compared with"
            " those that are known, its key is read and hashed, and with each transaction its pool,"
            " its map and its shard are looked after. They run with what the kernel's network code"
            " has left of the processor's caches."
        )
    return text


def why_memory(results, _):
    return (
        "**Memory.** An idle TLS connection is OpenSSL's object for it, with its keys and"
        " buffers given back (SSL_MODE_RELEASE_BUFFERS); pgweir adds the same as without TLS."
    )


def why_tls(results, _):
    return "**TLS.** Both use the same OpenSSL, which is most of the CPU."


def why_workers(results, _):
    return (
        "**Threads.** Two workers, the load generator and the server are four processes for two"
        " CPUs."
    )


def why_large(results, ratio):
    relay = beside(results, ratio, "large", "cpu_per_megabyte", FLOOR)
    return f"**Large results.** The relay's ratios to PgBouncer: {relay}."


REASONS = {
    "queries": why_queries,
    "pipeline": why_pipeline,
    "p99": why_p99,
    "workers": why_workers,
    "tls": why_tls,
    "large": why_large,
    "churn": why_churn,
    "routing": why_routing,
    "memory": why_memory,
}
