"""What a client sets stays that client's, in transaction mode, and reaches nobody else."""

import time

import psycopg
import pytest

pytestmark = pytest.mark.pgweir_or_direct
SETTINGS = {"default_pool_size": 1, "audit_releases": True}


@pytest.fixture
def two(pooler):
    """Two clients that share one server."""
    with (
        psycopg.connect(pooler.uri(), autocommit=True) as first,
        psycopg.connect(pooler.uri(), autocommit=True) as second,
    ):
        yield first, second


def show(connection, name):
    return connection.execute(f"select current_setting('{name}', true)").fetchone()[0]


@pytest.mark.parametrize(
    ("statement", "name", "value"),
    [
        ("set search_path = a, b", "search_path", "a, b"),
        ("set work_mem = '7MB'", "work_mem", "7MB"),
        ("set statement_timeout = 12345", "statement_timeout", "12345ms"),
        ("select set_config('work_mem', '8MB', false)", "work_mem", "8MB"),
        ("set app.tenant = 'it''s'", "app.tenant", "it's"),
        ("set default_transaction_read_only = on", "default_transaction_read_only", "on"),
        ("set time zone 'Asia/Tokyo'", "timezone", "Asia/Tokyo"),
        ("do $$ begin perform set_config('work_mem', '9MB', false); end $$", "work_mem", "9MB"),
    ],
)
def test_a_setting_stays_with_its_client(two, statement, name, value):
    first, second = two
    default = show(second, name)
    first.execute(statement)
    assert show(second, name) in (default, "" if "." in name else default)
    assert show(first, name) == value
    assert show(second, name) in (default, "" if "." in name else default)
    first.execute(f"reset {name}")
    assert show(second, name) in (default, "" if "." in name else default)
    assert show(first, name) in (default, "")


def test_a_setting_right_behind_another_stays_too(two):
    first, second = two
    for _ in range(20):
        first.execute("set search_path = a")
        first.execute("set work_mem = '7MB'")
        assert show(second, "work_mem") == "4MB"
        assert show(first, "work_mem") == "7MB"
        first.execute("reset all")


def test_bound_names_of_set_config(two):
    first, second = two
    default = show(second, "work_mem")
    first.execute("select set_config(%s, %s, false)", ("work_mem", "6MB"))
    assert show(second, "work_mem") == default
    assert show(first, "work_mem") == "6MB"


def test_settings_follow_the_transaction(two):
    first, second = two
    first.execute("set work_mem = '5MB'")
    first.execute("begin")
    first.execute("set work_mem = '6MB'")
    first.execute("rollback")
    assert show(second, "work_mem") == "4MB"
    assert show(first, "work_mem") == "5MB"
    first.execute("begin")
    first.execute("set local work_mem = '7MB'")
    first.execute("savepoint a")
    first.execute("set work_mem = '8MB'")
    first.execute("rollback to a")
    first.execute("commit")
    assert show(second, "work_mem") == "4MB"
    assert show(first, "work_mem") == "5MB"


def test_reset_goes_back_to_the_startup_value(pooler):
    options = "-c work_mem=11MB -c datestyle=german"
    with (
        psycopg.connect(pooler.uri(), autocommit=True, options=options) as first,
        psycopg.connect(pooler.uri(), autocommit=True) as second,
    ):
        for statement in ("reset all", "discard all", "reset work_mem"):
            first.execute("set work_mem = '12MB'; set datestyle = sql")
            assert show(first, "work_mem") == "12MB"
            first.execute(statement)
            assert show(second, "work_mem") == "4MB"
            assert show(first, "work_mem") == "11MB"
            if "all" in statement:
                assert show(first, "datestyle").startswith("German")
            assert show(second, "datestyle").startswith("ISO")


def test_roles_stay_with_their_client(two, postgres):
    first, second = two
    postgres.sql("create role other_role; grant other_role to app")
    first.execute("set role other_role")
    for _ in range(2):
        assert second.execute("select current_user").fetchone() == ("app",)
        assert first.execute("select current_user").fetchone() == ("other_role",)
    first.execute("reset role")
    assert first.execute("select current_user").fetchone() == ("app",)


