"""Other clients of a pool, who keep it busy."""

import contextlib
import selectors
import threading

from .postgres import PASSWORDS
from .wire import Client, query, values


class Strangers:
    """Other clients, whose short queries keep all servers of a pool busy; they check the answers.

    One thread serves them all; each asks again as soon as it is answered.
    """

    def __init__(self, pooler, count=4):
        self.failures = []
        self.answers = 0
        self.is_over = False
        self.wanted = threading.Event()
        self.quiet = threading.Event()
        self.selector = selectors.DefaultSelector()
        for number in range(count):
            client = Client(pooler.port, timeout=20)
            client.login("app", PASSWORDS["app"], "app")
            client.number, client.round, client.is_owed = number, 0, False
            self.selector.register(client.socket, selectors.EVENT_READ, client)
        self.quiet.set()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    @property
    def clients(self):
        return [key.data for key in self.selector.get_map().values()]

    def work(self):
        while not self.is_over:
            if self.wanted.is_set():
                for client in self.clients:
                    if not client.is_owed:
                        self.ask(client)
            elif not any(client.is_owed for client in self.clients):
                self.quiet.set()
                self.wanted.wait(0.2)
                continue
            for key, _ in self.selector.select(0.05):
                self.listen(key.data)

    def ask(self, client):
        client.round += 1
        client.is_owed = True
        client.send(query(f"select 'stranger {client.number}', {client.round}, pg_sleep(0.002)"))

    def listen(self, client):
        try:
            messages = client.until_ready()
        except Exception as error:
            self.selector.unregister(client.socket)
            self.failures.append(f"stranger {client.number}: {error!r}")
            return
        client.is_owed = False
        self.answers += 1
        row = (f"stranger {client.number}".encode(), b"%d" % client.round, b"")
        tags = "".join(tag for tag, _ in messages)
        if tags != "TDCZ" or values(messages) != [row] or messages[-1] != ("Z", "I"):
            self.failures.append(f"stranger {client.number}, {row}: {messages}")

    def start(self):
        self.quiet.clear()
        self.wanted.set()

    def stop(self):
        self.wanted.clear()
        assert self.quiet.wait(20), "a stranger waits for its answer"

    @contextlib.contextmanager
    def hushed(self):
        self.stop()
        yield
        self.start()

    def close(self):
        self.is_over = True
        self.wanted.set()
        self.thread.join(20)
        for client in self.clients:
            client.abandon()
