"""What storm.py needs of a driver, in that driver's own words.

`prepared` and `simple` return rows as tuples; texts have parameters $1, $2 in this order. A
connection that is gone raises Death, an error of a statement raises Refused.
"""

import asyncio
import contextlib

import asyncpg
import psycopg
import sqlalchemy
from common import CURSOR, PARAMETER, Death, copied, judge, percent
from django_driver import Django
from sqlalchemy.pool import NullPool


class Psycopg:
    """psycopg 3; every statement is prepared at its second use."""

    def __init__(self, url):
        self.url, self.connection = url, None

    @contextlib.contextmanager
    def judged(self):
        try:
            yield
        except psycopg.Error as error:
            judge(error, self.connection is None or self.connection.closed)

    def open(self):
        with self.judged():
            self.connection = psycopg.connect(self.url, autocommit=True, prepare_threshold=1)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def rows(self, cursor):
        return cursor.fetchall() if cursor.description else []

    def prepared(self, sql, *values):
        with self.judged():
            return self.rows(self.connection.execute(percent(sql), values))

    def simple(self, sql):
        with self.judged():
            return self.rows(self.connection.execute(sql, prepare=False))

    def begin(self):
        with self.judged():
            self.connection.autocommit = False

    def commit(self):
        with self.judged():
            self.connection.commit()
            self.connection.autocommit = True

    def rollback(self):
        with self.judged():
            self.connection.rollback()
            self.connection.autocommit = True

    def savepoint(self):
        self.simple("savepoint here")

    def rollback_to_savepoint(self):
        self.simple("rollback to savepoint here")

    def cursor(self, count):
        with self.judged(), self.connection.transaction():
            with self.connection.cursor("pages") as cursor:
                cursor.itersize = 50
                return list(cursor.execute(CURSOR.format(count)))

    def copy(self, rows):
        with self.judged():
            return copied(self.connection.cursor(), rows)


class Asyncpg:
    """asyncpg with its statement cache, in an event loop for each connection."""

    def __init__(self, url):
        self.url, self.connection = url, None
        self.loop = asyncio.new_event_loop()
        self.transactions = []

    def run(self, what, *arguments):
        async def call():
            # Some of its methods fail before there is anything to wait for.
            return await what(*arguments)

        try:
            return self.loop.run_until_complete(call())
        except asyncpg.PostgresError as error:
            judge(error, False)
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # Of a FATAL that comes while it does nothing asyncpg says only that it is busy.
            if self.connection is not None:
                self.loop.run_until_complete(self.wait_until_closed())
                if not self.connection.is_closed():
                    raise
            raise Death(str(error)) from error
        except OSError as error:
            raise Death(str(error)) from error

    async def wait_until_closed(self):
        for _ in range(100):
            if not self.connection.is_closed():
                await asyncio.sleep(0.01)

    def open(self):
        self.connection = self.run(asyncpg.connect, self.url)
        self.transactions = []

    def close(self):
        if self.connection:
            self.connection.terminate()
            self.connection = None

    def prepared(self, sql, *values):
        return [tuple(row) for row in self.run(self.connection.fetch, sql, *values)]

    def simple(self, sql):
        if sql.startswith(("set ", "reset ", "create ", "drop ")):
            # Without parameters this is a Query.
            self.run(self.connection.execute, sql)
            return []
        return self.prepared(sql)

    def begin(self):
        async def start():
            self.transactions.append(self.connection.transaction())
            await self.transactions[-1].start()

        self.run(start)

    def commit(self):
        transaction = self.transactions.pop()
        self.run(lambda: transaction.commit())

    def rollback(self):
        transaction = self.transactions.pop()
        self.run(lambda: transaction.rollback())

    savepoint = begin
    rollback_to_savepoint = rollback

    def cursor(self, count):
        async def pages():
            async with self.connection.transaction():
                cursor = self.connection.cursor(CURSOR.format("$1"), count, prefetch=50)
                return [tuple(row) async for row in cursor]

        return self.run(pages)

    def copy(self, rows):
        async def both():
            await self.connection.copy_records_to_table(
                "storm", records=rows, columns=["id", "token"]
            )
            pieces = []

            async def keep(data):
                pieces.append(data)

            await self.connection.copy_from_query(
                "select id from storm where id between $1 and $2 order by id",
                rows[0][0],
                rows[-1][0],
                output=keep,
            )
            return [int(it) for it in b"".join(pieces).split()]

        return self.run(both)


class SQLAlchemy:
    """SQLAlchemy over psycopg: a single statement is a transaction of its own."""

    own_statements = 0
    """BEGIN and COMMIT around single statements."""

    def __init__(self, url):
        self.connection = self.own = self.transaction = None
        self.engine = sqlalchemy.create_engine(
            url.replace("postgresql:", "postgresql+psycopg:"),
            poolclass=NullPool,
            connect_args={"prepare_threshold": 1},
        )

    @contextlib.contextmanager
    def judged(self):
        try:
            yield
        except sqlalchemy.exc.DBAPIError as error:
            judge(error.orig, self.own is None or self.own.closed)
        except psycopg.Error as error:
            judge(error, self.own.closed)

    @contextlib.contextmanager
    def in_transaction(self):
        self.look()
        with self.judged():
            if self.transaction:
                yield
            else:
                self.own_statements += 2
                with self.connection.begin():
                    yield

    def open(self):
        with self.judged():
            self.connection = self.engine.connect()
            self.own = self.connection.connection.driver_connection

    def look(self):
        """A Connection that finds its own one lost would open another by itself."""
        if self.connection.invalidated:
            raise Death("invalidated")

    def close(self):
        self.transaction = self.own = None
        if self.connection:
            with contextlib.suppress(sqlalchemy.exc.DBAPIError, psycopg.Error):
                self.connection.invalidate()
            with contextlib.suppress(sqlalchemy.exc.DBAPIError, psycopg.Error):
                self.connection.close()
            self.connection = None

    def rows(self, result):
        return [tuple(row) for row in result] if result.returns_rows else []

    def prepared(self, sql, *values):
        named = {f"p{number}": value for number, value in enumerate(values, 1)}
        with self.in_transaction():
            text = sqlalchemy.text(PARAMETER.sub(r":p\1", sql))
            return self.rows(self.connection.execute(text, named))

    def simple(self, sql):
        with self.in_transaction():
            return self.rows(self.connection.exec_driver_sql(sql))

    def begin(self):
        self.look()
        with self.judged():
            self.transaction = self.connection.begin()

    def commit(self):
        transaction, self.transaction = self.transaction, None
        with self.judged():
            transaction.commit()

    def rollback(self):
        transaction, self.transaction = self.transaction, None
        with self.judged():
            transaction.rollback()

    def savepoint(self):
        with self.judged():
            self.nested = self.connection.begin_nested()

    def rollback_to_savepoint(self):
        with self.judged():
            self.nested.rollback()

    def cursor(self, count):
        with self.in_transaction():
            streamed = self.connection.execution_options(stream_results=True, yield_per=50)
            try:
                return self.rows(streamed.execute(sqlalchemy.text(CURSOR.format(count))))
            finally:
                self.connection.execution_options(stream_results=False, yield_per=0)

    def copy(self, rows):
        with self.in_transaction():
            return copied(self.connection.connection.cursor(), rows)


DRIVERS = {
    "psycopg": Psycopg,
    "asyncpg": Asyncpg,
    "sqlalchemy": SQLAlchemy,
    "django": Django,
}