@pytest.mark.parametrize(
    ("take", "leave"),
    [
        ("create temp table mine (a int)", "drop table mine"),
        ("select pg_advisory_lock(77)", "select pg_advisory_unlock(77)"),
        (
            "declare held cursor with hold for select generate_series(1, 5)",
            "close held",
        ),
    ],
)
def test_a_server_is_kept_while_it_holds_something(start_pooler, take, leave):
    pooler = start_pooler({"default_pool_size": 2})
    with psycopg.connect(pooler.uri(), autocommit=True) as first:
        first.execute(take)
        (own,) = first.execute("select pg_backend_pid()").fetchone()
        with psycopg.connect(pooler.uri(), autocommit=True) as second:
            others = {second.execute("select pg_backend_pid()").fetchone()[0] for _ in range(5)}
            assert own not in others
            assert first.execute("select pg_backend_pid()").fetchone() == (own,)
        first.execute(leave)
        with psycopg.connect(pooler.uri(), autocommit=True) as second:
            second.execute("begin")
            second.execute("select 1")
            with psycopg.connect(pooler.uri(), autocommit=True) as third:
                # Needs the server that was kept.
                assert third.execute("select 1").fetchone() == (1,)
            second.execute("rollback")


def test_what_a_dead_client_left_is_gone(start_pooler, postgres):
    pooler = start_pooler({"default_pool_size": 1})
    first = psycopg.connect(pooler.uri(), autocommit=True)
    first.execute("set work_mem = '13MB'")
    first.execute("create temp table left_behind (a int)")
    first.execute("select pg_advisory_lock(78)")
    first.execute("declare held cursor with hold for select 1")
    first.pgconn.finish()
    began = time.monotonic()
    with psycopg.connect(pooler.uri(), autocommit=True) as second:
        assert show(second, "work_mem") == "4MB"
        assert time.monotonic() - began < 1
        assert second.execute("select count(*) from pg_cursors").fetchone() == (0,)
        assert second.execute("select to_regclass('left_behind')").fetchone() == (None,)
        row = second.execute("select count(*) from pg_locks where locktype = 'advisory'")
        assert row.fetchone() == (0,)


def test_deallocate_of_a_name_of_the_protocol(two):
    first, second = two
    first.pgconn.prepare(b"one", b"select 'first'")
    second.pgconn.prepare(b"one", b"select 'second'")
    assert first.pgconn.exec_prepared(b"one", []).get_value(0, 0) == b"first"
    assert first.execute("execute one").fetchone() == ("first",)
    assert second.execute("execute one").fetchone() == ("second",)
    first.execute("deallocate one")
    assert first.pgconn.exec_prepared(b"one", []).error_message.startswith(b"ERROR:")
    assert second.pgconn.exec_prepared(b"one", []).get_value(0, 0) == b"second"
    first.pgconn.prepare(b"one", b"select 'again'")
    assert first.pgconn.exec_prepared(b"one", []).get_value(0, 0) == b"again"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-c nosuch=1", 'unrecognized configuration parameter "nosuch"'),
        ("-c work_mem=abc", 'invalid value for parameter "work_mem": "abc"'),
        ("-c work_mem=5MB -c statement_timeout=x", 'invalid value for parameter "statement_timeout'),
    ],
)
def test_wrong_startup_parameters_fail_at_the_login(pooler, options, words):
    with pytest.raises(psycopg.OperationalError, match=words):
        psycopg.connect(pooler.uri(), options=options)
    with psycopg.connect(pooler.uri(), options="-c work_mem=5MB", autocommit=True) as connection:
        assert show(connection, "work_mem") == "5MB"
    with psycopg.connect(pooler.uri(), autocommit=True) as connection:
        assert show(connection, "work_mem") == "4MB"


@pytest.mark.pgweir_only
def test_an_audit_sees_what_no_text_shows(start_pooler, postgres):
    postgres.sql(
        "create or replace function hidden() returns text language sql as"
        " $$ select set_config('work_mem', '3MB', false) $$"
    )
    pooler = start_pooler(
        {"default_pool_size": 1, "audit_releases": True, "function_check_interval": 0}
    )
    with (
        psycopg.connect(pooler.uri(), autocommit=True) as first,
        psycopg.connect(pooler.uri(), autocommit=True) as second,
    ):
        first.execute("select hidden()")
        assert show(second, "work_mem") == "4MB"
        assert show(first, "work_mem") == "3MB"
    assert "audit: no text showed what it left: parameter work_mem" in pooler.log.read_text()


@pytest.mark.pgweir_only
def test_pins_can_be_refused(start_pooler):
    pooler = start_pooler({"pin_policy": "refuse"})
    with psycopg.connect(pooler.uri(), autocommit=True) as connection:
        connection.execute("create temp table gone (a int) on commit drop")
        connection.execute("create temp table kept (a int)")
        with pytest.raises(psycopg.Error):
            for _ in range(50):
                connection.execute("select 1")
                time.sleep(0.02)
    assert "refused (The session holds: temporary objects." in pooler.log.read_text()


