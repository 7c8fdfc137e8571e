"""Docs/Benchmarks.md and its plots, from what was measured."""

import statistics

from plots import Chart
from targets import REASONS, verdicts

BASE, OURS = "pgbouncer", "pgweir"
FLOORS = {"tcp": "relay_uring-tcp", "unix": "relay_uring-unix"}


def value(result, field):
    """One figure of a result. Those per megabyte are of the bytes that clients saw."""
    megabytes = (result.get("bytes_in", 0) + result.get("bytes_out", 0)) / 1e6
    if field == "cpu_per_megabyte":
        return result["cpu_seconds"] * 1e6 / megabytes
    if field == "megabytes":
        return megabytes / result["seconds"]
    return result[field]


def median(line, key, field):
    """The median of `field` for the peer `key`; None if it was not measured."""
    runs = line["runs"].get(key)
    return statistics.median(value(run, field) for run in runs) if runs else None


def ratio(line, field, ours=OURS, base=BASE):
    """(median, least, most) of our figure over theirs, run by run; None if one is missing."""
    if not line["runs"].get(ours) or not line["runs"].get(base):
        return None
    pairs = zip(line["runs"][ours], line["runs"][base], strict=True)
    # A run too short for the clock of a process shows no CPU time at all.
    found = [value(a, field) / value(b, field) for a, b in pairs if value(b, field) > 0]
    return (statistics.median(found), min(found), max(found)) if found else None


def added(line, field="cpu"):
    """(median, first quarter, third) of µs more per query for the database on two shards."""
    pairs = zip(line["runs"]["sharded"], line["runs"]["app"], strict=True)
    found = sorted(value(a, field) - value(b, field) for a, b in pairs)
    quarter = len(found) // 4
    return statistics.median(found), found[quarter], found[-1 - quarter]


def ratio_text(it):
    return f"**{it[0]:.2f}** ({it[1]:.2f} to {it[2]:.2f})" if it else "–"


def figure(it, digits=1):
    return "–" if it is None else f"{it:,.{digits}f}"


def plain(line, names):
    """A line for the terminal."""
    words = [f"{name} {it}" for name, it in line["labels"].items() if it != "tcp"]
    parts = [f"{', '.join(words):<34}"]
    first = next(iter(line["runs"].values()))[0]
    if "instructions" in first:
        return parts[0] + "  ".join(f"{it:,.1f} {name}" for name, it in first.items())
    field = "bytes" if "bytes" in first else "cpu"
    if "what" in line["labels"]:
        field = "cpu_per_megabyte"
    for base in (BASE, *FLOORS.values()):
        it = ratio(line, field, base=base)
        if it:
            parts.append(f"{it[0]:.2f} ({it[1]:.2f}-{it[2]:.2f}) of {names[base]};")
    for key in line["runs"]:
        text = f"{names[key]} {median(line, key, field):,.1f}"
        if "rate" in first:
            text += f" @ {median(line, key, 'rate'):,.0f}/s"
        if "p99" in first:
            text += f" p99 {median(line, key, 'p99') / 1000:.1f} ms"
        parts.append(text)
    if "sharded" in line["runs"]:
        parts.append("%.2f more (%.2f to %.2f)" % added(line))
    return " ".join(parts)


def table(heads, rows):
    return "\n".join(
        ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        + ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    )


def keys_of(lines):
    """Peers of some lines, in the order of their first appearance."""
    return list(dict.fromkeys(key for line in lines for key in line["runs"]))


def cpu_table(lines, names, labels, field="cpu", unit="µs", rates=True):
    """CPU: ratios, then figures of everybody, user and system of pgweir and PgBouncer."""
    keys = keys_of(lines)
    floor = next((key for key in keys if key in FLOORS.values()), None)
    heads = [*labels, "CPU beside PgBouncer"]
    heads += ["beside the relay"] if floor else []
    heads += [f"{names[key]}, {unit}" for key in keys]
    rows = []
    for line in lines:
        row = [line["labels"][label] for label in labels]
        row.append(ratio_text(ratio(line, field)))
        if floor:
            row.append(ratio_text(ratio(line, field, base=floor)))
        for key in keys:
            text = figure(median(line, key, field))
            if key in (OURS, BASE) and field == "cpu" and key in line["runs"]:
                user = statistics.mean(run.get("user", 0) for run in line["runs"][key])
                system = statistics.mean(run.get("system", 0) for run in line["runs"][key])
                if user + system > 0:
                    text += f" ({100 * user / (user + system):.0f} % user)"
            row.append(text)
        rows.append(row)
    return table(heads, rows)


