"""asyncpg with its default statement cache, which names every statement."""

import asyncio

import asyncpg
import pytest

SETTINGS = {"default_pool_size": 2}
pytestmark = pytest.mark.pgweir_or_direct


def test_fifty_connections_share_two_servers(pooler, postgres):
    async def one(number):
        connection = await asyncpg.connect(pooler.uri(), timeout=20)
        for n in range(20):
            assert (
                await connection.fetchval("select $1::int * 1000 + $2::int", number, n)
                == number * 1000 + n
            )
            assert await connection.fetchval(f"select {n}") == n
        await connection.close()

    async def every():
        await asyncio.gather(*(one(number) for number in range(50)))

    asyncio.run(every())
    assert postgres.server_count("app") <= 2 or pooler.port == postgres.port


def test_cursors_in_transactions(pooler):
    async def work():
        connection = await asyncpg.connect(pooler.uri(), timeout=20)
        async with connection.transaction():
            seen = [
                row[0]
                async for row in connection.cursor("select generate_series(1, 500)", prefetch=37)
            ]
        assert seen == list(range(1, 501))
        await connection.close()

    async def every():
        await asyncio.gather(*(work() for _ in range(10)))

    asyncio.run(every())


def test_copy_records_to_a_table_and_back(pooler, postgres):
    postgres.sql(
        "drop table if exists asyncpg_copy; create table asyncpg_copy (n int, t text);"
        " alter table asyncpg_copy owner to app"
    )

    async def work():
        connection = await asyncpg.connect(pooler.uri(), timeout=20)
        records = [(n, f"record {n}") for n in range(20_000)]
        await connection.copy_records_to_table("asyncpg_copy", records=records)
        pieces = []

        async def keep(data):
            pieces.append(data)

        await connection.copy_from_query("select n from asyncpg_copy order by n", output=keep)
        assert b"".join(pieces).split() == [str(n).encode() for n in range(20_000)]
        await connection.close()

    asyncio.run(work())


def test_errors_leave_the_connection_usable(pooler):
    async def work():
        connection = await asyncpg.connect(pooler.uri(), timeout=20)
        for _ in range(5):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.fetchval("select 1 / $1::int", 0)
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.fetchval("select * from no_such_table")
            assert await connection.fetchval("select 1 / $1::int", 1) == 1
        await connection.close()

    asyncio.run(work())


def test_executemany_in_one_pipeline(pooler, postgres):
    postgres.sql(
        "drop table if exists many; create table many (n int); alter table many owner to app"
    )

    async def work():
        connection = await asyncpg.connect(pooler.uri(), timeout=20)
        await connection.executemany("insert into many values ($1)", [(n,) for n in range(2000)])
        await connection.close()

    asyncio.run(work())
    assert postgres.value("select sum(n) from many") == sum(range(2000))


def test_a_timed_out_query_is_cancelled_and_the_connection_goes_on(pooler):
    async def work():
        connection = await asyncpg.connect(pooler.uri(), timeout=20)
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetchval("select pg_sleep(20)", timeout=0.3)
        assert await connection.fetchval("select 5") == 5
        await connection.close()

    asyncio.run(work())


def test_asyncpg_pool_with_its_reset_queries(pooler):
    async def work():
        async with asyncpg.create_pool(pooler.uri(), min_size=5, max_size=10) as pool:

            async def one(n):
                async with pool.acquire() as connection:
                    return await connection.fetchval("select $1::int", n)

            assert await asyncio.gather(*map(one, range(100))) == list(range(100))

    asyncio.run(work())
