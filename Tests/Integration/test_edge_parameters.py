"""Session parameters: what a client sets stays its own, and nobody else's."""

import pytest
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.postgres import PASSWORDS
from support.programs import run, succeed
from support.wire import SYNC, Client, LoginRefused, bind, execute, parse, values

pytestmark = pytest.mark.pgweir_only
FUNCTIONS = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'edge_role') then
    create role edge_role; grant edge_role to app;
  end if;
end $$;
create or replace function edge_set(text, text) returns text language plpgsql as
  $$ begin perform set_config($1, $2, false); return $2; end $$;
create or replace function edge_set_own() returns text language plpgsql as
  $$ begin perform set_config('lock_timeout', '7s', false); return 'done'; end $$;
"""
SETTERS = {
    "work_mem": "5MB",
    "default_transaction_read_only": "on",
    "statement_timeout": "70s",
    "row_security": "off",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "client_encoding": "latin1",
    "client_min_messages": "error",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
    "timezone": "Asia/Tokyo",
    "search_path": "nowhere, pg_catalog",
    "application_name": "it's \\ \"quoted\"",
    "default_transaction_isolation": "serializable",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "edge.custom": "ten''ant",
}
PROBE = "select '\\x00ff'::bytea, '2026-02-01'::date, 'ä', 0.1::float8, interval '1'"


def literal(value):
    return "'" + value.replace("'", "''") + "'"


def batch(client, *frames):
    client.send(*frames, SYNC)
    return client.until_ready()


@pytest.mark.parametrize("name", SETTERS)
def test_a_poisonous_setting_is_its_setters_alone(edge, name):
    def scenario(world):
        a, b = world.connect(), world.connect()
        a.ask(f"set {name} to {literal(SETTERS[name]) if name != 'datestyle' else 'German, DMY'}")
        for _ in range(2):
            for client in (b, a):
                client.ask(f"select coalesce(current_setting('{name}', true), '')")
                client.ask(PROBE)
                client.ask("begin; create table edge_never (n int)")
                client.ask("rollback")
        a.ask(f"reset {name}")
        b.ask(f"select coalesce(current_setting('{name}', true), '')")
        a.ask(f"select coalesce(current_setting('{name}', true), '')")
        a.ask(PROBE)

    edge.same(scenario)


def test_a_statement_timeout_too_short_for_anything(edge):
    """The pooler's own questions run under it as well."""

    def scenario(world):
        a, b = world.connect(), world.connect()
        a.ask("set statement_timeout to '1ms'")
        a.ask("select pg_sleep(0.05)")
        b.ask("select pg_sleep(0.01)")
        b.ask("show statement_timeout")
        a.ask("select pg_sleep(0.05)")

    edge.same(scenario)


TRANSACTIONAL = {
    "rolled back": ["begin", "set work_mem to '1MB'", "rollback"],
    "committed": ["begin", "set work_mem to '1MB'", "commit"],
    "local": ["begin", "set local work_mem to '1MB'", "show work_mem", "commit"],
    "local behind one for good": [
        *("begin", "set work_mem to '2MB'", "set local work_mem to '1MB'", "commit"),
    ],
    "to a savepoint": [
        *("begin", "savepoint s", "set work_mem to '1MB'", "rollback to s", "commit"),
    ],
    "before and behind a savepoint": [
        *("begin", "set work_mem to '1MB'", "savepoint s", "set work_mem to '2MB'"),
        *("rollback to savepoint s", "commit"),
    ],
    "in a failed block": ["begin", "set work_mem to '1MB'", "select 1/0", "commit"],
    "behind a failure": ["begin", "select 1/0", "set work_mem to '1MB'", "commit"],
    "in one message that fails": ["set work_mem to '1MB'; select 1/0"],
    "in one message that does not": ["set work_mem to '1MB'; select 1"],
    "reset and rolled back": ["set work_mem to '1MB'", "begin", "reset all", "rollback"],
    "reset in a block": ["set work_mem to '1MB'", "begin", "reset work_mem", "commit"],
    "reset all": ["set work_mem to '1MB'", "set timezone to 'Asia/Tokyo'", "reset all"],
    "discard all": ["set work_mem to '1MB'", "set timezone to 'Asia/Tokyo'", "discard all"],
    "default": ["set work_mem to '1MB'", "set work_mem to default"],
    "reported, rolled back": ["begin", "set timezone to 'Asia/Tokyo'", "rollback"],
    "reported, in a failed block": [
        *("begin", "set timezone to 'Asia/Tokyo'", "select 1/0", "show timezone", "commit"),
    ],
    "chained": ["begin", "set work_mem to '1MB'", "commit and chain", "rollback"],
    "chained and rolled back": [
        *("begin", "set work_mem to '1MB'", "rollback and chain", "show work_mem", "commit"),
    ],
    "set_config": ["select set_config('work_mem', '1MB', false)"],
    "local set_config": ["select set_config('work_mem', '1MB', true)"],
    "set_config of a computed name": ["select set_config('work_' || 'mem', '1MB', false)"],
    "set_config of a computed scope": ["select set_config('work_mem', '1MB', 1 > 2)"],
    "update": ["update pg_settings set setting = 1024 where name = 'work_mem'"],
    "update in a cte": [
        "with x as (select 1) update pg_catalog.pg_settings set setting = 1024"
        " where name = 'work_mem'"
    ],
    "do": ["do $$ begin perform set_config('work_mem', '1MB', false); end $$"],
    "comments and case": ["/* x */ SeT /* y */ SESSION -- z\n work_mem = '1MB'"],
    "quoted": ["set \"work_mem\" = '1MB'"],
    "unicode": ["set U&\"w\\006frk_mem\" = '1MB'"],
    "characteristics": ["set session characteristics as transaction read only"],
    "names": ["set names 'latin1'"],
    "time zone": ["set time zone interval '+02:00' hour to minute"],
    "time zone local": ["set time zone 'Asia/Tokyo'", "set time zone local"],
    "empty search_path": ["set search_path to ''"],
    "a function's own SET": [
        "create or replace function pg_temp.f() returns text language sql set work_mem to '1MB'"
        " as $$ select current_setting('work_mem') $$",
        "select pg_temp.f()",
        "drop function pg_temp.f()",
    ],
    "procedure": [
        "create or replace procedure edge_procedure() language plpgsql as"
        " $$ begin perform set_config('work_mem', '1MB', false); end $$",
        "call edge_procedure()",
        "drop procedure edge_procedure",
    ],
}
STATE = "select " + ", ".join(
    f"current_setting('{name}')"
    for name in (
        *("work_mem", "timezone", "client_encoding", "search_path"),
        "default_transaction_read_only",
    )
)