def speed_table(lines, names, labels, keys=(OURS, BASE)):
    """Throughput and latency: ratios, then figures."""
    heads = [*labels, "queries/s beside PgBouncer", "p99 beside PgBouncer"]
    heads += [f"{names[key]}, queries/s" for key in keys]
    heads += [f"{names[key]}, p50 / p95 / p99 / p99.9, ms" for key in keys]
    rows = []
    for line in lines:
        row = [line["labels"][label] for label in labels]
        row += [ratio_text(ratio(line, "rate")), ratio_text(ratio(line, "p99"))]
        row += [figure(median(line, key, "rate"), 0) for key in keys]
        for key in keys:
            percentiles = [median(line, key, it) for it in ("p50", "p95", "p99", "p999")]
            row.append(" / ".join(figure(it and it / 1000, 2) for it in percentiles))
        rows.append(row)
    return table(heads, rows)


def both_tables(lines, names, labels):
    return cpu_table(lines, names, labels) + "\n\n" + speed_table(lines, names, labels)


class Page:
    """The page as it grows; sections of groups that were not measured are left out."""

    def __init__(self, results, folder):
        self.results = results
        self.plots = folder / "Benchmarks"
        self.plots.mkdir(exist_ok=True)
        for old in self.plots.glob("*.svg"):
            old.unlink()
        self.parts = []

    def add(self, *texts):
        self.parts += texts

    def section(self, group, title):
        """The group's lines and names; opens the section."""
        result = self.results.get(group)
        if result is None:
            return None, None
        self.add(f"## {title}")
        return result["lines"], result["names"]

    def plot(self, name, svg, title):
        (self.plots / f"{name}.svg").write_text(svg)
        self.add(f"![{title}](Benchmarks/{name}.svg)")


def clients_plot(page, lines, names, mode, field, name, title, unit, scale=1):
    """Lines of all peers over the number of clients."""
    lines = [line for line in lines if line["labels"]["mode"] == mode]
    if not lines:
        return
    series = {
        names[key]: [
            None if (it := median(line, key, field)) is None else it * scale for line in lines
        ]
        for key in keys_of(lines)
    }
    clients = [line["labels"]["clients"] for line in lines]
    page.plot(name, Chart(title, unit, clients, series, "clients").lines(), title)


def bars_plot(page, lines, names, label, field, name, title, unit, scale=1):
    """Bars of all peers for each line."""
    series = {
        names[key]: [
            None if (it := median(line, key, field)) is None else it * scale for line in lines
        ]
        for key in keys_of(lines)
    }
    categories = [label(line["labels"]) for line in lines]
    page.plot(name, Chart(title, unit, categories, series).bars(), title)


def write_queries(page):
    lines, names = page.section("queries", "One query in flight per client")
    if not lines:
        return
    page.add("By TCP, 20 servers.")
    page.add(both_tables(lines, names, ("mode", "clients")))
    for mode in ("simple", "extended"):
        title = f"CPU of the pooler per {mode} query"
        clients_plot(page, lines, names, mode, "cpu", f"cpu-{mode}", title, "µs")
    title = "99th percentile of the latency, simple queries"
    clients_plot(page, lines, names, "simple", "p99", "p99-simple", title, "ms", 1e-3)


def write_transports(page):
    lines, names = page.section("pipeline", "Pipelines")
    if lines:
        page.add(
            "Each client sends 16 queries in one write, and the next 16 when all are answered."
        )
        page.add(both_tables(lines, names, ("mode", "clients")))
        at_16 = [line for line in lines if line["labels"]["clients"] == 16]
        title = "CPU per query, 16 clients with 16 queries in flight each"
        bars_plot(page, at_16, names, lambda it: it["mode"], "cpu", "pipeline", title, "µs")
    lines, names = page.section("unix", "Unix sockets")
    if lines:
        page.add("Clients and servers.")
        page.add(both_tables(lines, names, ("mode", "clients")))
    lines, names = page.section("tls", "TLS")
    if lines:
        page.add("Clients by TLS 1.3 with OpenSSL's defaults, servers without.")
        page.add(both_tables(lines, names, ("mode", "clients")))


def write_workers(page):
    lines, names = page.section("workers", "Threads")
    if not lines:
        return
    page.add(
        "64 clients. pgweir has one pool of 20 servers however many workers there are; two"
        " processes of PgBouncer have two. More threads than the machine has CPUs are there for"
        " contention: all want the lock of one pool, and its holder may have to wait for a CPU."
    )
    keys = keys_of(lines)
    rows = []
    for line in lines:
        for key in keys:
            rows.append(
                [
                    line["labels"]["mode"],
                    names[key] + (", 1 worker" if key == OURS else ""),
                    ratio_text(ratio(line, "rate", ours=key)),
                    ratio_text(ratio(line, "rate", ours=key, base=OURS)),
                    ratio_text(ratio(line, "cpu", ours=key)),
                    figure(median(line, key, "rate"), 0),
                    figure(median(line, key, "cpu")),
                    figure(median(line, key, "p99") / 1000, 2),
                ]
            )
    heads = ["mode", "pooler", "queries/s beside one PgBouncer", "beside one worker"]
    heads += ["CPU beside one PgBouncer", "queries/s", "CPU, µs", "p99, ms"]
    page.add(table(heads, rows))
    title = "Throughput, 64 clients"
    bars_plot(page, lines, names, lambda it: it["mode"], "rate", "workers", title, "queries/s")


