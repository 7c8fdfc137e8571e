"""A relay between pooler and PostgreSQL that counts round trips.

A round trip begins with bytes from the pooler when nothing is owed to it, and ends when each Query
and Sync among them, and behind them, has its ReadyForQuery.
"""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field

ENDED = set("QSF")
"""Tags of messages that are answered with ReadyForQuery."""


@dataclass
class RoundTrip:
    texts: list = field(default_factory=list)
    """Of its Query and Parse messages."""
    tags: str = ""
    receives: int = 0
    """In how many pieces it came from the pooler: 1 if it was one write."""


class Frames:
    """Cuts a stream into messages."""

    def __init__(self, has_startup):
        self.rest, self.is_in = b"", not has_startup

    def take(self, data):
        self.rest += data
        while True:
            skip = 1 if self.is_in else 0
            if len(self.rest) < 4 + skip:
                return
            end = struct.unpack_from("!I", self.rest, skip)[0] + skip
            if len(self.rest) < end:
                return
            message, self.rest = self.rest[:end], self.rest[end:]
            if skip:
                yield message[:1].decode(), message[5:]
            self.is_in = True


class Counter:
    """Relays to `port`; `trips` are the round trips of all connections, logins left out.

    The pooler must not ask for TLS.
    """

    def __init__(self, port):
        self.server_port = port
        self.trips = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.server_port))
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.sockets.append(one)
                Relayed(self, near, far)

    def close(self):
        for one in (self.listener, *self.sockets):
            with contextlib.suppress(OSError):
                # A thread that reads keeps it open otherwise, and with it a server.
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Relayed:
    """One connection."""

    def __init__(self, counter, near, far):
        self.counter = counter
        self.owed, self.trip = 0, None
        self.has_logged_in = False
        self.questions, self.answers = Frames(has_startup=True), Frames(has_startup=False)
        threading.Thread(target=self.pump, args=[near, far, self.asked], daemon=True).start()
        threading.Thread(target=self.pump, args=[far, near, self.answered], daemon=True).start()

    def pump(self, source, target, look):
        with contextlib.suppress(OSError):
            while data := source.recv(262144):
                with self.counter.lock:
                    look(data)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def asked(self, data):
        if self.trip is not None:
            self.trip.receives += 1
        for tag, body in self.questions.take(data):
            if not self.has_logged_in or tag == "X":
                continue
            if self.trip is None:
                self.trip = RoundTrip(receives=1)
            self.trip.tags += tag
            if tag == "Q":
                self.trip.texts.append(body[:-1].decode())
            elif tag == "P":
                self.trip.texts.append(body.split(b"\0")[1].decode())
            self.owed += tag in ENDED

    def answered(self, data):
        for tag, _ in self.answers.take(data):
            if tag != "Z":
                continue
            if not self.has_logged_in:
                self.has_logged_in = True
                continue
            self.owed -= 1
            if self.owed == 0:
                self.counter.trips.append(self.trip)
                self.trip = None
