"""Clients of a sharded database, each beside a session with one PostgreSQL that has all the rows.

Both are sent the same; the answers must be the same, or pgweir refuses with 0A000. Each client has
keys of its own, so that many can run at once and still know what they must see.
"""

import random
import struct
import uuid
from datetime import date, timedelta

from .sharded_statements import KEY, Writer
from .wire import (
    COPY_DONE,
    SYNC,
    Client,
    bind,
    close,
    copy_data,
    describe,
    execute,
    frame,
    parse,
    query,
    text,
)

KEYS_PER_CLIENT = 4
ABORT = "select 1 / 0"
"""What the other side runs in the place of what was refused."""


class Kind:
    """A type of key: its values, and how they can be written."""

    def __init__(self, name, columns, shard_count):
        self.name, self.columns, self.shard_count = name, columns, shard_count
        self.types = columns.split()

    def key(self, number):
        """The key with this number, as PostgreSQL writes it: one text per column."""
        rng = random.Random(number)
        one = {
            "bigint": lambda: str(rng.choice([number, -number, number + 2**40])),
            "text": lambda: rng.choice([f"tenant {number}", f"Ä{number}", f"o'{number}", f"{number}"]),
            "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128))),
            "date": lambda: (date(1990, 1, 1) + timedelta(days=number * 7)).isoformat(),
        }
        return tuple(one[type]() for type in self.types)

    def binary(self, value, type):
        """As a parameter in binary form."""
        if type == "bigint":
            return struct.pack("!q", int(value))
        if type == "uuid":
            return uuid.UUID(value).bytes
        if type == "date":
            return struct.pack("!i", (date.fromisoformat(value) - date(2000, 1, 1)).days)
        return value.encode()


OIDS = {"bigint": 20, "text": 25, "uuid": 2950, "date": 1082}
KINDS = [
    Kind("bigint", "bigint", 3),
    Kind("text", "text", 2),
    Kind("uuid", "uuid", 2),
    Kind("date", "date", 3),
    Kind("pair", "bigint text", 2),
]


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


class Parameters:
    """Values for Bind, collected while a statement is written."""

    def __init__(self):
        self.values = []

    def add(self, value, type, binary, declared):
        self.values.append((value, type, binary, declared))
        return f"${len(self.values)}"


