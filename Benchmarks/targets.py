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
    """Rows: what, target, measured, verdict."""
    rows = []

    def compare(
        group, field, limit, what, base="pgbouncer", atLeast=False, ours="pgweir", **labels
    ):
        for line in lines_of(results, group, **labels):
            it = ratio(line, field, ours=ours, base=base)
            sign = "≥" if atLeast else "≤"
            if it is None:
                measured, end = "–", "PgBouncer cannot"
            else:
                measured = f"{it[0]:.2f} ({it[1]:.2f} to {it[2]:.2f})"
                end = verdict(it[0], limit, atLeast)
            rows.append([f"{what}: {name_of(line)}", f"{sign} {limit}", measured, end])

    def bound(group, limit, what, **labels):
        for line in lines_of(results, group, **labels):
            it = median(line, "pgweir", "bytes") / 1024
            end = verdict(it, limit)
            rows.append([f"{what}: {name_of(line)}", f"≤ {limit} KiB", f"{it:.2f} KiB", end])

    both = ("simple", "extended")
    cpu, floor = "CPU beside PgBouncer", "CPU beside the io_uring relay"
    compare("queries", "cpu", 0.85, cpu, mode=both, clients=16)
    compare("queries", "cpu", 0.65, cpu, mode=both, clients=(64, 256))
    compare("queries", "cpu", 0.6, cpu, mode="prepared", clients=64)
    compare("queries", "cpu", 1.15, floor, base=FLOOR, mode=both, clients=(16, 64, 256))
    compare("pipeline", "cpu", 0.25, cpu + ", 16 in flight", clients=16)
    compare("queries", "p99", 1, "p99 beside PgBouncer", clients=(16, 64, 256, 1000))
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
        more = statistics.median(a["cpu"] - b["cpu"] for a, b in pairs)
        what = f"CPU of routing: {name_of(line)}"
        rows.append([what, "≤ 0.5 µs more", f"{more:.2f} µs", verdict(more, 0.5)])
    bound("memory", 0.7, "memory per idle client", transport="tcp")
    bound("memory", 12, "memory per idle client", transport="tls")
    return rows
