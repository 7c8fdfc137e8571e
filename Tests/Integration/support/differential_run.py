"""Runs a script beside each other: with PostgreSQL itself and through the pooler.

What PostgreSQL answers says how much the pooler has to answer.
"""

import asyncio
import struct
import time

from . import differential, wire
from .differential import IN_FAILED_TRANSACTION, Difference

PATIENCE = 4.0
"""Seconds without any progress that are a hang."""
GRACE = 0.03
"""Seconds that a turn is waited for before the next client's begins: it may have to queue."""
REST = 0
"""Seconds between the turns of a client; when not 0, only first messages are cut."""
USER, DATABASE = "app", "differential"
LAST = [("f", "the end"), ("S",), ("Q", "rollback"), ("Q", "select 'the end'")]
"""What every client does last: it gets out of everything, and nothing may be left over."""


class Answers:
    """What PostgreSQL answers to each message. Knows only what ends an answer."""

    ENDS = {"P": "1E", "B": "2E", "D": "TnE", "C": "3E", "E": "CIsEG", "Q": "ZG", "F": "Z"}

    def __init__(self):
        self.skips = False
        self.copy = None

    async def read(self, tag, message):
        """Reads the answer to a message with `tag`; `message()` reads one and returns its tag."""
        if tag == "X":
            while True:
                await message()
        if self.copy:
            if tag in "dSH":
                return
            tag, self.copy = self.copy, None
        elif tag == "S":
            self.skips = False
            while await message() != "Z":
                pass
            return
        if self.skips or tag not in self.ENDS:
            return
        end = None
        while end is None or end not in self.ENDS[tag]:
            end = await message()
        if end == "G":
            self.copy = tag
        self.skips = end == "E"