@pytest.mark.parametrize("way", TRANSACTIONAL)
def test_set_and_what_becomes_of_it(edge, way):
    def scenario(world):
        a, b = world.connect(), world.connect()
        for sql in TRANSACTIONAL[way]:
            a.ask(sql)
        for client in (b, a, b, a):
            client.ask(STATE)

    edge.same(scenario)


HIDDEN = {
    "bound name": (parse("select set_config($1, $2, false)"), bind(["work_mem", "1MB"]), execute()),
    "bound name, cast": (
        *(parse("select set_config($1::text, $2::text, $3::bool)"),),
        *(bind(["work_mem", "1MB", "f"]), execute()),
    ),
    "bound name, in a named statement": (
        *(parse("select set_config($2, $1, false)", "s"),),
        *(bind(["1MB", "Work_Mem"], name="s"), execute()),
    ),
    "a SET by the extended protocol": (parse("set work_mem to '1MB'"), bind(), execute()),
    "local first": (
        *(parse("select set_config('work_mem', '1MB', true)"), bind(), execute()),
        *(parse("select set_config('work_mem', '2MB', false)"), bind(), execute()),
    ),
}


@pytest.mark.parametrize("way", HIDDEN)
def test_a_set_by_the_extended_protocol(edge, way):
    def scenario(world):
        a, b = world.connect(), world.connect()
        batch(a, *HIDDEN[way])
        for client in (b, a, b, a):
            client.ask("show work_mem")

    edge.same(scenario)


@pytest.mark.parametrize(
    "call",
    [
        "select edge_set('lock_timeout', '7s')",
        "select edge_set_own()",
        "select edge_set('timezone', 'Asia/Tokyo')",
        "select * from edge_set_own()",
    ],
)
def test_a_set_inside_a_function(edge, call):
    def scenario(world):
        a, b = world.connect(), world.connect()
        a.ask(call)
        for client in (b, a, b, a):
            client.ask("show lock_timeout")
            client.ask("show timezone")

    edge.same(scenario, before=FUNCTIONS)


def test_pg_dump_leaves_nothing(edge):
    succeed(run("pg_dump", edge.pooler, "--schema-only"))
    edge.check_aftermath()


@pytest.mark.parametrize(
    "role", ["set role edge_role", "select set_config('role', $$edge_role$$, false)"]
)
class TestRole:
    def test_it_stays_its_clients(self, edge, role):
        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask(role)
            for client in (b, a, b, a):
                client.ask("select current_user, session_user")
            a.ask("reset role")
            for client in (b, a):
                client.ask("select current_user, session_user")

        edge.same(scenario, before=FUNCTIONS)

    def test_its_client_dies(self, edge, role):
        def scenario(world):
            a = world.connect()
            a.ask("select pg_advisory_lock(1)")
            a.ask(role)
            a.abandon()
            b = world.connect()
            b.ask("select current_user, session_user")

        edge.same(scenario, before=FUNCTIONS)

    def test_it_is_dropped(self, edge, role):
        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask(role)
            a.abandon()
            b.ask("select 1")
            world.sql("drop role edge_role")
            b.ask("select current_user")
            world.connect().ask("select current_user")

        edge.same(scenario, before=FUNCTIONS)


