"""Every answer is the asker's own, whatever dies in between.

Two hundred clients over five servers ask for tokens that nobody else knows, in every way there is;
one time in ten a client dies at a random byte. TOKEN_SECONDS sets how long, SEED repeats a run.
Half of the time pgweir audits every release, and must not find anything.
"""

import asyncio
import itertools
import os
import random
import time

import pytest
from support.asking import Asker, ask_all
from support.pooler import KIND
from support.processes import wait_until
from support.wire import (
    SYNC,
    bind,
    describe,
    error_code,
    execute,
    parse,
    query,
    values,
)

SECONDS = float(os.environ.get("TOKEN_SECONDS", 30))
SEED = int(os.environ.get("SEED", random.randrange(10**9)))
CLIENTS, SERVERS, DEATHS = 200, 5, 0.1


class TokenAsker(Asker):
    """One client: asks, checks, sometimes dies and comes back."""

    def __init__(self, number, pooler):
        super().__init__(pooler, SEED * 1000 + number)
        self.number = number
        self.tokens = (f"{number}:{n}:{self.random.randrange(10**9)}" for n in itertools.count())
        self.kinds = [self.simple, self.extended, self.pipelined, self.transaction, self.large]
        if KIND != "pgbouncer":
            self.kinds.append(self.named)

    # Each way of asking returns frames, the tags of the answer, its tokens.

    def simple(self):
        token = next(self.tokens)
        return query(f"select '{token}'"), "TDCZ", [token]

    def extended(self):
        token = next(self.tokens)
        return (
            parse("select $1::text") + bind([token]) + describe() + execute() + SYNC,
            "12TDCZ",
            [token],
        )

    def pipelined(self):
        tokens = [next(self.tokens) for _ in range(3)]
        frames = b"".join(
            parse(f"select '{token}', $1::text") + bind([token]) + execute() for token in tokens
        )
        return frames + SYNC, "12DC" * 3 + "Z", [it for token in tokens for it in (token, token)]

    def named(self):
        token = next(self.tokens)
        name, first = f"s{self.number % 3}", not self.is_prepared
        self.is_prepared = True
        frames = parse(f"select $1::text, '{self.number}'", name) if first else b""
        return (
            frames + bind([token], name=name) + execute() + SYNC,
            "1" * first + "2DCZ",
            [token, str(self.number)],
        )

    def transaction(self):
        one, two = next(self.tokens), next(self.tokens)
        return (
            query("begin") + query(f"select '{one}'") + query(f"select '{two}'") + query("commit"),
            "CZTDCZTDCZCZ",
            [one, two],
        )

    def large(self):
        token, length = next(self.tokens), self.random.randrange(100_000)
        return (
            query(f"select '{token}', repeat('{self.number % 10}', {length})"),
            "TDCZ",
            [token, str(self.number % 10) * length],
        )

    async def ask(self):
        frames, tags, tokens = self.random.choice(self.kinds)()
        if self.random.random() < DEATHS:
            await self.die(frames)
            return
        self.writer.write(frames)
        got = []
        while len(got) < len(tags):
            got.append(await self.message())
            assert got[-1][0] == tags[len(got) - 1], (self.number, tags, got, tokens)
        found = [value.decode() for row in values(got) for value in row]
        assert found == tokens, (self.number, found[:2], tokens[:2])
        self.answers += 1

    async def die(self, frames):
        if self.random.random() < 0.5:
            self.writer.write(frames[: self.random.randrange(len(frames))])
        else:
            self.writer.write(frames)
            await self.reader.readexactly(self.random.randrange(1, 20))
        if self.random.random() < 0.5:
            self.writer.transport.abort()
        else:
            self.writer.close()
        self.deaths += 1
        await self.open()


@pytest.mark.pooler_only
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize(
    "audit", [{}, pytest.param({"audit_releases": True}, marks=pytest.mark.pgweir_only)], ids=str
)
def test_every_answer_is_the_askers_own(start_pooler, postgres, connect, audit):
    pooler = start_pooler(
        {"default_pool_size": SERVERS, "max_client_conn": 1000, "auth_type": "trust", **audit}
    )
    askers = [TokenAsker(number, pooler) for number in range(CLIENTS)]

    print(f"\nSEED={SEED}")
    asyncio.run(ask_all(askers, SECONDS / 2))
    assert pooler.surprises() == []
    assert postgres.server_count("app") <= SERVERS

    wait_until(
        lambda: (
            postgres.value(
                "select count(*) from pg_stat_activity where usename = 'app' and state <> 'idle'"
            )
            == 0
        ),
        3,
        what="all servers to be idle and outside of transactions",
    )
    clients = [connect(pooler.port) for _ in range(SERVERS)]
    for _ in range(2):
        began = time.monotonic()
        for client in clients:
            client.send(query("select pg_sleep(0.5)"))
        for client in clients:
            assert error_code(client.until_ready()) is None
        took = time.monotonic() - began
    assert took < 0.9, f"a place in the pool was lost: {SERVERS} sleeps of 0.5 s took {took:.2f} s"
