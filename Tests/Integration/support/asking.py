"""Clients that ask for what only they may see, all at once, and die now and then."""

import asyncio
import random
import struct
import time

import psycopg

from .postgres import PASSWORDS
from .wire import decode, startup

PATIENCE = 20
"""How long one question may take, in seconds, with a death and a login in it."""


class Asker:
    """One client. Whoever inherits says how it asks."""

    def __init__(self, pooler, seed):
        self.pooler = pooler
        self.random = random.Random(seed)
        self.answers = self.deaths = 0
        self.is_prepared = False

    async def open(self):
        self.doing = "connecting"
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.pooler.port, limit=2**20
        )
        self.doing = "logging in"
        self.writer.write(startup("app", "app"))
        while (await self.message())[0] != "Z":
            pass
        self.is_prepared = False
        self.doing = "asking"

    async def message(self):
        tag, length = struct.unpack("!cI", await self.reader.readexactly(5))
        return decode(tag.decode(), await self.reader.readexactly(length - 4))

    async def ask(self):
        raise NotImplementedError

    async def run(self, deadline):
        try:
            async with asyncio.timeout(PATIENCE):
                await self.open()
            while time.monotonic() < deadline:
                async with asyncio.timeout(PATIENCE):
                    await self.ask()
        except TimeoutError:
            port = self.writer.get_extra_info("sockname")
            raise AssertionError(
                f"{self.doing} from {port} took {PATIENCE} s\n{situation(self.pooler)}"
            ) from None
        self.writer.close()


def situation(pooler):
    """What the console shows of everybody; None where it has none."""
    if pooler.kind == "direct":
        return None
    lines = []
    port, password = pooler.port, PASSWORDS["admin"]
    uri = f"host=127.0.0.1 port={port} dbname=pgbouncer user=admin password={password}"
    with psycopg.connect(uri, autocommit=True, prepare_threshold=None) as console:
        for what in ("POOLS", "SERVERS", "CLIENTS"):
            cursor = console.execute(f"show {what}")
            names = [column.name for column in cursor.description]
            for row in cursor:
                said = {name: it for name, it in zip(names, row) if it not in ("", "0", 0, None)}
                lines.append(f"{what} {said}")
    return "\n".join([*lines, pooler.log_tail(20)])


async def ask_all(askers, seconds):
    """Lets all ask for `seconds`; the first failure ends it."""
    deadline = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for asker in askers:
            group.create_task(asker.run(deadline))
    print(
        f"{sum(asker.answers for asker in askers)} answers,"
        f" {sum(asker.deaths for asker in askers)} deaths"
    )
    assert min(asker.answers for asker in askers) > 0
