"""A relay between pooler and PostgreSQL that meddles with what passes, and never with its meaning.

It may insert asynchronous messages between any two of the server's, cut the stream into single
bytes or join it to large pieces, and hold back CancelRequests.
"""

import contextlib
import socket
import struct
import threading
import time

from .wire import CANCEL_REQUEST, SSL_REQUEST, frame, text

PASS, BYTES, ASYNC = "pass", "bytes", "async"


def asynchronous(number):
    """What a server may say at any time: NoticeResponse, ParameterStatus, NotificationResponse."""
    kind = number % 4
    if kind == 0:
        fields = {"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": f"meddler {number}"}
        return frame("N", b"".join(k.encode() + text(v) for k, v in fields.items()) + b"\0")
    if kind == 1:
        return frame("A", struct.pack("!I", 4711) + text("meddler") + text(str(number)))
    return frame("S", text("in_hot_standby") + text("off"))


def request_code(packet):
    return struct.unpack_from("!I", packet, 4)[0] if len(packet) >= 8 else None


class Meddler:
    """Relays each connection to `port`; `mode` and `cancel_delay` may be changed at any time."""

    def __init__(self, port, mode=PASS):
        self.server_port, self.mode = port, mode
        self.cancel_delay = 0
        self.inserted = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.relay, args=[near], daemon=True).start()

    def relay(self, near):
        with contextlib.suppress(OSError):
            first = near.recv(65536)
            if request_code(first) == SSL_REQUEST:
                near.sendall(b"N")
                first = near.recv(65536)
            if request_code(first) == CANCEL_REQUEST:
                time.sleep(self.cancel_delay)
            far = socket.create_connection(("127.0.0.1", self.server_port))
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets.append(one)
            far.sendall(first)
            threading.Thread(target=self.pump, args=[near, far], daemon=True).start()
            self.pump_back(far, near)

    def pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        self.end(target)

    def pump_back(self, source, target):
        """From the server; its messages are cut where they end, once it has logged in."""
        rest, is_in = b"", False
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                rest += data
                while len(rest) >= 5 and len(rest) > struct.unpack_from("!I", rest, 1)[0]:
                    end = 1 + struct.unpack_from("!I", rest, 1)[0]
                    message, rest = rest[:end], rest[end:]
                    self.deliver(target, message, is_in)
                    is_in = is_in or message[:1] == b"Z"
        self.end(target)

    def deliver(self, target, message, is_in):
        if not is_in or self.mode == PASS:
            return target.sendall(message)
        if self.mode == BYTES and len(message) < 2000:
            for index in range(len(message)):
                target.sendall(message[index : index + 1])
            return None
        if self.mode == ASYNC:
            # One before each message, and now and then several in a row.
            for _ in range(3 if self.inserted % 7 == 0 else 1):
                self.inserted += 1
                message = asynchronous(self.inserted) + message
        return target.sendall(message)

    @staticmethod
    def end(one):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_WR)

    def close(self):
        for one in (self.listener, *self.sockets):
            with contextlib.suppress(OSError):
                one.close()