def write_churn(page):
    lines, names = page.section("churn", "Connections")
    if lines:
        page.add("Connect, one query, disconnect; CPU and latency are of all that together.")
        page.add(both_tables(lines, names, ("login",)).replace("queries/s", "connections/s"))


def write_large(page):
    lines, names = page.section("large", "Large results and COPY")
    if not lines:
        return
    page.add("4 clients; 4 to 8 MB in each answer.")
    field = "cpu_per_megabyte"
    page.add(cpu_table(lines, names, ("what",), field, "µs per MB"))
    keys = keys_of(lines)
    heads = ["what", "MB/s beside PgBouncer", *(f"{names[key]}, MB/s" for key in keys)]
    rows = [
        [line["labels"]["what"], ratio_text(ratio(line, "megabytes"))]
        + [figure(median(line, key, "megabytes"), 0) for key in keys]
        for line in lines
    ]
    page.add(table(heads, rows))
    title = "CPU of the pooler per megabyte"
    bars_plot(page, lines, names, lambda it: it["what"], field, "large", title, "µs")


def write_memory(page):
    lines, names = page.section("memory", "Memory")
    if not lines:
        return
    page.add("Private memory of the process per idle client, from 500 to 10,000 of them.")
    keys = keys_of(lines)
    heads = ["clients", "after", "beside PgBouncer", *(f"{names[key]}, KiB" for key in keys)]
    rows = []
    for line in lines:
        it = ratio(line, "bytes")
        row = ["TLS" if line["labels"]["transport"] == "tls" else "plain", line["labels"]["after"]]
        row.append(f"**{it[0]:.2f}**")
        rows.append(row + [figure(median(line, key, "bytes") / 1024, 2) for key in keys])
    page.add(table(heads, rows))


def write_seeds(page):
    lines, names = page.section("seeds", "Many clients, few servers")
    if lines:
        page.add(both_tables(lines, names, ("clients", "servers")))
    lines, names = page.section("servers", "Number of servers")
    if lines:
        page.add(
            "256 clients, simple queries, on a server that answers at once: what more connections"
            " to it bring when the pooler is what is scarce."
        )
        page.add(both_tables(lines, names, ("servers",)))
        sizes = [line["labels"]["servers"] for line in lines]
        series = {names[key]: [median(it, key, "rate") for it in lines] for key in keys_of(lines)}
        title = "Throughput, 256 clients"
        chart = Chart(title, "queries/s", sizes, series, "servers")
        page.plot("servers", chart.lines(), title)


def write_routing(page):
    lines, _ = page.section("routing", "Routing")
    if not lines:
        return
    page.add(
        "The same statement, which names its key, for a database on one server (`app`) and for one"
        " on two shards; a known shape, 64 clients. What routing adds is the difference of two"
        " runs that were neighbours in time: of all CPU, and of the program's own, in which"
        " routing happens; medians, and half of all runs in parentheses. Two shards have twice as"
        " many servers, which moves the kernel's part."
    )
    heads = ["statement", "own µs more", "CPU µs more", "CPU µs, one server"]
    heads.append("CPU µs, two shards")
    rows = []
    for line in lines:
        differences = [added(line, field) for field in ("user", "cpu")]
        rows.append(
            [line["labels"]["statement"]]
            + [f"**{it[0]:.2f}** ({it[1]:.2f} to {it[2]:.2f})" for it in differences]
            + [figure(median(line, key, "cpu"), 2) for key in ("app", "sharded")]
        )
    page.add(table(heads, rows))


def write_postgres(page):
    lines, names = page.section("postgres", "With PostgreSQL and pgbench")
    if not lines:
        return
    page.add("16,000 times `select 1` by pgbench; CPU includes logins.")
    keys = keys_of(lines)
    heads = ["mode", "clients", "CPU beside PgBouncer", "queries/s beside PgBouncer"]
    heads += [f"{names[key]}, CPU µs" for key in keys]
    heads += [f"{names[key]}, queries/s" for key in keys]
    rows = [
        [line["labels"]["mode"], line["labels"]["clients"]]
        + [ratio_text(ratio(line, "cpu")), ratio_text(ratio(line, "rate"))]
        + [figure(median(line, key, "cpu")) for key in keys]
        + [figure(median(line, key, "rate"), 0) for key in keys]
        for line in lines
    ]
    page.add(table(heads, rows))