class KeyedWriter(Writer):
    """Statements of one client over its keys."""

    def __init__(self, rng, kind, keys):
        self.rng, self.kind, self.keys = rng, kind, keys
        self.key = keys[0]
        self.parameters = None
        """Where values go that are not written; None = all are."""
        self.strays = 0.1
        self.is_sure = False

    def spelled(self, value, type):
        """One value in some notation."""
        if self.parameters is not None and self.chance(0.7):
            number = self.parameters.add(
                value, type, self.chance(0.5), self.chance(0.5) or self.chance(0.5)
            )
            return number if self.chance(0.7) else f"{number}::{type}"
        plain = quoted(value)
        forms = [plain, plain, f"E{plain}", f"{plain}::{type}", f"cast({plain} as {type})"]
        forms += [f"{type} {plain}", f"$x${value}$x$"]
        if type == "bigint":
            forms += [value] * 4 + [f"({value})::bigint", f"' {value} '", f"({value})"]
        if type == "uuid":
            forms += [quoted(value.upper()), quoted("{" + value + "}")]
            forms += [quoted(value.replace("-", ""))]
        if type == "date" and not self.is_sure:
            forms += [quoted(value.replace("-", ""))]
            forms += [quoted(date.fromisoformat(value).strftime("%B %d, %Y"))]
            forms += [quoted(date.fromisoformat(value).strftime("%Y/%m/%d"))]
        return self.rng.choice(forms)

    def some_key(self):
        return self.rng.choice(self.keys) if self.chance(self.strays) else self.key

    def value(self):
        return self.spelled(self.some_key()[0], self.kind.types[0])

    def values(self):
        """A whole key for VALUES."""
        return ", ".join(
            self.spelled(value, type) for value, type in zip(self.some_key(), self.kind.types)
        )

    def surely(self, prefix=""):
        """A condition that nobody may refuse."""
        names = [f"{prefix}{it}" for it in self.key_columns("orders")]
        return " and ".join(
            f"{name} = {self.spelled(value, type)}"
            for name, value, type in zip(names, self.key, self.kind.types)
        )

    def key_columns(self, table):
        return [KEY[table], "region"][: len(self.kind.types)]

    def is_key(self, column):
        if len(self.kind.types) == 1:
            if self.chance(0.05):
                return f"{column} = null"
            if self.chance(0.05):
                both = "{" + ",".join('"' + it[0].replace('"', '\\"') + '"' for it in self.keys[:2])
                return f"{column} = any ({quoted(both + '}')})"
            return super().is_key(column)
        other = column.rpartition(".")[0]
        region = f"{other}.region" if other else "region"
        first, second = (
            self.spelled(value, type) for value, type in zip(self.some_key(), self.kind.types)
        )
        return f"{column} = {first} AND {region} = {second}"

    def write(self):
        table = self.pick("orders", "items")
        columns = ", ".join(self.key_columns(table))
        own = self.is_key(f"{table}.tenant_id")
        of_t = ", ".join(f"t.{it}" for it in self.key_columns(table))
        region = "" if len(self.kind.types) == 1 else f" AND {table}.region = users.region"
        return self.pick(
            lambda: f"UPDATE {table} SET x = x + 100 WHERE {own}",
            lambda: f"DELETE FROM {table} WHERE {own}",
            lambda: f"UPDATE {table} SET x = {table}.x + 1 FROM users"
            f" WHERE {table}.tenant_id = users.id{region} AND {own}",
            lambda: f"DELETE FROM {table} USING users"
            f" WHERE {table}.tenant_id = users.id{region} AND {own}",
            lambda: f"INSERT INTO {table} ({columns}, x) VALUES ({self.values()}, 1)",
            lambda: f"INSERT INTO {table} (x, {columns}) VALUES (1, {self.values()}),"
            f" (2, {self.values()}) RETURNING x",
            lambda: f"INSERT INTO {table} ({columns}, x) SELECT {of_t}, 7 FROM items t"
            f" WHERE {self.is_key('t.tenant_id')} AND t.x < 3",
            lambda: f"INSERT INTO {table} ({columns}, x) SELECT {self.values()}, 8 FROM plans t",
            lambda: f"WITH gone AS (DELETE FROM {table} WHERE {own} RETURNING x)"
            " SELECT count(*) FROM gone",
        )()

    def sure(self):
        """A statement that the contract says is supported, about `self.key` only."""
        columns = ", ".join(self.key_columns("orders"))
        key = lambda: ", ".join(  # noqa: E731
            self.spelled(value, type) for value, type in zip(self.key, self.kind.types)
        )
        return self.pick(
            lambda: f"select * from orders where {self.surely()}",
            lambda: f"select count(*), sum(x) from items where {self.surely()} and x < 50",
            lambda: f"insert into orders ({columns}, x, note) values ({key()}, 3, 'sure')",
            lambda: f"insert into items ({columns}, x) values ({key()}, 1), ({key()}, 2)",
            lambda: f"update orders set note = note || '.' where {self.surely()}",
            lambda: f"delete from items where {self.surely()} and x > 90",
            lambda: f"select o.x, i.x from orders o join items i using ({columns})"
            f" where {self.surely('o.')}",
            lambda: f"select o.x, p.x from orders o left join plans p on p.id = o.x"
            f" where {self.surely('o.')}",
            lambda: f"select count(*) from (select x from orders where {self.surely()}) d",
        )()

    def purge(self, key):
        """Takes a key's rows away."""
        return [
            f"delete from {table} where "
            + " and ".join(
                f"{name} = {quoted(value)}" for name, value in zip(self.key_columns(table), key)
            )
            for table in ("orders", "items")
        ]


class Statement:
    """One statement: its text for pgweir, for the other side, and its parameters."""

    def __init__(self, sql, parameters=None, other=None, name=None, sure=False):
        self.sql, self.other = sql, sql if other is None else other
        self.parameters = parameters
        self.name, self.sure = name, sure

    def values(self, kind):
        values, formats = [], []
        for value, type, binary, _ in self.parameters.values if self.parameters else []:
            formats.append(int(binary))
            values.append(
                None if value is None else kind.binary(value, type) if binary else value.encode()
            )
        return values, formats

    def types(self):
        return [
            OIDS[type] if declared or binary else 0
            for _, type, binary, declared in (self.parameters.values if self.parameters else [])
        ]

    def frames(self, kind, sql, first=True):
        """Parse, Bind, Describe, Execute."""
        values, formats = self.values(kind)
        body = text("") + text(self.name or "") + struct.pack("!H", len(formats))
        body += b"".join(struct.pack("!H", it) for it in formats)
        body += struct.pack("!H", len(values))
        for value in values:
            length = -1 if value is None else len(value)
            body += struct.pack("!i", length) + (value or b"")
        frames = [] if self.name else [parse(sql, types=self.types())]
        return b"".join([*frames, frame("B", body + struct.pack("!H", 0)), describe(), execute()])


