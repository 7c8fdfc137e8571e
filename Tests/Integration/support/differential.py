"""Scripts of messages for the differential test, and what a difference is.

A script is turns; a turn is one client's messages, sent without waiting, and then all their
answers. Nothing here is random (see differential_messages) or does I/O (see differential_run).
"""

from dataclasses import dataclass, field, replace

from . import wire

ENCODERS = {
    "Q": wire.query,
    "P": wire.parse,
    "B": wire.bind,
    "D": wire.describe,
    "E": wire.execute,
    "C": wire.close,
    "F": wire.function_call,
    "d": wire.copy_data,
    "c": lambda: wire.COPY_DONE,
    "f": wire.copy_fail,
    "S": lambda: wire.SYNC,
    "H": lambda: wire.FLUSH,
    "X": lambda: wire.TERMINATE,
}

TOO_LATE = "25001"  # SET TRANSACTION ISOLATION LEVEL must be called before any query
IN_FAILED_TRANSACTION = "25P02"


@dataclass(frozen=True)
class Turn:
    """Messages of one client: tuples of the tag and what the function in `wire` takes."""

    client: int
    messages: tuple
    cuts: tuple = ()
    """Where the bytes are cut into writes of their own, in parts of their whole."""
    overlaps: bool = False
    """The next turn begins without waiting for this one's answers."""
    kill: tuple | None = None
    """(part of the bytes that is sent before the client dies, whether it resets)."""

    def __str__(self):
        more = f", cuts={self.cuts!r}" if self.cuts else ""
        more += ", overlaps=True" if self.overlaps else ""
        more += f", kill={self.kill!r}" if self.kill else ""
        lines = "".join(f"        {message!r},\n" for message in self.messages)
        return f"    turn(\n        {self.client},\n{lines}    {more and more[2:]}),\n"

    def bytes(self):
        data = encoded(self.messages)
        # What was not asked for by Sync, Query or FunctionCall comes at a Flush.
        ends = self.messages and self.messages[-1][0] in "QFX"
        return data if ends or self.kill else data + wire.FLUSH

    def pieces(self, cuts_first_only=False):
        """The bytes as they are written; cut anywhere, or in the first message only."""
        data = self.bytes()
        count = len(encoded(self.messages[:1])) if cuts_first_only else len(data)
        places = [0, *sorted({int(part * count) for part in self.cuts} - {0}), len(data)]
        return [data[a:b] for a, b in zip(places, places[1:], strict=False)]


def encoded(messages):
    return b"".join(ENCODERS[tag](*more) for tag, *more in messages)


def turn(client, *messages, **more):
    return Turn(client, messages, **more)


@dataclass(frozen=True)
class Script:
    turns: tuple
    servers: int = 1
    has_noise: bool = False
    """Whether others use the pool meanwhile."""

    def __str__(self):
        noise = ", has_noise=True" if self.has_noise else ""
        return f"script(\n{''.join(map(str, self.turns))}    servers={self.servers}{noise},\n)"

    def with_turns(self, turns):
        return replace(self, turns=tuple(turns))

    @property
    def clients(self):
        return sorted({turn.client for turn in self.turns})


def script(*turns, **more):
    return Script(turns, **more)


@dataclass
class Difference(Exception):
    """What a turn was answered by PostgreSQL and through the pooler."""

    kind: str
    turn: Turn
    wanted: list = field(default_factory=list)
    got: list = field(default_factory=list)
    status: str = "I"
    """Of the transaction, before the turn."""

    @property
    def is_known(self):
        """A statement that Parse has named is used in a failed transaction, on a server that does
        not have it yet: what PostgreSQL would still do, or complain of first, is an error.

        Or an EXECUTE was parsed before what it names, and is described behind it: PostgreSQL goes
        on to say what it knew at the Parse. Or what it names is gone: PostgreSQL knew of rows, and
        looks for what they are.

        Or a batch begins a transaction block with an isolation level, and we had to parse something
        for it before, or had not to parse what it parses: to PostgreSQL that is a query.

        Or what an EXECUTE names is read again by the server, and fails: where, is said of its own
        text, which is not the one that we have put our names in. Or its server does not have it,
        and it cannot be parsed any more: PostgreSQL says why, and here it is not there."""
        wanted, got = self.first()
        if self.kind == "differs" and wanted and got and wanted[0] == got[0] == "E":
            is_of_execute = "execute" in str(self.turn)
            if {**wanted[1], "P": got[1].get("P")} == got[1] and is_of_execute:
                return True
            if got[1].get("R") == "FetchPreparedStatement" and is_of_execute:
                return True
        failed = [it[1] for it in (wanted, got) if it and it[0] == "E"]
        if self.kind == "differs" and wanted and got and len(failed) == 1:
            if failed[0].get("C") == TOO_LATE:
                return True
        if self.kind == "differs" and {wanted and wanted[0], got and got[0]} == {"n", "T"}:
            return True
        if self.kind == "differs" and got and got[0] == "n" and failed:
            return failed[0].get("R") == "FetchPreparedStatement"
        if self.kind != "differs" or got is None or got[0] != "E":
            return False
        if IN_FAILED_TRANSACTION not in {it[1].get("C") for it in (wanted, got) if it and it[0] == "E"}:
            return False
        before = self.wanted[: self.first_place()]
        return next((it for tag, it in reversed(before) if tag == "Z"), self.status) == "E"

    def signature(self):
        """What has to stay the same while a script is made shorter."""
        if self.kind != "differs":
            return (self.kind,)
        wanted, got = self.first()
        return self.kind, brief(wanted), brief(got)

    def first(self):
        """The first pair of messages that differ; None where one of them is missing."""
        place = self.first_place()
        return next(iter(self.wanted[place:]), None), next(iter(self.got[place:]), None)

    def first_place(self):
        pairs = zip(self.wanted, self.got, strict=False)
        shorter = min(len(self.wanted), len(self.got))
        return next((n for n, (wanted, got) in enumerate(pairs) if wanted != got), shorter)

    def __str__(self):
        lines = [f"{self.kind}, at the turn", str(self.turn)]
        for name, trace in (("PostgreSQL", self.wanted), ("the pooler", self.got)):
            lines.append(f"{name}:")
            lines += [f"    {str(message)[:300]}" for message in trace[-40:]]
        return "\n".join(lines)


def brief(message):
    """The tag, and of errors their code."""
    if message is None or message[0] != "E":
        return message and message[0]
    return message[0], message[1].get("C")
