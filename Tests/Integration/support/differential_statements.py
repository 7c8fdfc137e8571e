"""SQL statements that random scripts are made of, by what they are about.

Each is a function of `Names`: a token and objects that nobody else uses.
"""

import random
from dataclasses import dataclass

LEFT_OUT = {"channels", "sequences"}
"""Not there yet in pgweir: empty this to try."""


@dataclass
class Names:
    chance: random.Random
    token: str
    table: str
    key: int

    def one_of(self, *choices):
        return self.chance.choice(choices)


def fixed(*texts):
    """The texts with {token}, {table}, {key} and {n} filled in."""

    def make(text):
        return lambda names: text.format(
            token=names.token, table=names.table, key=names.key, n=names.chance.randrange(1, 6)
        )

    return [make(text) for text in texts]


def setting(text, parameters=()):
    """The text with {name} and {value}: of a parameter, now and then of none."""

    def make(names):
        name, values = names.one_of(*(parameters or PARAMETERS))
        return text.format(name=name, value=names.one_of(*values))

    return make


PARAMETERS = [
    ("work_mem", ["1MB", "7MB", "wrong"]),
    ("timezone", ["Asia/Tokyo", "UTC", "Nowhere/Land"]),
    ("datestyle", ["German", "ISO, DMY"]),
    ("intervalstyle", ["iso_8601"]),
    ("application_name", ["one", "it''s two", ""]),
    ("search_path", ["public", "pg_catalog, public", ""]),
    ("extra_float_digits", ["0", "3"]),
    ("client_min_messages", ["warning", "notice"]),
    ("client_encoding", ["LATIN1", "UTF8", "wrong"]),
    ("standard_conforming_strings", ["on", "off"]),
    ("default_transaction_isolation", ["serializable", "read committed"]),
    ("default_transaction_read_only", ["on", "off"]),
    ("statement_timeout", ["0", "100s"]),
    ("bytea_output", ["escape", "hex"]),
    ("my.a", ["a", "''", "x y"]),
    ("my.b", ["b", "\\\\"]),
    ("nowhere", ["1"]),
    ("server_version", ["1"]),
]

FEATURES = {
    "plain": fixed(
        "select '{token}'",
        "select '{token}', n from generate_series(1, {n}) n",
        "select * from {table} order by 1",
        "select count(*) from {table}",
        "",
    ),
    "writes": fixed(
        "insert into {table} (words) values ('{token}')",
        "insert into {table} (words) values ('{token}') returning words",
        "update {table} set words = '{token}'",
        "delete from {table}",
        "select count(*) from {table}",
    ),
    "errors": fixed(
        "selec '{token}'",
        "select 1/0",
        "select * from nowhere",
        "select '{token}'::int",
        ";",
        " -- {token}",
        "do $$ begin raise notice '{token}'; end $$",
        "do $$ begin raise exception '{token}'; end $$",
    ),
    "commits": fixed(
        "begin",
        "begin",
        "start transaction read only",
        "begin isolation level serializable",
        "commit",
        "end",
        "rollback",
        "abort",
        "commit and chain",
        "rollback and chain",
        "savepoint a",
        "savepoint b",
        "rollback to a",
        "rollback to savepoint b",
        "release a",
        "set transaction read only",
    ),
    "parameters": [
        setting("set {name} = '{value}'"),
        setting("set session {name} to '{value}'"),
        setting("set local {name} = '{value}'"),
        setting("show {name}", PARAMETERS[:-4]),
        setting("show {name}", PARAMETERS[:-4]),
        setting("select coalesce(current_setting('{name}', true), '')"),
        setting("select set_config('{name}', '{value}', false)"),
        setting("select set_config('{name}', '{value}', true)"),
        *fixed(
            "set time zone 'Europe/Berlin'",
            "set names 'UTF8'",
            "set schema 'public'",
            "set session characteristics as transaction read only",
            "set session characteristics as transaction read write",
            "do $$ begin perform set_config('my.a', '{token}', false); end $$",
            "select pi(), '1 day'::interval, '\\x01'::bytea, date '2020-02-03'",
            "select 'a\\\\b', E'c\\\\d'",
        ),
    ],
    "resets": [
        setting("set {name} to default"),
        setting("reset {name}"),
        *fixed(
            "reset all",
            "set time zone default",
            "set role none",
            "reset role",
            "discard all",
        ),
    ],
    "roles": fixed(
        "set role differential",
        "set role nowhere",
        "set local role differential",
        "select current_user, session_user",
        "show role",
        "select * from {table} order by 1",
    ),
    "prepared": fixed(
        "prepare x as select '{token}'",
        "prepare y(int) as select $1 + {n}",
        "prepare z as insert into {table} (words) values ('{token}')",
        "prepare x as selec",
        "execute x",
        "execute y(1)",
        "execute y(1, 2)",
        "execute z",
        "deallocate x",
        "deallocate prepare y",
        "prepare a as select 'a', '{token}'",
        "prepare b(int) as select {n} - $1",  # not the text of y: differential_known
        "prepare x as select 1; execute x; deallocate x; execute x",
        "deallocate all; prepare y(int) as select -$1; execute y({n})",
        "explain (costs off) execute y(1)",
        "deallocate all",
    ),
    "named": fixed(
        "execute a",
        "execute b(1)",
        "execute c('2')",
        "deallocate a",
        "deallocate prepare b",
        "deallocate all",
    ),
    "discards": fixed(
        "discard plans", "discard temp", "discard sequences", "select '{token}'"
    ),
    "temporary": fixed(
        "create temp table mine (n int)",
        "create temp table mine (n int) on commit drop",
        "create temp table if not exists mine (n int)",
        "insert into mine values ({n})",
        "select count(*) from mine",
        "drop table mine",
        "drop table if exists mine",
        "discard temp",
    ),
    "cursors": fixed(
        "declare d cursor for select n from generate_series(1, 5) n",
        "declare d scroll cursor with hold for select n, '{token}' from generate_series(1, 5) n",
        "declare e cursor with hold for select '{token}'",
        "fetch {n} from d",
        "fetch all in e",
        "move 1 in d",
        "close d",
        "close e",
        "close all",
        "select name, is_holdable from pg_cursors where name <> '' order by 1",
    ),
    "locks": fixed(
        "select pg_advisory_lock({key})",
        "select pg_try_advisory_lock({key})",
        "select pg_advisory_xact_lock({key})",
        "select pg_advisory_lock_shared({key})",
        "select pg_advisory_unlock({key})",
        "select pg_advisory_unlock_shared({key})",
        "select pg_advisory_unlock_all()",
        "select objid, mode from pg_locks where locktype = 'advisory'"
        " and pid = pg_backend_pid() order by 1, 2",
    ),
    "channels": fixed("listen a", "unlisten *", "select * from pg_listening_channels()"),
    "sequences": fixed("select nextval('counter') > 0", "select lastval() > 0"),
}
for name in LEFT_OUT:
    del FEATURES[name]