class Unit:
    """What is answered by one ReadyForQuery: a Query, or a batch with its Sync."""

    def __init__(self, statements, is_simple, data=None):
        self.statements, self.is_simple = statements, is_simple
        self.data = data
        """Of a COPY FROM STDIN."""

    def bytes(self, kind):
        if self.is_simple:
            out = query(self.statements[0].sql)
        else:
            out = b"".join(it.frames(kind, it.sql) for it in self.statements) + SYNC
        if self.data is not None:
            out += copy_data(self.data) + COPY_DONE
        return out

    def other_bytes(self, kind, failed_at):
        if self.is_simple:
            if failed_at is not None:
                return query(ABORT)
            out = query(self.statements[0].other)
        else:
            out = b""
            for index, statement in enumerate(self.statements):
                if index == failed_at:
                    out += parse(ABORT) + bind() + execute()
                else:
                    out += statement.frames(kind, statement.other)
            out += SYNC
        if self.data is not None:
            out += copy_data(self.data) + COPY_DONE
        return out


def seen(messages):
    """What both sides must agree on."""
    found, rows = [], []
    for tag, what in messages:
        if tag in "DdH":
            rows.append(what)
            continue
        found += sorted(map(repr, rows))
        rows = []
        if tag == "E":
            found.append((tag, what["C"]))
        elif tag in "CZ":
            found.append((tag, what))
        elif tag in "123nIsG":
            found.append(tag)
    return found


def failed_index(unit, messages):
    """Which statement of the unit the refusal is about."""
    return sum(1 for tag, _ in messages if tag in "CI") if not unit.is_simple else 0


class Mismatch(AssertionError):
    pass


