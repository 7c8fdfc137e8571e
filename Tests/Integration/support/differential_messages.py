"""Random scripts for the differential test."""

import random
import re

from .differential import Script, Turn, turn  # noqa: F401
from .differential_statements import FEATURES, Names

NAMES = ["a", "b", "c", "d"]
INT4PL = 177


class Author:
    """Writes the messages of one client. All it knows is its own name and what it may use."""

    def __init__(self, client, chance, features):
        self.client, self.chance = client, chance
        self.features = features
        self.generation = 0
        self.count = 0
        self.statements = {}

    def names(self):
        """What statements may be about."""
        self.count += 1
        return Names(
            chance=self.chance,
            token=f"{self.client}.{self.generation}.{self.count}",
            table=f"items_{self.client}_{self.generation}",
            key=self.client * 100 + self.generation * 10 + self.chance.randrange(2),
        )

    def sql(self):
        return self.chance.choice(FEATURES[self.chance.choice(self.features)])(self.names())

    def turn(self, overlaps):
        chance = self.chance
        messages = []
        for _ in range(chance.choice([1, 1, 2, 2, 3, 5])):
            unit = chance.choice(self.units())()
            messages += unit
        kill = None
        if chance.random() < 0.04 and self.generation < 5:
            kill = chance.choice([chance.random(), 1.0]), chance.random() < 0.5
            self.generation += 1
            self.statements = {}
        cuts = ()
        if chance.random() < 0.4:
            cuts = tuple(round(chance.random(), 3) for _ in range(chance.choice([1, 2, 5])))
        return Turn(self.client, tuple(messages), cuts, overlaps, kill)

    def units(self):
        return [
            *[self.simple] * 6,
            self.several,
            *[self.unnamed] * 3,
            *[self.named] * 3,
            self.portal,
            self.pieces,
            self.copy_in,
            self.copy_out,
            self.function,
            self.sync,
        ]

    # Each returns messages.

    def simple(self):
        return [("Q", self.sql())]

    def several(self):
        return [("Q", "; ".join(self.sql() for _ in range(self.chance.choice([2, 3]))))]

    def sync(self):
        return [("S",)]

    def maybe(self, *messages, often=0.5):
        return list(messages) if self.chance.random() < often else []

    def end(self):
        """Most often Sync, now and then Flush, or nothing: more follows in the same batch."""
        return self.chance.choice([[("S",)]] * 8 + [[("H",)], []])

    def parameterised(self):
        """(text, count of parameters)"""
        if self.chance.random() < 0.5:
            return self.sql(), 0
        names = self.names()
        return self.chance.choice(
            [
                (f"select $1::text, '{names.token}'", 1),
                ("select $1::int + $2::int", 2),
                ("select 10 / $1::int", 1),
                (f"select n, $1::text from generate_series(1, {self.chance.randrange(9)}) n", 1),
                (f"insert into {names.table} values (default, $1)", 1),
                (f"select count(*) from {names.table} where words <> $1", 1),
                ("select set_config('my.a', $1, false)", 1),
                ("select set_config($1, $2, $3::boolean)", 3),
                ("selec $1", 1),
            ]
            if "parameters" in self.features or "commits" not in self.features
            else [(f"select $1::text, '{names.token}'", 1), ("select 1 / $1::int", 1)]
        )

    def values(self, text, count):
        if "set_config($1" in text:
            name, value = self.chance.choice(
                [("work_mem", "3MB"), ("my.b", "x"), ("timezone", "Asia/Tokyo"), ("nowhere", "1")]
            )
            return [name, value, self.chance.choice(["t", "f"])]
        if self.chance.random() < 0.07 and "mine" not in text:
            # With a wrong count nothing says that the temporary table has gone: only a server
            # that has to parse the statement first says that.
            count += self.chance.choice([-1, 1])
        return [str(self.chance.randrange(3)) for _ in range(max(count, 0))]

    def unnamed(self):
        text, count = self.parameterised()
        return [
            ("P", text),
            *self.maybe(("D", "S"), often=0.2),
            *self.maybe(("S",), often=0.1),
            ("B", self.values(text, count)),
            *self.maybe(("D",)),
            ("E", "", self.chance.choice([0, 0, 0, 2])),
            *self.end(),
        ]

    def own(self, name, text, count):
        """(name, text that only this name has, count of parameters), see differential_known."""
        if not re.match("select|selec|insert|update|delete", text):
            # No EXECUTE names it: of commands, and above all of those about transactions, that
            # makes PostgreSQL end the connection, or crash.
            name = "d"
        return name, f"{text} /* {name} */", count

    def named(self):
        """Parses a name, or uses or closes one that may be there, or not."""
        name = self.chance.choice(NAMES)
        known = self.statements.get(name)
        if known is None or self.chance.random() < 0.1:
            name, text, count = self.own(name, *self.parameterised())
            self.statements.setdefault(name, (text, count))
            return [("P", text, name), *self.maybe(("D", "S", name)), *self.end()]
        text, count = known
        what = self.chance.random()
        if what < 0.15:
            del self.statements[name]
            return [("C", "S", name), *self.end()]
        if what < 0.25:
            return [("D", "S", name), *self.end()]
        return [("B", self.values(text, count), name), ("E",), *self.end()]

    def portal(self):
        """A portal of its own name, read in parts, perhaps over several Syncs."""
        name, portal = self.chance.choice(["", *NAMES]), self.chance.choice(["", "p", "q"])
        text, count = self.statements.get(name, ("select n from generate_series(1, 9) n", 0))
        messages = [("P", text)] if name == "" else []
        messages.append(("B", self.values(text, count), name, portal))
        for _ in range(self.chance.randrange(4)):
            messages += self.chance.choice(
                [
                    [("E", portal, self.chance.choice([0, 2, 3]))],
                    [("D", "P", portal)],
                    [("C", "P", portal)],
                    [("H",)],
                    [("S",)],
                ]
            )
        return messages + self.end()

    def pieces(self):
        """Messages that may not fit together."""
        name = self.chance.choice(["", *NAMES, "p", "nowhere"])
        owner, text, _ = self.own(name, self.sql(), 0)
        return [
            self.chance.choice(
                [
                    ("B", [], name),
                    ("D", "S", name),
                    ("D", "P", name),
                    # Not the portal without a name: PostgreSQL 15 crashes when what it holds is of
                    # an earlier batch, and the transaction has failed since then.
                    ("E", name or "p"),
                    ("C", "S", name),
                    ("C", "P", name),
                    ("P", text, owner),
                    ("H",),
                ]
            ),
            *self.end(),
        ]

    def function(self):
        return [
            self.chance.choice(
                [
                    ("F", INT4PL, [b"\0\0\0\2", b"\0\0\0\3"]),
                    ("F", INT4PL, [b"\0\0\0\2"]),
                    ("F", 999_999, []),
                ]
            )
        ]

    def run(self, text):
        """Simple or extended."""
        if self.chance.random() < 0.5:
            return [("Q", text)], []
        return [("P", text), ("B", []), ("E",)], [("S",)]

    def copy_in(self):
        names = self.names()
        target = self.chance.choice([f"{names.table} (words)", names.table, "nowhere"])
        messages, sync = self.run(f"copy {target} from stdin")
        rows = [("d", f"{names.token}\n") for _ in range(self.chance.randrange(4))]
        if self.chance.random() < 0.3:
            rows.append(("d", "not\ta\tgood\trow\n"))
        elif sync and "(" in target:
            # Syncs within a copy are ignored.
            rows += self.maybe(("S",), often=0.2)
        end = self.chance.choice([("c",), ("c",), ("f", "no more")])
        return [*messages, *rows, end, *sync]

    def copy_out(self):
        names = self.names()
        source = self.chance.choice(
            [names.table, f"(select '{names.token}')", "(select 1/0)", "nowhere"]
        )
        messages, sync = self.run(f"copy {source} to stdout")
        return messages + sync


def random_script(seed):
    """The script of `seed`."""
    chance = random.Random(seed)
    clients = chance.randrange(3, 7)
    authors = []
    for client in range(clients):
        chosen = chance.sample(sorted(FEATURES), chance.randrange(2, 7))
        authors.append(Author(client, chance, ["plain", *chosen]))
    turns = []
    for _ in range(clients * chance.randrange(6, 16)):
        author = chance.choice(authors)
        turns.append(author.turn(overlaps=chance.random() < 0.3))
    return Script(tuple(turns), servers=chance.choice([1, 1, 2]), has_noise=chance.random() < 0.3)
