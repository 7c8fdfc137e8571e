"""A client of the PostgreSQL protocol that sends exactly what it is told.

Messages received are tuples: (tag, what it carries).
"""

import base64
import hashlib
import hmac
import os
import socket
import struct

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = (3 << 16) + 2
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104


class Closed(Exception):
    """The other side ended the connection."""


def text(value):
    return (value.encode() if isinstance(value, str) else value) + b"\0"


def frame(tag, body=b""):
    return tag.encode() + struct.pack("!I", len(body) + 4) + body


def untagged(body):
    return struct.pack("!I", len(body) + 4) + body


def startup(user, database, protocol=PROTOCOL_3_0, **parameters):
    body = struct.pack("!I", protocol)
    for key, value in dict(user=user, database=database, **parameters).items():
        body += text(key) + text(value)
    return untagged(body + b"\0")


def query(sql):
    return frame("Q", text(sql))


def parse(sql, name="", types=()):
    return frame(
        "P",
        text(name)
        + text(sql)
        + struct.pack("!H", len(types))
        + b"".join(struct.pack("!I", oid) for oid in types),
    )


def bind(values=(), name="", portal=""):
    body = text(portal) + text(name) + struct.pack("!HH", 0, len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            data = value.encode() if isinstance(value, str) else value
            body += struct.pack("!i", len(data)) + data
    return frame("B", body + struct.pack("!H", 0))


def describe(kind="P", name=""):
    return frame("D", kind.encode() + text(name))


def execute(portal="", limit=0):
    return frame("E", text(portal) + struct.pack("!I", limit))


def close(kind="S", name=""):
    return frame("C", kind.encode() + text(name))


def function_call(oid, arguments, binary_result=True):
    body = struct.pack("!IHHH", oid, 1, 1, len(arguments))
    for value in arguments:
        body += struct.pack("!i", len(value)) + value
    return frame("F", body + struct.pack("!H", int(binary_result)))


def copy_data(data):
    return frame("d", data if isinstance(data, bytes) else data.encode())


SYNC = frame("S")
FLUSH = frame("H")
TERMINATE = frame("X")
COPY_DONE = frame("c")


def copy_fail(reason):
    return frame("f", text(reason))


def fields(body):
    """ErrorResponse and NoticeResponse: {"S": "ERROR", "C": "42601", ...}."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def decode(tag, body):
    """A message as a tuple that reads well when a comparison fails."""
    if tag in "EN":
        return tag, fields(body)
    if tag == "C":
        return tag, body[:-1].decode()
    if tag == "Z":
        return tag, body.decode()
    if tag == "S":
        return tag, tuple(part.decode() for part in body.split(b"\0")[:2])
    if tag == "D":
        count, offset, values = struct.unpack_from("!H", body)[0], 2, []
        for _ in range(count):
            length = struct.unpack_from("!i", body, offset)[0]
            offset += 4
            values.append(None if length < 0 else body[offset : offset + length])
            offset += max(length, 0)
        return tag, tuple(values)
    if tag == "K":
        return tag, (body[:4], body[4:])
    return tag, body


class Client:
    """One connection. Every wait ends after `timeout` seconds."""

    def __init__(self, port, timeout=10.0, one_byte_writes=False):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = port
        self.received = b""
        self.one_byte_writes = one_byte_writes
        self.parameters = {}
        self.key = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.abandon()

    def abandon(self):
        """Ends the connection without a word."""
        self.socket.close()

    def send(self, *frames):
        data = b"".join(frames)
        if self.one_byte_writes:
            for index in range(len(data)):
                self.socket.sendall(data[index : index + 1])
        else:
            self.socket.sendall(data)

    def fill(self, count):
        while len(self.received) < count:
            try:
                data = self.socket.recv(262144)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(f"{len(self.received)} of {count} bytes had come")
            self.received += data

    def take(self, count):
        self.fill(count)
        data, self.received = self.received[:count], self.received[count:]
        return data

    def message(self):
        """The next message."""
        self.fill(5)
        tag, length = struct.unpack_from("!cI", self.received)
        body = self.take(1 + length)[5:]
        return decode(tag.decode(), body)

    def until(self, *tags):
        """All messages up to the first with one of `tags`."""
        messages = []
        while not messages or messages[-1][0] not in tags:
            messages.append(self.message())
        return messages

    def until_ready(self, times=1):
        """All messages up to the `times`th ReadyForQuery."""
        messages = []
        for _ in range(times):
            messages += self.until("Z")
        return messages

    def rest(self):
        """All messages up to the end of the connection."""
        messages = []
        try:
            while True:
                messages.append(self.message())
        except Closed:
            return messages

    def login(self, user="app", password=None, database="app", protocol=PROTOCOL_3_0, **more):
        """Startup and authentication; returns the messages after AuthenticationOk."""
        self.send(startup(user, database, protocol, **more))
        self.authenticate(user, password)
        messages = self.until("Z", "E")
        if messages[-1][0] == "E":
            raise LoginRefused(messages[-1][1])
        self.parameters = dict(it for tag, it in messages if tag == "S")
        self.key = next((it for tag, it in messages if tag == "K"), None)
        return messages

    def authenticate(self, user, password):
        """Answers trust, clear text, MD5 and SCRAM; returns the kind of the first request."""
        first = None
        self.negotiated = None
        while True:
            tag, body = self.message()
            if tag == "v":
                self.negotiated = body
                continue
            if tag == "E":
                raise LoginRefused(body)
            assert tag == "R", (tag, body)
            kind = struct.unpack_from("!I", body)[0]
            first = kind if first is None else first
            if kind == 0:
                self.authentication = first
                return first
            if kind == 3:
                self.send(frame("p", text(password)))
            elif kind == 5:
                inner = hashlib.md5((password + user).encode()).hexdigest().encode()
                self.send(
                    frame("p", text(b"md5" + hashlib.md5(inner + body[4:8]).hexdigest().encode()))
                )
            elif kind == 10:
                self.scram(password)
            else:
                raise AssertionError(f"authentication request {kind}")

    def scram(self, password):
        nonce = base64.b64encode(os.urandom(18))
        bare = b"n=,r=" + nonce
        first = b"n,," + bare
        self.send(frame("p", text("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        tag, body = self.message()
        if tag == "E":
            raise LoginRefused(body)
        challenge = body[4:]
        parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), base64.b64decode(parts[b"s"]), int(parts[b"i"])
        )

        def mac(key, data):
            return hmac.new(key, data, "sha256").digest()

        client_key = mac(salted, b"Client Key")
        without_proof = b"c=biws,r=" + parts[b"r"]
        whole = bare + b"," + challenge + b"," + without_proof
        signature = mac(hashlib.sha256(client_key).digest(), whole)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.send(frame("p", without_proof + b",p=" + base64.b64encode(proof)))
        tag, body = self.message()
        if tag == "E":
            raise LoginRefused(body)
        expected = base64.b64encode(mac(mac(salted, b"Server Key"), whole))
        assert body[4:] == b"v=" + expected, "the server does not know the password"

    def ask(self, sql):
        """A simple query's messages up to ReadyForQuery."""
        self.send(query(sql))
        return self.until_ready()

    def cancel(self, key=None):
        """Sends CancelRequest on a connection of its own and waits until that is closed."""
        number, secret = key or self.key
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as other:
            other.sendall(untagged(struct.pack("!I", CANCEL_REQUEST) + number + secret))
            try:
                return other.recv(100)
            except ConnectionResetError:
                return b""


class LoginRefused(Exception):
    """Carries the ErrorResponse's fields."""

    def __init__(self, error):
        super().__init__(error)
        self.error = error


def values(messages):
    """The rows among `messages`."""
    return [it for tag, it in messages if tag == "D"]


def error_code(messages):
    """The SQLSTATE of the first error among `messages`, or None."""
    return next((it["C"] for tag, it in messages if tag == "E"), None)
