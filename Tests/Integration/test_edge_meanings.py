"""Texts that mean something else under other settings: nobody gets another client's meaning.

PostgreSQL reads a literal when it parses a statement, so a server's copy of a prepared statement
means what the settings of that moment say. There is one server here, which all clients share, and
each answer is compared with PostgreSQL's own.
"""

import random

import pytest
from support.postgres import PASSWORDS
from support.wire import SYNC, Client, bind, close, error_code, execute, parse, query, values

MEANINGS = {
    "TimeZone": (
        "select extract(epoch from '2020-01-01 00:00'::timestamptz)::int",
        ["UTC", "Asia/Tokyo", "America/Lima"],
    ),
    "DateStyle": ("select '02/03/2020'::date - '2020-01-01'::date", ["ISO, MDY", "ISO, DMY"]),
    "IntervalStyle": (
        "select extract(epoch from '-1 2:00:00'::interval)::int",
        ["postgres", "sql_standard"],
    ),
    "standard_conforming_strings": (r"select length('a\\b')", ["on", "off"]),
    "client_encoding": ("select length('ä')", ["UTF8", "LATIN1"]),
    "array_nulls": ("select ('{null}'::text[])[1] is null", ["on", "off"]),
    "extra_float_digits": ("select 'x' || (0.1::float8 + 0.2::float8)::text", ["1", "-3"]),
    "bytea_output": (r"select '\x4142'::bytea::text || 'x'", ["hex", "escape"]),
    "transform_null_equals": ("select (2 = null) is null", ["off", "on"]),
    "lc_monetary": ("select '$1,000.00'::money::numeric", ["C", "C.UTF-8"]),
}
pytestmark = pytest.mark.pgweir_only


@pytest.fixture
def pooler(start_pooler):
    return start_pooler({"default_pool_size": 1})


class Both:
    """One client, twice: with PostgreSQL and through the pooler."""

    def __init__(self, postgres, pooler, **more):
        self.clients = [Client(port) for port in (postgres.port, pooler.port)]
        for client in self.clients:
            client.login("app", PASSWORDS["app"], "app", **more)

    def ask(self, *messages):
        """The values of both, which are the same."""
        answers = []
        for client in self.clients:
            client.send(*messages)
            count = sum(message[:1] in (b"Q", b"S") for message in messages)
            messages_of = client.until_ready(count)
            answers.append((error_code(messages_of), values(messages_of)))
        assert answers[0] == answers[1], messages
        return answers[1]

    def close(self):
        for client in self.clients:
            client.abandon()


@pytest.mark.parametrize("setting", MEANINGS)
@pytest.mark.parametrize("how", ["login", "SET", "SET LOCAL", "set_config", "batch"])
def test_each_reads_as_its_own_settings_say(postgres, pooler, setting, how):
    text, choices = MEANINGS[setting]
    clients = {}
    for choice in choices * 2:
        more = {setting: choice} if how == "login" else {}
        clients.setdefault(choice, []).append(Both(postgres, pooler, **more))
    pairs = [(choice, client) for choice, them in clients.items() for client in them]
    for choice, client in pairs:
        prepared = parse(text, "q")
        if how == "SET":
            client.ask(query(f"set {setting} = '{choice}'"))
        elif how == "set_config":
            client.ask(query(f"select set_config('{setting}', '{choice}', false)"))
        elif how == "batch":
            put = parse(f"set {setting} = '{choice}'") + bind() + execute()
            client.ask(put, prepared, bind(name="q"), execute(), SYNC)
        elif how == "SET LOCAL":
            client.ask(query("begin"), query(f"set local {setting} = '{choice}'"))
            client.ask(prepared, bind(name="q"), execute(), SYNC)
            client.ask(parse(text), bind(), execute(), SYNC)
            client.ask(query(f"prepare p as {text}"), query("execute p"))
            client.ask(query("commit"))
        if how not in ("SET LOCAL", "batch"):
            client.ask(prepared, SYNC)
            client.ask(query(f"prepare p as {text}"))
    if how == "SET LOCAL":
        # What it means behind the transaction is another question: it is parsed anew.
        for _, client in pairs:
            client.ask(parse(text, "r"), bind(name="r"), execute(), SYNC)
    else:
        rng = random.Random(setting + how)
        found = {}
        for choice, client in rng.choices(pairs, k=40):
            answer = client.ask(bind(name="q"), execute(), SYNC)
            assert found.setdefault(choice, answer) == answer
            client.ask(parse(text), bind(), execute(), SYNC)
            if how != "batch":
                assert client.ask(query("execute p")) == answer
        differ = len(set(map(str, found.values())))
        assert differ == len(choices) or setting == "lc_monetary", found
    for _, client in pairs:
        client.close()