class Line:
    """One connection, with PostgreSQL or the pooler."""

    def __init__(self, port, database):
        self.port, self.database = port, database
        self.writer = None

    async def open(self):
        """Logs in; returns what the client is told, but for what differs on purpose."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(wire.startup(USER, self.database))
        messages = []
        while not messages or messages[-1][0] != "Z":
            messages.append(await self.message())
            if messages[-1][0] == "E":
                break
        return sorted(it for it in messages if it[0] not in "KR")

    async def message(self):
        try:
            tag, length = struct.unpack("!cI", await self.reader.readexactly(5))
            body = await self.reader.readexactly(length - 4)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise wire.Closed from None
        return normal(tag.decode(), body)

    async def send(self, pieces):
        for piece in pieces:
            self.writer.write(piece)
            if len(pieces) > 1:
                # Each piece is to travel alone.
                await asyncio.sleep(0.0005)

    async def die(self, data, part, resets):
        self.writer.write(data[: int(part * len(data))])
        await asyncio.sleep(0.0005)
        self.close(resets)

    def close(self, resets=False):
        if self.writer and resets:
            self.writer.transport.abort()
        elif self.writer:
            self.writer.close()


def normal(tag, body):
    """A message without what differs from one server to another: identifiers of tables."""
    if tag != "T":
        tag, it = wire.decode(tag, body)
        if tag == "E" and it["C"] == IN_FAILED_TRANSACTION:
            # Whether Parse or Bind finds out depends on where the statement was parsed.
            it = {key: value for key, value in it.items() if key not in "FLR"}
        return tag, it
    columns, offset = [], 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(0, offset)
        table, *more = struct.unpack_from("!IHIhih", body, end + 1)
        columns.append((body[offset:end].decode(), bool(table), *more))
        offset = end + 19
    return tag, tuple(columns)


def in_order(messages):
    """Parameters reported one after the other, in the order of their names."""
    sorted_messages, run = [], []
    for message in messages:
        if message[0] == "S":
            run.append(message)
            continue
        sorted_messages += [*sorted(run), message]
        run = []
    return sorted_messages + sorted(run)


class Pair:
    """One client, twice: with PostgreSQL and through the pooler."""

    def __init__(self, direct_port, pooled_port, rest):
        self.direct = Line(direct_port, DATABASE + "_direct")
        self.pooled = Line(pooled_port, DATABASE)
        self.rest = rest

    async def open(self, turn=None):
        wanted, got = await asyncio.gather(self.direct.open(), self.pooled.open())
        self.answers, self.status = Answers(), "I"
        if wanted != got:
            raise Difference("login differs", turn, wanted, got)

    async def take(self, turn):
        """Does `turn` on both sides; raises a Difference."""
        if turn.kill:
            data = turn.bytes()
            await asyncio.gather(*(line.die(data, *turn.kill) for line in self.lines))
            return await self.open(turn)
        await asyncio.sleep(self.rest)
        pieces = turn.pieces(cuts_first_only=self.rest > 0)
        wanted, got = [], []
        # PostgreSQL itself must not close or hang: then it is the script that is wrong.
        kinds = "impossible", "impossible"
        try:
            await asyncio.gather(self.read_direct(turn, pieces, wanted), self.pooled.send(pieces))
            kinds = "closed", "hangs"
            await self.read_pooled(wanted, got)
        except wire.Closed:
            raise Difference(kinds[0], turn, in_order(wanted), in_order(got)) from None
        except asyncio.CancelledError:
            raise Difference(kinds[1], turn, in_order(wanted), in_order(got)) from None
        if in_order(got) != in_order(wanted):
            raise Difference("differs", turn, in_order(wanted), in_order(got), self.status)
        self.status = next((it for tag, it in reversed(wanted) if tag == "Z"), self.status)

    async def read_direct(self, turn, pieces, wanted):
        await self.direct.send(pieces)

        async def message():
            wanted.append(await self.direct.message())
            return wanted[-1][0]

        for tag, *_ in turn.messages:
            await self.answers.read(tag, message)

    async def read_pooled(self, wanted, got):
        ordered = in_order(wanted)
        while len(got) < len(wanted):
            got.append(await self.pooled.message())
            if got[-1][0] != "S" and in_order(got) != ordered[: len(got)]:
                return

    @property
    def lines(self):
        return self.direct, self.pooled

    def close(self, resets=False):
        for line in self.lines:
            line.close(resets)


class Run:
    """One script's run."""

    def __init__(self, script, direct_port, pooled_port, rest=REST):
        self.script = script
        self.ports = direct_port, pooled_port
        self.pairs = {client: Pair(*self.ports, rest) for client in script.clients}
        self.tasks = {}
        self.is_last = {}
        self.noise = []

    async def run(self):
        """Returns the Difference that was found, or None."""
        if self.script.has_noise:
            self.noise = [asyncio.create_task(self.make_noise(n)) for n in range(2)]
        try:
            for pair in self.pairs.values():
                async with asyncio.timeout(PATIENCE):
                    await pair.open()
            await self.take_turns()
        except TimeoutError:
            return Difference("hangs at login", None)
        except Difference as difference:
            return difference
        finally:
            found = await self.end()
        return found

    async def take_turns(self):
        last = [differential.turn(client, *LAST) for client in self.script.clients]
        waiting = [*self.script.turns, *last]
        while waiting or self.tasks:
            turn = next((it for it in waiting if it.client not in self.tasks), None)
            if turn is None:
                await self.wait(PATIENCE)
                continue
            waiting.remove(turn)
            self.tasks[turn.client] = asyncio.create_task(self.pairs[turn.client].take(turn))
            self.is_last[turn.client] = all(it.client != turn.client for it in waiting)
            if not turn.overlaps:
                await self.wait(GRACE, turn.client)

    async def wait(self, seconds, client=None):
        """Waits for the turn of `client`, or for anyone's; then it must not take longer."""
        awaited = list(self.tasks.values()) if client is None else [self.tasks[client]]
        await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        done = [it for it, task in self.tasks.items() if task.done()]
        if client is None and not done:
            awaited[0].cancel()
            await awaited[0]
        for it in done:
            self.tasks.pop(it).result()
            if self.is_last[it]:
                # A server that it keeps would be missed by the others.
                self.pairs[it].close()

    async def make_noise(self, number):
        """Somebody else's transactions, with parameters of their own."""
        line = Line(self.ports[1], DATABASE)
        await line.open()
        try:
            while True:
                token = f"noise {number} {time.monotonic_ns()}"
                await line.send(
                    [
                        wire.query(f"begin; set local work_mem = '{number + 2}MB'")
                        + wire.query(f"set application_name = '{token}'")
                        + wire.query("show application_name")
                        + wire.query("commit")
                    ]
                )
                messages, ready = [], 0
                while ready < 4:
                    messages.append(await line.message())
                    ready += messages[-1][0] == "Z"
                if wire.values(messages) != [(token.encode(),)]:
                    raise Difference("noise differs", None, [token], messages)
                await asyncio.sleep(0.002)
        finally:
            line.close(resets=True)

    async def end(self):
        """Closes everything; returns a Difference that the noise met."""
        tasks = [*self.noise, *self.tasks.values()]
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for pair in self.pairs.values():
            pair.close(resets=True)
        return next((it for it in ends[: len(self.noise)] if isinstance(it, Exception)), None)