BOSS = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'edge_boss') then
    create role edge_boss login superuser password 'boss';
  end if;
end $$
"""


@pytest.fixture
def bosses(edges, postgres, setting):
    """A pool of a superuser's."""
    postgres.sql(BOSS)
    return edges(setting, what={"secrets": dict(PASSWORDS, edge_boss="boss")}, query_wait_timeout=9)


@pytest.mark.parametrize(
    "change",
    [
        "set session authorization other",
        "set session_authorization to 'other'",
        "begin; set session authorization other; rollback",
        "set session authorization other; set role none",
        "set session_replication_role to replica",
        "set role other; set session authorization other",
    ],
)
@pytest.mark.parametrize("dies", [False, True], ids=["stays", "dies"])
def test_what_only_a_superuser_may_set(bosses, change, dies):
    probe = "select current_user, session_user, current_setting('session_replication_role')"

    def scenario(world):
        a = world.connect("edge_boss", password="boss")
        b = world.connect("edge_boss", password="boss")
        a.ask(change)
        b.ask(probe)
        if dies:
            a.ask("set work_mem to '1MB'")
            a.abandon()
        else:
            a.ask(probe)
            b.ask(probe)
            a.ask("reset session authorization")
            a.ask(probe)
        b.ask(probe)
        b.ask("show work_mem")
        world.connect("edge_boss", password="boss").ask(probe)

    bosses.same(scenario)


STARTUP = {
    "enable_seqscan": "off",
    "TimeZone": "Asia/Tokyo",
    "search_path": "a, \"B c\"",
    "statement_timeout": "61s",
    "client_encoding": "LATIN1",
    "options": "-c work_mem=1MB -cenable_hashjoin=off",
    "DateStyle": "German",
    "application_name": "x'y\\z",
}


@pytest.mark.parametrize("name", STARTUP)
def test_a_startup_parameter_is_its_clients_alone(edge, name):
    names = ["work_mem", "enable_hashjoin"] if name == "options" else [name]

    def scenario(world):
        a, b = world.connect(**{name: STARTUP[name]}), world.connect()

        def look():
            for client in (b, a):
                for each in names:
                    client.ask(f"show {each}")

        look()
        look()
        for reset in ("reset all", f"reset {names[0]}", "discard all", "set timezone to 'UTC'"):
            a.ask(f"set {names[0]} to default")
            a.ask(reset)
            look()
        b.ask("reset all")
        look()

    edge.same(scenario)


def test_a_startup_value_that_was_changed_comes_back_at_reset(edge):

    def scenario(world):
        a = world.connect(work_mem="1MB", TimeZone="Asia/Tokyo")
        b = world.connect(work_mem="2MB")
        for reset in ("reset work_mem", "reset all", "discard all", "set work_mem to default"):
            a.ask("set work_mem to '3MB'")
            a.ask("set timezone to 'Europe/Vienna'")
            b.ask("show work_mem")
            a.ask(reset)
            b.ask("show timezone")
            for client in (b, a):
                client.ask("show work_mem")
                client.ask("show timezone")

    edge.same(scenario)


@pytest.mark.parametrize(
    "parameters",
    [{"TimeZone": "Nowhere"}, {"no_such_thing": "1"}, {"work_mem": "much"}, {"options": "-c x"}],
    ids=str,
)
def test_a_bad_startup_parameter_is_refused_at_login(edge, parameters):
    def scenario(world):
        with Client(world.port) as client, pytest.raises(LoginRefused) as caught:
            client.login("app", PASSWORDS["app"], **parameters)
        error = caught.value.error
        found.append((error["S"], error["C"], error["M"]))

    found = []
    edge.same(scenario)
    assert found[0] == found[1]


def test_settings_that_one_client_changes_while_another_looks(edge):
    """Ten clients, each with parameters of its own, in turn."""

    def scenario(world):
        clients = [world.connect() for _ in range(6)]
        for number, client in enumerate(clients):
            client.ask(f"set work_mem to '{number + 1}MB'")
            client.ask(f"set timezone to 'Etc/GMT+{number + 1}'")
        for _ in range(3):
            for number, client in enumerate(clients):
                assert client.value("show work_mem") == f"{number + 1}MB"
                assert client.value("show timezone") == f"Etc/GMT+{number + 1}"
                assert values(batch(client, parse("show work_mem"), bind(), execute()))

    edge.same(scenario)