@pytest.mark.pgweir_only
def test_pins_can_be_seen_and_limited(start_pooler):
    pooler = start_pooler({"max_pinned_servers": 1})
    with (
        psycopg.connect(pooler.uri(), autocommit=True) as first,
        psycopg.connect(pooler.uri(), autocommit=True) as second,
    ):
        first.execute("select pg_advisory_lock(1)")
        # Goes behind whatever the server is asked.
        first.execute("select 1")
        with psycopg.connect(pooler.uri("pgweir", user="admin"), autocommit=True) as console:
            cursor = console.execute("show clients")
            names = [column.name for column in cursor.description]
            pins = [row[names.index("pinned_by")] for row in cursor.fetchall()]
        assert sorted(filter(None, pins)) == ["advisory locks"]
        second.execute("create temp table kept (a int)")
        with pytest.raises(psycopg.Error):
            for _ in range(50):
                second.execute("select 1")
                time.sleep(0.02)
        assert "max_pinned_servers is 1." in pooler.log.read_text()
        first.execute("select pg_advisory_unlock(1)")
        with psycopg.connect(pooler.uri(), autocommit=True) as third:
            third.execute("create temp table kept (a int)")
            for _ in range(3):
                assert third.execute("select count(*) from kept").fetchone() == (0,)


@pytest.mark.parametrize(
    "statements",
    [
        ["do $$ begin perform set_config('app.hidden', 'x', false); end $$"],
        ["do $$ begin execute 'set app.hidden = ''x'''; end $$"],
        ["prepare p as select set_config('app.hidden', 'x', false)", "execute p", "deallocate p"],
        ["prepare p as select pg_advisory_lock(5)", "execute p", "deallocate p"],
        ["set search_path = pg_temp", "create table mine (a int)"],
        ["select 1 --" + "x" * 1_100_000 + "\n, pg_advisory_lock(6)"],
    ],
)
def test_what_is_hidden_does_not_reach_another(start_pooler, statements):
    pooler = start_pooler({"default_pool_size": 1, "query_wait_timeout": 2})
    with psycopg.connect(pooler.uri(), autocommit=True) as first:
        for statement in statements:
            first.execute(statement)
    with psycopg.connect(pooler.uri(), autocommit=True) as second:
        assert show(second, "app.hidden") in (None, "")
        (count,) = second.execute(
            "select count(*) from pg_locks where locktype = 'advisory'"
        ).fetchone()
        assert count == 0
        assert second.execute("select to_regclass('pg_temp.mine')").fetchone() == (None,)


def test_sequences_are_read_only_by_who_wrote_them(pooler, postgres):
    postgres.sql(
        "drop sequence if exists numbers; create sequence numbers; grant all on numbers to app"
    )
    with (
        psycopg.connect(pooler.uri(), autocommit=True) as first,
        psycopg.connect(pooler.uri(), autocommit=True) as second,
    ):
        first.execute("select nextval('numbers')")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            second.execute("select currval('numbers')")
        with first.transaction():
            assert first.execute("select nextval('numbers')").fetchone() == (2,)
            assert first.execute("select currval('numbers')").fetchone() == (2,)


def test_after_setseed_nobody_else_gets_the_same_random_numbers(pooler):
    def two_numbers():
        with psycopg.connect(pooler.uri(), autocommit=True) as first:
            first.execute("select setseed(0.5)")
            own = first.execute("select random()").fetchone()
        with psycopg.connect(pooler.uri(), autocommit=True) as second:
            return own, second.execute("select random()").fetchone()

    (own, other), (again, another) = two_numbers(), two_numbers()
    assert own == again
    assert other != another


def test_a_reset_while_the_server_is_kept(start_pooler):
    """The startup values come back on the own server, and nothing of that reaches another."""
    pooler = start_pooler({"default_pool_size": 2, "workers": 1})
    options = "-c work_mem=11MB"
    with (
        psycopg.connect(pooler.uri(), autocommit=True, options=options) as first,
        psycopg.connect(pooler.uri(), autocommit=True) as second,
    ):
        first.execute("create temp table mine (a int)")
        for _ in range(10):
            first.execute("reset all")
            assert show(second, "work_mem") == "4MB"
            assert second.execute("select 1").fetchone() == (1,)
            assert show(first, "work_mem") == "11MB"
