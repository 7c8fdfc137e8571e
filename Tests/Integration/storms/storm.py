"""One program with many connections: asks in every way there is, and checks every answer.

    storm.py DRIVER URL SEED STATEMENTS CONNECTIONS

Its connections may be cut and its servers killed at any moment; it then opens another one. Every
connection has a token that nobody else has, in the parameter app.token, and rows of its own.
At the end it prints what it has done, for test_storms to compare with the table. Storm.java and
storm.go do the same.
"""

import random
import sys
import threading
import time

from common import Death, Refused
from drivers import DRIVERS

PATIENCE = 15.0
"""Seconds in which one statement must be answered, or a connection opened."""
NUMBERS = 300
"""Rows of the table storm_numbers."""


class Worker:
    """One connection after the other, in a thread of its own."""

    def __init__(self, driver, url, seed, number, statements):
        self.driver = driver(url)
        self.number, self.wanted = number, statements
        self.random = random.Random(seed * 1000 + number)
        self.statements = self.deaths = self.ids = 0
        self.committed, self.doubtful = [], []
        self.failure = None
        self.kinds = [
            *(self.prepared,) * 8,
            *(self.simple,) * 6,
            *(self.commit,) * 4,
            *(self.large, self.insert, self.rollback, self.savepoint, self.local, self.error),
            *(self.cursor, self.copy, self.set, self.reset, self.token_by_bound_name, self.lock),
            self.temporary,
        ]

    def run(self):
        try:
            self.reopen()
            while self.count < self.wanted:
                kind = self.random.choice(self.kinds)
                try:
                    kind()
                except Death:
                    self.deaths += 1
                    self.reopen()
            self.driver.close()
        except BaseException as error:
            error.add_note(f"connection {self.number}, statement {self.count}")
            self.failure = error

    @property
    def count(self):
        """Of statements, with those that the driver adds."""
        return self.statements + getattr(self.driver, "own_statements", 0)

    # The connection and what is set in it.

    def reopen(self):
        deadline = time.monotonic() + PATIENCE
        self.driver.close()
        while True:
            try:
                self.driver.open()
                self.memory = "4MB"
                self.new_token()
                self.ask_simple(f"set app.token = '{self.token}'")
                return
            except Death:
                self.deaths += 1
                self.driver.close()
                assert time.monotonic() < deadline, "no connection can be opened any more"

    def new_token(self):
        self.token = f"{self.number}:{self.random.randrange(10**9)}"

    # Asking: each counts as one statement when it is answered.

    def ask(self, sql, *values):
        """With parameters, prepared if the driver does that."""
        return self.timed(self.driver.prepared, sql, *values)

    def ask_simple(self, sql):
        return self.timed(self.driver.simple, sql)

    def timed(self, what, *arguments):
        began = time.monotonic()
        try:
            return what(*arguments)
        finally:
            took = time.monotonic() - began
            assert took < PATIENCE, f"{arguments} took {took:.1f} s"
            self.statements += 1

    def refused(self, code, what, *arguments):
        """`what` must be an error with `code`."""
        try:
            found = what(*arguments)
        except Refused as error:
            assert error.code == code, error
            return
        raise AssertionError(f"{arguments} gave {found}, not {code}")

    def check(self, found, wanted):
        assert found == wanted, f"found {str(found)[:300]}, wanted {str(wanted)[:300]}"

    def check_own(self):
        self.check(
            self.ask_simple("select current_setting('app.token'), current_setting('work_mem')"),
            [(self.token, self.memory)],
        )

    # Rows of the table storm.

    def id(self):
        self.ids += 1
        return self.number * 1_000_000 + self.ids

    def put(self, id):
        self.ask(
            "insert into storm (id, token) values (cast($1 as bigint), cast($2 as text))",
            id,
            self.token,
        )

    def seen(self, *ids):
        found = self.ask(
            "select id, token from storm where id between cast($1 as bigint) and"
            " cast($2 as bigint) order by id",
            ids[0],
            ids[-1],
        )
        assert all(token == self.token for _, token in found), found
        return [id for id, _ in found]

    def end(self, *ids):
        """COMMIT. Who is cut off meanwhile does not know whether it was done."""
        try:
            self.timed(self.driver.commit)
        except Death:
            self.doubtful += ids
            raise
        self.committed += ids

    # Ways of asking.

    def prepared(self):
        n, k = self.random.randrange(10**6), self.random.randrange(12)
        # Some texts are everyone's, some this connection's alone.
        mine = f", {self.number}" if k > 7 else ""
        found = self.ask(
            f"select cast($1 as int) + {k}, current_setting('app.token'){mine}", n
        )
        self.check(found, [(n + k, self.token) + ((self.number,) if mine else ())])

    def simple(self):
        word = f"{self.random.randrange(10**9)}"
        self.check(
            self.ask_simple(
                f"select '{word}', current_setting('app.token'), current_setting('work_mem')"
            ),
            [(word, self.token, self.memory)],
        )

    def large(self):
        count = self.random.randrange(20_000)
        self.check(
            self.ask("select repeat(cast($1 as text), cast($2 as int))", self.token, count),
            [(self.token * count,)],
        )

    def insert(self):
        id = self.id()
        try:
            self.put(id)
        except Death:
            self.doubtful.append(id)
            raise
        self.committed.append(id)

    def commit(self):
        id = self.id()
        self.timed(self.driver.begin)
        server = self.ask_simple("select pg_backend_pid()")
        self.put(id)
        self.check(self.seen(id), [id])
        self.check(self.ask_simple("select pg_backend_pid()"), server)
        self.end(id)

    def rollback(self):
        id = self.id()
        self.timed(self.driver.begin)
        self.put(id)
        self.ask_simple("set work_mem = '77kB'")
        self.ask_simple("set app.token = 'rolled back'")
        self.check(self.ask_simple("show work_mem"), [("77kB",)])
        self.timed(self.driver.rollback)
        self.check(self.seen(id), [])
        self.check_own()

    def savepoint(self):
        one, two, three = self.id(), self.id(), self.id()
        self.timed(self.driver.begin)
        self.put(one)
        self.timed(self.driver.savepoint)
        self.put(two)
        self.ask_simple("set work_mem = '78kB'")
        if self.random.random() < 0.5:
            self.refused("22012", self.ask, "select 1 / cast($1 as int)", 0)
        self.timed(self.driver.rollback_to_savepoint)
        self.put(three)
        self.check(self.seen(one, three), [one, three])
        self.check_own()
        self.end(one, three)
        self.check_own()

    def local(self):
        self.timed(self.driver.begin)
        self.ask_simple("set local app.token = 'local'")
        self.ask_simple("set local work_mem = '79kB'")
        self.check(
            self.ask("select current_setting('app.token'), current_setting(cast($1 as text))",
                     "work_mem"),
            [("local", "79kB")],
        )
        self.end()
        self.check_own()

    def error(self):
        self.refused("22012", self.ask, "select 1 / cast($1 as int)", 0)
        self.check(self.ask("select 1 / cast($1 as int)", 1), [(1,)])
        self.refused("42601", self.ask_simple, "selec 1")
        self.refused("42P01", self.ask_simple, "select * from no_such_table")
        self.check_own()

    def cursor(self):
        count = self.random.choice([NUMBERS, NUMBERS, 120])
        found = self.timed(self.driver.cursor, count)
        self.check(found, [(n, self.token) for n in range(1, count + 1)])

    def copy(self):
        ids = [self.id() for _ in range(self.random.randrange(2, 30))]
        self.timed(self.driver.begin)
        done = self.timed(self.driver.copy, [(id, self.token) for id in ids])
        if done is None:
            for id in ids:
                self.put(id)
        else:
            self.check(done, ids)
        self.check(self.seen(*ids), ids)
        if self.random.random() < 0.5:
            self.end(*ids)
        else:
            self.timed(self.driver.rollback)
            self.check(self.seen(*ids), [])

    def set(self):
        # In steps that SHOW does not write in another unit.
        self.memory = f"{self.random.randrange(65, 1000) * 2 + 1}kB"
        self.ask_simple(f"set work_mem = '{self.memory}'")
        self.check_own()

    def reset(self):
        self.memory = "4MB"
        self.ask_simple("reset work_mem")
        self.check_own()

    def token_by_bound_name(self):
        self.new_token()
        self.check(
            self.ask(
                "select set_config(cast($1 as text), cast($2 as text), false)",
                "app.token",
                self.token,
            ),
            [(self.token,)],
        )
        self.check_own()

    def lock(self):
        self.ask("select cast(pg_advisory_lock(cast($1 as bigint)) as text)", self.number)
        self.check_own()
        self.check(
            self.ask("select pg_advisory_unlock(cast($1 as bigint))", self.number), [(True,)]
        )

    def temporary(self):
        self.ask_simple("create temp table own (token text)")
        self.ask("insert into own (token) values (cast($1 as text))", self.token)
        self.check(self.ask_simple("select token from own"), [(self.token,)])
        self.ask_simple("drop table own")


def main():
    name, url, seed, statements, connections = sys.argv[1:]
    share = -(-int(statements) // int(connections))
    workers = [
        Worker(DRIVERS[name], url, int(seed), number, share)
        for number in range(1, int(connections) + 1)
    ]
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        if worker.failure:
            raise worker.failure
    print("statements", sum(worker.count for worker in workers))
    print("deaths", sum(worker.deaths for worker in workers))
    print("committed", *(id for worker in workers for id in worker.committed))
    print("doubtful", *(id for worker in workers for id in worker.doubtful))


if __name__ == "__main__":
    main()