class Twin:
    """One client, and what it must see."""

    def __init__(self, seed, kind, keys, homes, port, user, password, database, other_port, other):
        self.rng = random.Random(seed)
        self.kind, self.keys, self.homes = kind, keys, homes
        self.pooled = Client(port, timeout=20)
        self.pooled.login(user, password, database)
        self.direct = Client(other_port, timeout=20)
        self.direct.login(user, password, other)
        self.writer = KeyedWriter(self.rng, kind, keys)
        self.counts = dict.fromkeys(("statements", "refused", "sure", "rows", "changed"), 0)
        self.refusals = {}
        self.prepared = []
        self.log = []

    def chance(self, part):
        return self.rng.random() < part

    # Units.

    def statement(self, parameters=True, sure=None):
        writer = self.writer
        writer.parameters = Parameters() if parameters else None
        if sure is None:
            sure = self.chance(0.5)
        writer.is_sure = sure
        if sure:
            sql = writer.sure()
        else:
            sql = writer.select() if self.chance(0.6) else writer.write()
        statement = Statement(sql, writer.parameters, sure=sure)
        writer.parameters = None
        return statement

    def unit(self, sure=None):
        """Some statement, in some form."""
        style = self.rng.random()
        if style < 0.35:
            return Unit([self.statement(parameters=False, sure=sure)], True)
        if style < 0.45:
            return self.copy(sure)
        if style < 0.65 and self.prepared:
            return Unit([self.execution(sure) for _ in range(self.rng.choice([1, 1, 2]))], False)
        count = self.rng.choice([1, 1, 1, 2, 4])
        return Unit([self.statement(sure=sure) for _ in range(count)], False)

    def execution(self, sure):
        """A prepared statement with a key."""
        name, types = self.rng.choice(self.prepared)
        parameters = Parameters()
        for value, type in zip(self.writer.key, self.kind.types):
            is_null = sure is False and self.chance(0.1)
            parameters.add(None if is_null else value, type, types[0] and self.chance(0.5), False)
        return Statement(f"execution of {name}", parameters, name=name, sure=not parameters_null(parameters))

    def copy(self, sure):
        """COPY with a hint."""
        if any(not it.isascii() or "'" in it or " " in it for it in self.writer.key):
            return Unit([self.statement(parameters=False, sure=sure)], True)
        key = ",".join(self.writer.key)
        columns = ", ".join(self.writer.key_columns("items"))
        if self.chance(0.5):
            sql = f"/* pgweir: key={key} */ copy items ({columns}, x) from stdin"
            line = "\t".join(self.writer.key)
            data = "".join(f"{line}\t{self.rng.randrange(3)}\n" for _ in range(self.rng.randrange(4)))
            return Unit([Statement(sql, sure=True)], True, data)
        self.writer.is_sure = True
        sql = f"copy (select x from items where {self.writer.surely()}) to stdout"
        return Unit([Statement(sql, sure=True)], True)

    def choose_key(self, same_home=None):
        keys = self.keys
        if same_home is not None:
            keys = [key for key in keys if self.homes[key] == self.homes[same_home]]
        self.writer.key = self.rng.choice(keys)

    def prepare(self):
        """Prepares a few statements under names, once."""
        columns = self.writer.key_columns("orders")
        names = [f"p{index}" for index in range(4)]
        where = " and ".join(f"{column} = ${n + 1}" for n, column in enumerate(columns))
        marks = ", ".join(f"${n + 1}" for n in range(len(columns)))
        texts = [
            f"select x, note from orders where {where}",
            f"insert into items ({', '.join(columns)}, x) values ({marks}, 1)",
            f"update orders set x = x + 1 where {where}",
            f"select count(*) from items i join orders o using ({', '.join(columns)}) where "
            + " and ".join(f"o.{column} = ${n + 1}" for n, column in enumerate(columns)),
        ]
        for name, sql in zip(names, texts):
            types = [OIDS[it] for it in self.kind.types] if self.chance(0.5) else []
            for side in (self.pooled, self.direct):
                side.send(parse(sql, name, types), SYNC)
                messages = side.until_ready()
                assert [tag for tag, _ in messages] == ["1", "Z"], messages
            # Without a declared type a value in binary form has no certain meaning.
            self.prepared.append((name, types or [0]))

    # Rounds.

    def round(self):
        """Some units, sent alone or many at once."""
        self.choose_key()
        kind = self.rng.random()
        if kind < 0.35:
            units = [self.unit() for _ in range(self.rng.choice([1, 1, 3]))]
            self.run(units, in_transaction=False)
        elif kind < 0.5:
            # Every statement for a key of its own, all at once.
            units = []
            for _ in range(self.rng.choice([2, 5, 9])):
                self.choose_key()
                units.append(self.unit())
            self.run(units, in_transaction=False, at_once=True)
        elif kind < 0.9:
            self.transaction()
        elif kind < 0.93:
            self.session_setting()
        elif kind < 0.96:
            self.hints()
        else:
            statements = self.writer.purge(self.rng.choice(self.keys))
            self.run([Unit([Statement(it, sure=True)], True) for it in statements], False)

    def transaction(self):
        """BEGIN … COMMIT with whatever comes to mind; it begins without a shard."""
        units, key = [], self.writer.key
        is_simple = self.chance(0.7)
        self.writer.strays = self.rng.choice([0, 0, 0.1])

        def say(sql, other=None, simple=None):
            simple = is_simple if simple is None else simple
            units.append(Unit([Statement(sql, other=other, sure=True)], simple))

        begin = self.rng.choice(["begin", "start transaction", "BEGIN ISOLATION LEVEL READ COMMITTED"])
        if is_simple or self.chance(0.5):
            say(begin)
        else:
            # In the batch of its first statement.
            units.append(Unit([Statement(begin, sure=True), self.statement(sure=True)], False))
        is_strict = self.chance(0.7)
        savepoints = 0
        is_hinted = False
        for _ in range(self.rng.randrange(1, 7)):
            what = self.rng.random()
            if what < 0.12:
                say(f"set local my.word = '{self.rng.randrange(9)}'")
            elif what < 0.2:
                say("savepoint a")
                savepoints += 1
            elif what < 0.26 and savepoints and not is_hinted:
                say(self.rng.choice(["rollback to a", "rollback to savepoint a"]))
            elif what < 0.3 and savepoints:
                say("release a")
                savepoints -= 1
            elif what < 0.36:
                say("select count(*) from plans")
            elif what < 0.42:
                say("select coalesce(current_setting('my.word', true), '')")
            elif what < 0.47 and is_strict and self.hint(key):
                say(f"set local pgweir.key = '{self.hint(key)}'", "set local my.hint = ''")
                is_hinted = True
            else:
                self.choose_key(key if is_strict else None)
                units.append(self.unit(sure=True if is_strict else None))
        say(self.rng.choice(["commit", "commit", "end", "rollback"]))
        self.run(units, in_transaction=True, at_once=self.chance(0.4), is_strict=is_strict)
        self.writer.strays = 0.1

    def hint(self, key):
        """A key as a hint says it."""
        if all(it.isascii() and it.replace("-", "").isalnum() for it in key):
            return ",".join(key)
        return None

    def session_setting(self):
        word = str(self.rng.randrange(100))
        units = [Unit([Statement(f"set my.word = '{word}'", sure=True)], self.chance(0.5))]
        self.choose_key()
        self.writer.is_sure = True
        sql = f"select current_setting('my.word'), x from orders where {self.writer.surely()}"
        units.append(Unit([Statement(sql, sure=True)], True))
        self.run(units, False, at_once=self.chance(0.5))

    def hints(self):
        """SET pgweir.key among savepoints and errors: it holds as long as any other setting does."""
        keys = [key for key in map(self.hint, self.keys) if key]
        if not keys:
            return
        units = []

        def say(sql, other=None):
            simple = self.chance(0.7)
            statement = Statement(sql, other=other)
            if not simple and units and not units[-1].is_simple and self.chance(0.4):
                units[-1].statements.append(statement)
            else:
                units.append(Unit([statement], simple))

        for _ in range(self.rng.randrange(3, 15)):
            key = self.rng.choice(keys)
            local = self.rng.choice(["", "local ", "session "])
            self.rng.choice(
                [
                    lambda: say(f"set {local}pgweir.key = '{key}'", f"set {local}my.key = '{key}'"),
                    lambda: say(f"set {local}pgweir.key = '{key}'", f"set {local}my.key = '{key}'"),
                    lambda: say("reset pgweir.key", "set my.key to default"),
                    lambda: say("reset all"),
                    lambda: say("begin"),
                    lambda: say("begin"),
                    lambda: say("commit"),
                    lambda: say("rollback"),
                    lambda: say("savepoint a"),
                    lambda: say("rollback to a"),
                    lambda: say("release a"),
                    lambda: say(ABORT),
                    lambda: say("select count(*) from plans"),
                    lambda: say(
                        "show pgweir.key", "select coalesce(current_setting('my.key', true), '')"
                    ),
                    lambda: say(
                        "show pgweir.key", "select coalesce(current_setting('my.key', true), '')"
                    ),
                ]
            )()
        for sql, other in (
            ("rollback", None),
            ("reset pgweir.key", "set my.key to default"),
            ("show pgweir.key", "select coalesce(current_setting('my.key', true), '')"),
        ):
            units.append(Unit([Statement(sql, other=other)], True))
        self.run(units, in_transaction=True, at_once=self.chance(0.4))

    # Running.

    def run(self, units, in_transaction, at_once=False, is_strict=False):
        """`is_strict`: all is about one shard, so that nothing may be refused."""
        status = "I"
        if at_once:
            self.pooled.send(*(unit.bytes(self.kind) for unit in units))
        for unit in units:
            if not at_once:
                self.pooled.send(unit.bytes(self.kind))
            messages = self.pooled.until_ready()
            self.log.append((unit.statements[0].sql, seen(messages)))
            codes = [what["C"] for tag, what in messages if tag == "E"]
            failed_at = failed_index(unit, messages) if codes[:1] == ["0A000"] else None
            self.count(unit, messages, failed_at, status, in_transaction, is_strict)
            self.direct.send(unit.other_bytes(self.kind, failed_at))
            wanted = self.direct.until_ready()
            mine, theirs = seen(messages), seen(wanted)
            if failed_at is not None:
                mine, theirs = mine[-1:], theirs[-1:]
            if mine != theirs:
                texts = "\n".join(f"{it.sql}  {it.parameters and it.parameters.values}" for it in unit.statements)
                raise Mismatch(f"{texts}\npgweir:  {messages[-6:]}\nshould:  {wanted[-6:]}")
            status = messages[-1][1]

    def count(self, unit, messages, failed_at, status, in_transaction, is_strict):
        self.counts["statements"] += len(unit.statements)
        self.counts["rows"] += sum(tag == "D" for tag, _ in messages)
        self.counts["changed"] += sum(
            tag == "C" and what[:6] in ("INSERT", "UPDATE", "DELETE") and not what.endswith(" 0")
            for tag, what in messages
        )
        if failed_at is None:
            return
        self.counts["refused"] += 1
        error = next(what for tag, what in messages if tag == "E")
        said = error["M"]
        self.refusals[said] = self.refusals.get(said, 0) + 1
        refused = unit.statements[failed_at]
        alone = len(unit.statements) == 1 and not in_transaction
        if refused.sure and status != "E" and (alone or is_strict):
            raise Mismatch(f"refused: {refused.sql}  {refused.parameters and refused.parameters.values}\n{error}")

    def close(self):
        self.pooled.abandon()
        self.direct.abandon()


def parameters_null(parameters):
    return any(value is None for value, *_ in parameters.values)