def write_counted(page):
    lines, _ = page.section("counted", "Counted")
    if not lines:
        return
    page.add(
        "What pgweir itself executes per query, counted by callgrind with 16 clients; the kernel's"
        " work is not in it, nor what timers do. Unlike times, these hardly depend on the machine"
        " or on what else it does. Threads run one at a time there, so waiting for locks is not"
        " counted."
    )
    whats = list(lines[0]["runs"][OURS][0])
    rows = [
        [line["labels"]["mode"], line["labels"]["workers"]]
        + [
            figure(line["runs"][OURS][0][what], 0 if what == "instructions" else 2)
            for what in whats
        ]
        for line in lines
    ]
    page.add(table(["mode", "workers", *whats], rows))


def write_profile(page):
    lines, names = page.section("profile", "Where the time goes")
    if not lines:
        return
    page.add(
        "CPU µs per query by perf, simple queries unless it says otherwise. *Sending* is send(2):"
        " on the loopback it carries the bytes through the receiver's half of the network stack,"
        " too, and wakes the receiver. *Own* is the program itself."
    )
    parts = [part for part in next(iter(lines[0]["runs"].values()))[0] if part not in ("cpu", "user")]
    rows = []
    for line in lines:
        for key, (one,) in line["runs"].items():
            row = [line["labels"]["load"], names[key], figure(one["cpu"], 2)]
            for part in parts:
                row.append(f"{figure(one[part], 2)} ({one[part] / one['cpu']:.0%})")
            rows.append([*row, f"{figure(one['user'], 2)} ({one['user'] / one['cpu']:.0%})"])
    page.add(table(["load", "who", "CPU µs", *parts, "own"], rows))


def write_introduction(page):
    about = next(iter(page.results.values()))["about"]
    dates = sorted({result["about"]["date"] for result in page.results.values()})
    commits = sorted({result["about"]["commit"] for result in page.results.values()})
    page.add(
        "# Benchmarks",
        'Written by `make bench`: do not edit. `make bench BENCH="tls churn --write"` measures some'
        " groups again, and other poolers join in by `BENCH_OTHERS`: see `Benchmarks/bench.py`.",
        table(
            ["what", "which"],
            [
                ["machine", about["machine"]],
                ["pgweir", f"{about['pgweir']}, commit {', '.join(commits)}"],
                ["beside", f"{about['pgbouncer']}, one process; relays that only copy"],
                ["date", " to ".join(dict.fromkeys((dates[0], dates[-1])))],
                [
                    "runs",
                    f"{about['rounds']} of each, in turn, {about['seconds']} s each after a warm-up"
                    " of 0.2 s",
                ],
                ["load average, at the start and after", ", ".join(map(str, about["load"]))],
            ],
        ),
        "**How to read it.** Ratios come first: below 1, pgweir needs less. A ratio is taken from"
        " two runs that were neighbours in time; shown is the median of all rounds, and in"
        " parentheses the least and the most. Figures beside it are medians too. The load"
        " generator, the server and the pooler share the machine, so absolute figures move with"
        " it, and throughput is that of all three together. CPU is the pooler's process, user and"
        " system, all threads, from the scheduler's own count.",
        "**What is in it.** Poolers run with one thread, 20 servers, transaction mode, no"
        " passwords, and do not log logins, unless it says otherwise. The server is"
        " `Benchmarks/tools/null_backend.c`, which answers at once; clients are"
        " `Benchmarks/tools/load.c`, which asks again as soon as it has its answer. The relays are"
        " the floor: they copy bytes between clients and servers and look at six of them. A query"
        " is `select 1`; *extended* is Parse, Bind, Describe, Execute, Sync, and *prepared* the"
        " same without Parse.",
    )
    if page.results and not about["canPrepare"]:
        page.add(
            f"{about['pgbouncer']} cannot do prepared statements in transaction mode (1.21 can), so"
            " there is no ratio for them."
        )


def write_targets(page):
    rows, missed = verdicts(page.results, ratio, median)
    if rows:
        page.add("## Targets", table(["what", "target", "measured", "verdict"], rows))
    if missed:
        page.add("### Why some are missed")
        page.add(*(why(page.results, ratio) for group, why in REASONS.items() if group in missed))


def write(results, folder):
    """Writes Benchmarks.md and the plots into `folder`."""
    page = Page(results, folder)
    write_introduction(page)
    write_targets(page)
    write_queries(page)
    write_transports(page)
    write_workers(page)
    write_churn(page)
    write_large(page)
    write_memory(page)
    write_seeds(page)
    write_routing(page)
    write_postgres(page)
    write_counted(page)
    write_profile(page)
    (folder / "Benchmarks.md").write_text("\n\n".join(page.parts) + "\n")