def test_today_is_the_day_of_the_own_parse(pooler, connect):
    """A copy that another client has parsed before is not used again."""
    first, second = connect(pooler.port), connect(pooler.port)
    text = "select extract(epoch from 'now'::timestamptz)::text"
    moments = []
    for client in (first, second, first):
        client.send(parse(text, "q") if len(moments) < 2 else b"", SYNC)
        client.until_ready()
        client.ask("select pg_sleep(0.01)")
        client.send(bind(name="q"), execute(), SYNC)
        moments += values(client.until_ready())
    assert moments[0] < moments[1]
    assert moments[2] == moments[0]


def test_a_statement_means_what_the_settings_say_when_it_is_used(pooler, connect):
    """On whatever server it is; and others keep their meaning."""
    text = MEANINGS["TimeZone"][0]
    mover, stayer = connect(pooler.port, TimeZone="UTC"), connect(pooler.port, TimeZone="UTC")
    for client in (mover, stayer):
        client.send(parse(text, "q"), SYNC)
        client.until_ready()
    for zone, wanted in (("Asia/Tokyo", b"1577804400"), ("UTC", b"1577836800")) * 2:
        mover.ask(f"set timezone = '{zone}'")
        for client, value in ((mover, wanted), (stayer, b"1577836800")):
            client.send(bind(name="q"), execute(), SYNC)
            assert values(client.until_ready()) == [(value,)]


PATHS = """
drop schema if exists meaning_a cascade; drop schema if exists meaning_b cascade;
create schema meaning_a; create schema meaning_b;
create table meaning_a.things (key int, other text); create table meaning_b.things (key text);
insert into meaning_a.things values (1, 'a'); insert into meaning_b.things values ('one');
grant usage on schema meaning_a, meaning_b to app;
grant select on all tables in schema meaning_a, meaning_b to app;
"""


@pytest.mark.parametrize("how", ["login", "SET"])
def test_parameters_are_of_the_types_that_the_own_path_gives_them(pooler, connect, postgres, how):
    """The first Parse settles the types of parameters; another schema's may be others."""
    postgres.sql(PATHS)
    clients = []
    for path in ("meaning_a", "meaning_b"):
        client = connect(pooler.port, **({"search_path": path} if how == "login" else {}))
        if how == "SET":
            client.ask(f"set search_path = {path}")
        clients.append(client)
    for client in clients:
        client.send(parse("select * from things where key = $1", "q"), SYNC)
        client.until_ready()
    for _ in range(3):
        for client, key, row in zip(clients, ("1", "one"), ((b"1", b"a"), (b"one",)), strict=True):
            client.send(bind([key], "q"), execute(), SYNC)
            assert values(client.until_ready()) == [row]


def test_texts_without_strings_are_shared_whatever_the_settings(pooler, connect):
    """Parsed once for all, as the console counts."""
    for zone in ("UTC", "Asia/Tokyo", "America/Lima"):
        client = connect(pooler.port, TimeZone=zone)
        client.send(parse("select $1::int + 41", "q"), SYNC)
        client.until_ready()
        client.send(bind(["1"], "q"), execute(), SYNC)
        assert values(client.until_ready()) == [(b"42",)]
    other = connect(pooler.port)
    other.send(query("select count(*) from pg_prepared_statements where statement like '%41'"))
    assert values(other.until_ready()) == [(b"1",)]


def test_what_nobody_shares_goes_with_its_name(pooler, connect):
    """Otherwise each Parse would leave a copy on the server."""
    client = connect(pooler.port)
    count = "select count(*) from pg_prepared_statements where statement like '%''today%'"
    for number in range(5):
        client.send(parse("select 'today'::date", f"q{number}"), SYNC)
        client.until_ready()
    assert values(client.ask(count)) == [(b"5",)]
    for number in range(5):
        client.send(close("S", f"q{number}"), SYNC)
        client.until_ready()
    assert values(client.ask(count)) == [(b"0",)]
