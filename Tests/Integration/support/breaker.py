"""A relay between programs and a pooler that cuts connections at random, and a killer of servers.

The relay also looks for errors that a driver may hide by trying again.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading

MOST = 60
"""Cuts, and kills, of one test: then it comes to its end also on a slow machine."""
HIDDEN = (b"C26000\0", b"C42P05\0")
"""Fields of ErrorResponse: a prepared statement is not there, or there already."""
RESET = struct.pack("ii", 1, 0)


class Line(asyncio.Protocol):
    """One end of a relayed connection."""

    def __init__(self, breaker, other=None):
        self.breaker, self.other = breaker, other
        self.transport, self.early, self.tail = None, b"", b""
        self.cut_after = None

    def connection_made(self, transport):
        self.transport = transport
        if self.other is None:
            self.breaker.loop.create_task(self.breaker.dial(self))

    def data_received(self, data):
        if self.cut_after is not None:
            # In the middle of what comes, wherever that is.
            data = data[: self.cut_after]
        if self.other is None:
            self.early += data
        else:
            if self.breaker.is_answers(self):
                self.breaker.look(self.tail + data)
                self.tail = data[-8:]
            self.other.transport.write(data)
        if self.cut_after is not None:
            self.breaker.cut(self)

    def connection_lost(self, error):
        self.breaker.lines.discard(self)
        if self.other and self.other.transport:
            self.other.transport.close()


class Breaker:
    """Relays to a port, and cuts a connection about every `pause` seconds.

    Use as a context manager; `port` is where programs connect.
    """

    def __init__(self, port, seed, pause):
        self.server_port, self.pause = port, pause
        self.random = random.Random(seed)
        self.lines, self.cuts, self.hidden = set(), 0, []
        self.loop = asyncio.new_event_loop()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.socket.close()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.loop.create_server(lambda: Line(self), sock=self.socket))
        breaking = self.loop.create_task(self.break_lines())
        self.loop.run_forever()
        breaking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(breaking)
        self.loop.close()

    async def dial(self, near):
        try:
            _, far = await self.loop.create_connection(
                lambda: Line(self, near), "127.0.0.1", self.server_port
            )
        except OSError:
            near.transport.abort()
            return
        if near.transport.is_closing():
            far.transport.abort()
            return
        far.is_far, near.other = True, far
        self.lines.add(near)
        if near.early:
            far.transport.write(near.early)

    def is_answers(self, line):
        return getattr(line, "is_far", False)

    def look(self, data):
        self.hidden += [field for field in HIDDEN if field in data]

    async def break_lines(self):
        while self.cuts < MOST:
            await asyncio.sleep(self.random.expovariate(1 / self.pause))
            if self.lines:
                near = self.random.choice(sorted(self.lines, key=id))
                chance = self.random.random()
                if chance < 0.4:
                    self.cut(near)
                else:
                    line = near if chance < 0.7 else near.other
                    line.cut_after = self.random.randrange(1, 60)

    def cut(self, line):
        """Ends both sides; the pooler's with or without a reset."""
        self.cuts += 1
        for end in (line, line.other):
            if end and end.transport:
                if self.random.random() < 0.5:
                    with contextlib.suppress(OSError):
                        end.transport.get_extra_info("socket").setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, RESET
                        )
                end.transport.abort()


class Killer:
    """Terminates a session of `user` about every `pause` seconds, by a session of its own."""

    def __init__(self, postgres, seed, pause, user="app"):
        self.postgres, self.pause, self.user = postgres, pause, user
        self.random = random.Random(seed + 1)
        self.kills, self.failure = 0, None
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """No more kills."""
        self.ends.set()
        self.thread.join(10)
        assert self.failure is None, self.failure

    def run(self):
        try:
            with self.postgres.connect("app") as connection:
                while self.kills < MOST:
                    if self.ends.wait(self.random.expovariate(1 / self.pause)):
                        return
                    found = connection.execute(
                        "select pid from pg_stat_activity where usename = %s"
                        " and backend_type = 'client backend' order by pid",
                        [self.user],
                    ).fetchall()
                    if found:
                        (pid,) = self.random.choice(found)
                        connection.execute("select pg_terminate_backend(%s)", [pid])
                        self.kills += 1
        except Exception as error:
            self.failure = error
