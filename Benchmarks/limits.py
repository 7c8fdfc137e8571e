"""What things may cost at most. Tests/Integration/test_costs.py and test_costs_micro.py count them.

Whoever makes one dearer raises its limit here and says why in the commit; whoever makes one cheaper
lowers it.
"""

import warnings
from dataclasses import asdict

from callgrind import Cost

OPERATIONS = {
    "lexer": Cost(2_600),
    "scanner": Cost(3_500, retains=1, releases=4),
    "shape": Cost(2_830, releases=1),
    "route": Cost(4_180, retains=5, releases=6),
    "frames": Cost(5_400),
    "ledger": Cost(205),
    "checkout": Cost(285),
    "hash-int8": Cost(108),
    "hash-text": Cost(375),
    "hash-uuid": Cost(375),
}
"""Of Benchmarks/Micro. Instructions: what was counted and 15 %."""

CONTROLS = {
    "allocation": {"allocations": 1, "retains": 0, "releases": 1},
    "retain": {"allocations": 0, "retains": 1, "releases": 1},
}
"""Of Benchmarks/Micro too, but known: to see that they are counted."""

MESSAGES = {
    "DataRow": Cost(30),
    "CopyData to the client": Cost(30),
    "CopyData from the client": Cost(170),
}
"""Messages that are passed on. Instructions: what was counted and 10 %."""

SLACK = {"allocations": 0.01, "retains": 0.01, "releases": 0.01}
"""How much more often something may be counted, by chance."""

QUERIES = {
    "simple": Cost(6_550, retains=2, releases=3),
    "extended": Cost(8_930, retains=4, releases=5),
    "prepared": Cost(10_100, retains=4, releases=4),
    "simple, 16 at once": Cost(2_590, retains=0.13, releases=0.2),
    "extended, 16 at once": Cost(4_960, retains=2.13, releases=2.2),
    "prepared, 16 at once": Cost(5_560, retains=2.13, releases=1.2),
    "simple, routed": Cost(9_300, retains=7, releases=9),
    "prepared, routed": Cost(12_370, retains=10, releases=11),
}
"""Queries, with one worker. Instructions: what was counted and 10 %."""

QUERY_SLACK = {"allocations": 0.01, "retains": 0.1, "releases": 0.1}
"""What the coming and going of clients costs is not quite the same each time."""

SECOND_WORKER = 1.1
"""Instructions of a query with two workers, beside those with one."""

ADVICE = "Make it cheaper, or change its limit in Benchmarks/limits.py and say why in the commit."
CHEAP, NOTHING = 0.6, 0.1
"""Parts of a limit on instructions: below the first it might be lower, below the second nothing was
counted."""
DEAREST = 8


def check(what, difference, limit, slack):
    """Fails if one `what` costs more than `limit` and `slack` allow, and says who makes it so dear.
    Warns if the limit might be lower."""
    cost, dear, cheap = asdict(difference.cost), [], []
    for kind, most in asdict(limit).items():
        told = f"{what}: {cost[kind]:,.2f} {kind}, allowed are {most:,.2f}"
        if cost[kind] > most + slack.get(kind, 0):
            dear.append(f"{told}. Most come from\n{difference.dearest(kind, DEAREST)}")
        elif cost[kind] < (most * CHEAP if kind == "instructions" else most - slack[kind]):
            cheap.append(told)
    assert not dear, "\n".join([*dear, ADVICE])
    assert cost["instructions"] > limit.instructions * NOTHING, f"{what} was not done at all"
    if cheap:
        warnings.warn(f"{'; '.join(cheap)}: lower it in Benchmarks/limits.py", stacklevel=2)
