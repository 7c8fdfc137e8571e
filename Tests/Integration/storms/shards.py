"""One program with many connections to a database on several shards; every answer is checked.

    shards.py DRIVER URL SEED STATEMENTS CONNECTIONS

Each connection has tenants of its own, in the table orders, and knows what they must have.
Shards.java and pgx_shards do the same.
"""

import os
import random
import sys
import threading
import traceback

from drivers import DRIVERS

TENANTS_PER_CONNECTION = 5


class Worker:
    def __init__(self, driver, url, seed, number, statements):
        self.driver, self.wanted, self.statements = driver(url), statements, 0
        self.random = random.Random(seed * 1000 + number)
        first = 1000 + number * TENANTS_PER_CONNECTION
        self.rows = {first + it: [] for it in range(TENANTS_PER_CONNECTION)}
        self.ids = 0

    def run(self):
        try:
            self.driver.open()
            while self.statements < self.wanted:
                self.tenant = self.random.choice(list(self.rows))
                self.random.choice([self.put, self.read, self.literal, self.block, self.undone])()
            for self.tenant in self.rows:
                self.read()
            self.driver.close()
        except BaseException:
            # The others would wait for the server that this one keeps.
            traceback.print_exc()
            os._exit(1)

    def ask(self, sql, *values):
        self.statements += 1
        return self.driver.prepared(sql, *values)

    def insert(self):
        self.ids += 1
        note = f"{self.tenant}:{self.random.randrange(10**9)}"
        self.ask(
            "insert into orders (tenant_id, id, note) values"
            " (cast($1 as bigint), cast($2 as bigint), cast($3 as text))",
            self.tenant,
            self.ids,
            note,
        )
        return note

    def put(self):
        self.rows[self.tenant].append(self.insert())

    def check(self, wanted):
        sql = "select note from orders where tenant_id = cast($1 as bigint) order by id"
        found = [note for (note,) in self.ask(sql, self.tenant)]
        assert found == wanted, f"tenant {self.tenant}: {found}, not {wanted}"

    def read(self):
        self.check(self.rows[self.tenant])

    def literal(self):
        self.statements += 1
        sql = f"select count(*) from orders o where o.tenant_id = {self.tenant}"
        found = self.driver.simple(sql)
        assert found == [(len(self.rows[self.tenant]),)], found

    def block(self):
        """A transaction with a savepoint, of which one half stays."""
        rows = self.rows[self.tenant]
        self.driver.begin()
        if self.random.random() < 0.5:
            self.ask("select name from plans where id = cast($1 as int)", 1)
        first = self.insert()
        self.driver.savepoint()
        second = self.insert()
        self.check([*rows, first, second])
        self.driver.rollback_to_savepoint()
        self.check([*rows, first])
        self.driver.commit()
        rows.append(first)

    def undone(self):
        """A savepoint comes first, so that the transaction has no shard yet."""
        rows = self.rows[self.tenant]
        self.driver.begin()
        self.driver.savepoint()
        self.check([*rows, self.insert()])
        self.driver.rollback_to_savepoint()
        self.driver.rollback()


def main():
    name, url, seed, statements, connections = sys.argv[1:]
    count = int(connections)
    workers = [
        Worker(DRIVERS[name], url, int(seed), number, int(statements) // count)
        for number in range(count)
    ]
    threads = [threading.Thread(target=it.run) for it in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("statements", sum(it.statements for it in workers))
    print("rows", *(note for it in workers for notes in it.rows.values() for note in notes))


main()
