"""Random statements over tables with a sharding key: SELECT of every form, and writes."""

import random

KEYS = [*range(-3, 12), 2**40]
KEY = {"orders": "tenant_id", "items": "tenant_id", "users": "id"}


class Writer:
    """Random statements, most of which have a key somewhere; not all of them rightly."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.key = self.rng.choice(KEYS)

    def chance(self, part):
        return self.rng.random() < part

    def pick(self, *choices):
        return self.rng.choice(choices)

    def value(self):
        key = self.key if self.chance(0.9) else self.rng.choice(KEYS)
        return self.pick(str(key), f"'{key}'", f"{key}::bigint", f"'{key}'::int8", f"E'{key}'")

    def is_key(self, column):
        value = self.value()
        return self.pick(
            f"{column} = {value}",
            f"{column} = {value}",
            f"{value} = {column}",
            f"{column} IN ({value}, {self.value()})",
            f"{column} = ANY (ARRAY[{value}])",
            f"({column}, 1) = ({value}, 1)",
            f"{column} >= {value}",
            f"({column} = {value} OR {column} = {value})",
            f"NOT {column} <> {value}",
        )

    def table(self):
        return self.pick("orders", "orders", "items", "items", "users", "plans")

    def column(self, table, alias=None):
        """The key column, sometimes another one."""
        name = KEY.get(table, "x")
        if self.chance(0.05):
            name = "x"
        return f"{alias}.{name}" if alias and self.chance(0.9) else name

    def conditions(self, tables, depth):
        """`tables` is [(table, alias)]."""
        parts = []
        for table, alias in tables:
            if table in KEY and self.chance(0.75):
                parts.append(self.is_key(self.column(table, alias)))
        for (one, first), (other, second) in zip(tables, tables[1:], strict=False):
            if one in KEY and other in KEY and self.chance(0.5):
                parts.append(f"{first}.{KEY[one]} = {second}.{KEY[other]}")
        if depth and self.chance(0.4):
            parts.append(self.subquery(tables, depth - 1))
        if self.chance(0.3):
            parts.append(f"{tables[0][1]}.x > {self.rng.randrange(3)}")
        self.rng.shuffle(parts)
        return " AND ".join(parts) or "true"

    def subquery(self, outer, depth):
        table, alias = self.table(), f"q{depth}"
        parts = []
        if table in KEY and self.chance(0.5):
            parts.append(self.is_key(self.column(table, alias)))
        keyed = [pair for pair in outer if pair[0] in KEY]
        if table in KEY and keyed and self.chance(0.7):
            one, name = self.rng.choice(keyed)
            parts.append(f"{alias}.{KEY[table]} = {name}.{KEY[one]}")
        condition = " AND ".join(parts) or "true"
        inner = f"SELECT {alias}.x FROM {table} {alias} WHERE {condition}"
        return self.pick(
            f"EXISTS ({inner})",
            f"NOT EXISTS ({inner})",
            f"{outer[0][1]}.x IN ({inner})",
            f"(SELECT count(*) FROM ({inner}) c) > 0",
        )

    def source(self, depth):
        """FROM and WHERE."""
        tables = [(self.table(), f"t{depth}{index}") for index in range(self.pick(1, 1, 2, 3))]
        text = "{} {}".format(*tables[0])
        for index, (table, alias) in enumerate(tables[1:]):
            before, name = tables[index]
            style = self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ",", "CROSS JOIN")
            if style in (",", "CROSS JOIN"):
                text += f" {style} {table} {alias}"
                continue
            on = [f"{name}.x = {alias}.x"] if style == "FULL JOIN" or self.chance(0.4) else []
            if before in KEY and table in KEY and self.chance(0.8):
                on.append(f"{name}.{KEY[before]} = {alias}.{KEY[table]}")
            if table in KEY and style != "FULL JOIN" and self.chance(0.3):
                on.append(self.is_key(f"{alias}.{KEY[table]}"))
            if before in KEY and style != "FULL JOIN" and self.chance(0.2):
                on.append(self.is_key(f"{name}.{KEY[before]}"))
            text += f" {style} {table} {alias} ON {' AND '.join(on) or 'true'}"
        return f"FROM {text} WHERE {self.conditions(tables, depth)}", tables

    def select(self, depth=1):
        source, tables = self.source(depth)
        shown = self.pick("count(*)", "*", f"{tables[0][1]}.x", f"sum({tables[-1][1]}.x)")
        statement = f"SELECT {shown} {source}"
        if depth and self.chance(0.1):
            return f"SELECT count(*) FROM ({statement.replace('*', '1')}) d"
        if depth and self.chance(0.1):
            return f"WITH c AS ({statement.replace('*', '1')}) SELECT count(*) FROM c"
        if depth and self.chance(0.1) and shown.endswith("x"):
            return f"{statement} UNION ALL {self.select(0).replace('*', '1')}"
        return statement

    def write(self):
        table = self.pick("orders", "items")
        condition = self.conditions([(table, table)], 1)
        joined = f"{table}.tenant_id = users.id" if self.chance(0.7) else f"{table}.x = users.x"
        return self.pick(
            f"UPDATE {table} SET x = x + 100 WHERE {condition}",
            f"DELETE FROM {table} WHERE {condition}",
            f"UPDATE {table} SET x = {table}.x + 1 FROM users WHERE {joined} AND {condition}",
            f"DELETE FROM {table} USING users WHERE {joined} AND {condition}",
            f"INSERT INTO {table} (tenant_id, x) VALUES ({self.value()}, 7)",
            f"INSERT INTO {table} (x, tenant_id) VALUES (7, {self.value()}), (8, {self.value()})",
            f"INSERT INTO {table} (tenant_id, x) SELECT t.tenant_id, t.x FROM items t"
            f" WHERE {self.is_key('t.tenant_id')}",
            f"INSERT INTO {table} (tenant_id, x) SELECT {self.value()}, t.x FROM plans t",
            f"INSERT INTO {table} (tenant_id, x) SELECT t.tenant_id, 5 FROM users u"
            f" LEFT JOIN items t ON t.tenant_id = u.id WHERE {self.is_key('u.id')}",
        )
