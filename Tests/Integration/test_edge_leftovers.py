"""What a session can hold beside parameters: its client keeps it, and nobody else meets it."""

import pytest
from support.edges import ALONE, edge, edges, fresh, setting  # noqa: F401
from support.processes import wait_until
from support.wire import SYNC, bind, error_code, execute, parse, query, values

pytestmark = pytest.mark.pgweir_only
FUNCTIONS = """
create or replace function edge_lock() returns text language plpgsql as
  $$ begin perform pg_advisory_lock(24); return 'locked'; end $$;
create or replace function edge_temp() returns text language plpgsql as
  $$ begin create temp table edge_hidden (n int); return 'made'; end $$;
drop sequence if exists edge_numbers; create sequence edge_numbers;
grant all on edge_numbers to app;
drop table if exists edge_serial; create table edge_serial (n serial, words text);
alter table edge_serial owner to app;
"""
LOCKS = "select count(*) from pg_locks where objid in (24, 25) and pid = pg_backend_pid()"
KINDS = {
    "temp table": (
        *("create temp table mine as select 1 as n", "select * from mine", "drop table mine"),
    ),
    "temp table as": (
        *("select 1 as n into temp mine", "select * from mine", "drop table pg_temp.mine"),
    ),
    "temp view": (
        *("create temporary view mine as select 1 as n", "select * from mine", "drop view mine"),
    ),
    "temp function": (
        "create function pg_temp.mine() returns int language sql as 'select 1'",
        "select proname from pg_proc where pronamespace = pg_my_temp_schema()",
        "drop function pg_temp.mine()",
    ),
    "temp type": (
        "create type pg_temp.mine as (n int)",
        "select typname from pg_type where typnamespace = pg_my_temp_schema() order by 1",
        "drop type pg_temp.mine",
    ),
    "temp by search_path": (
        "set search_path to pg_temp, public; create table mine (n int); reset search_path",
        *("select * from mine", "drop table mine"),
    ),
    "cursor with hold": (
        "declare mine cursor with hold for select generate_series(1, 9)",
        *("fetch 2 from mine", "close mine"),
    ),
    "cursor with hold, in a block": (
        "begin; declare mine cursor with hold for select generate_series(1, 9); commit",
        *("fetch 2 from mine", "close all"),
    ),
    "listen": ("listen mine", "select pg_listening_channels()", "unlisten mine"),
    "sql prepare": ("prepare mine as select 1", "execute mine", "deallocate mine"),
    "advisory lock": (
        "select pg_advisory_lock(24)",
        *(LOCKS, "select pg_advisory_unlock(24)"),
    ),
    "two advisory locks": (
        "select pg_try_advisory_lock(24), pg_advisory_lock_shared(25)",
        LOCKS,
        "select pg_advisory_unlock_all()",
    ),
    "lock behind a set": (
        "set work_mem to '1MB'; select pg_advisory_lock(24); reset work_mem",
        LOCKS,
        "select pg_advisory_unlock(24)",
    ),
}
RIGHT_FOR_NOBODY_ELSE = {
    "load": ("load 'auto_explain'", "show auto_explain.log_min_duration"),
    "seed": ("select setseed(0.5)", "select random()"),
    "set seed": ("set seed to 0.25", "select random()"),
    "large object outside of a transaction": (
        "select lo_open(lo_create(0), 131072)",
        "select loread(0, 1)",
    ),
    "lock by a function": (
        "select edge_lock()",
        LOCKS,
    ),
    "temp table by a function": ("select edge_temp()", "select * from edge_hidden"),
    "lock of the transaction": (
        "select pg_advisory_xact_lock(24)",
        LOCKS,
    ),
    "cursor without hold": (
        "begin; declare mine cursor for select 1; commit",
        "fetch 1 from mine",
    ),
    "rolled back": ("begin; create temp table mine (n int); rollback", "select * from mine"),
    "temp table on commit drop": (
        "begin; create temp table mine (n int) on commit drop; commit",
        "select * from mine",
    ),
    "prepare rolled back": ("begin; prepare mine as select 1; rollback", "execute mine"),
}


@pytest.mark.parametrize("kind", KINDS)
class TestKinds:
    def test_it_is_kept_over_transactions_and_goes_with_its_client(self, edge, kind):
        make, look, _ = KINDS[kind]
        # In a transaction block it is not known to the server: Docs/TransactionMode.md.
        inside = "select 2" if kind == "listen" else look

        def scenario(world):
            a = world.connect()
            for sql in (make, look, "select 1", "begin", inside, "commit", look):
                a.ask(sql)
            a.abandon()
            b = world.connect()
            for sql in (look, make, look):
                b.ask(sql)

        edge.same(scenario)

    def test_its_server_is_free_once_it_is_gone(self, edge, kind):
        make, look, remove = KINDS[kind]

        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask(make)
            b.send(query(look.replace("objid", "0")))
            a.ask(look)
            a.ask(remove)
            b.until_ready()
            for client in (a, b):
                client.ask(look)

        edge.same(scenario)

    def test_it_is_made_by_the_extended_protocol(self, edge, kind):
        make, look, _ = KINDS[kind]

        def scenario(world):
            a = world.connect()
            for part in make.split("; "):
                a.send(parse(part), bind(), execute())
            a.send(SYNC)
            a.until_ready()
            a.settle()
            a.ask(look)
            a.abandon()
            world.connect().ask(look)

        edge.same(scenario)


@pytest.mark.parametrize("kind", RIGHT_FOR_NOBODY_ELSE)
def test_the_next_client_meets_nothing(edge, kind):
    make, look = RIGHT_FOR_NOBODY_ELSE[kind]

    def scenario(world):
        a = world.connect()
        a.ask(make)
        a.ask(look)
        a.abandon()
        b = world.connect()
        b.ask(look)
        if "seed" in kind:
            row = b.trace.pop(1)
            assert values([row]) != values(a.trace[-3:])

    edge.same(scenario, before=FUNCTIONS)


@pytest.mark.parametrize("look", ["select lastval()", "select currval('edge_numbers')"])
class TestWhatASequenceGaveLast:
    """In the same transaction, as without a pooler. Later: Docs/TransactionMode.md."""

    def test_in_one_transaction(self, edge, look):
        def scenario(world):
            a, b = world.connect(), world.connect()
            for _ in range(3):
                for client in (a, b):
                    for sql in ("begin", "select nextval('edge_numbers')", look, "commit"):
                        client.ask(sql)
            a.ask(f"select nextval('edge_numbers'); {look}")

        edge.same(scenario, before=FUNCTIONS)

    def test_who_has_taken_none_is_told_so(self, edge, look):
        def scenario(world):
            a, b = world.connect(), world.connect()
            for _ in range(3):
                b.ask(look)
                a.ask("select nextval('edge_numbers')")

        edge.same(scenario, before=FUNCTIONS)

    def test_it_is_unknown_once_and_never_another_clients(self, edge, look):
        """The one difference: the first time in a later transaction, 55000."""

        def scenario(world):
            clients = [world.connect(), world.connect()]
            if edge.name == ALONE:
                # Each keeps its server from the second time on.
                clients.pop()
            for client in clients:
                client.ask("select nextval('edge_numbers')")
            for client in clients:
                count = len(client.trace)
                messages = client.ask(look)
                assert (error_code(messages) == "55000") != world.is_direct, messages
                del client.trace[count:]
            for _ in range(3):
                for client in clients:
                    client.ask("select nextval('edge_numbers')")
                for client in clients:
                    client.ask(look)
            clients[0].ask("insert into edge_serial (words) values ('a')")
            clients[0].ask("select lastval()")

        edge.same(scenario, before=FUNCTIONS)

    def test_two_clients_of_one_server(self, edges, look):
        """Only one of them can keep it: the other one gets an error, or waits; no wrong value."""
        edge = edges(ALONE, query_wait_timeout=0.3)

        def scenario(world):
            a, b = world.connect(), world.connect()
            own = {}
            for client in (a, b, a, b):
                own[client] = client.run("select nextval('edge_numbers')")
            for client in (a, b):
                assert error_code(client.ask(look)) == "55000"
            own[a] = a.run("select nextval('edge_numbers')")
            b.send(query("select nextval('edge_numbers')"))
            tag, body = b.message()
            assert (tag, body["M"]) == ("E", "query_wait_timeout")
            assert a.run(look) == own[a]

        edge.only(scenario, before=FUNCTIONS)


@pytest.mark.parametrize(
    "way",
    [
        ["select pg_advisory_lock(24)"],
        ["set work_mem to '1MB'; select pg_advisory_lock(24)"],
        ["begin", "select pg_advisory_lock(24)"],
        ["begin", "select pg_advisory_lock(24)", "selec"],
        ["begin", "select pg_advisory_lock(24)", "rollback"],
        ["select pg_catalog . pg_advisory_lock ( 24 )"],
        ["select \"pg_advisory_lock\"(24)"],
        ["with x as (select pg_try_advisory_lock(24) as it) select it from x"],
        ["do $$ begin perform pg_advisory_lock(24); end $$"],
        ["prepare p as select pg_advisory_lock(24)", "execute p"],
        ["select edge_lock()"],
    ],
    ids=lambda way: way[-1] if len(way) == 1 else f"{way[0]} … {way[-1]}",
)
def test_a_lock_whose_client_is_killed(edge, way):
    def scenario(world):
        a = world.connect()
        for sql in way:
            a.ask(sql)
        a.abandon()
        locks = "select 1 from pg_locks where locktype = 'advisory'"
        wait_until(lambda: not world.watch(locks), 1, what="the lock to go")
        b = world.connect()
        b.ask("select pg_try_advisory_lock(24)")
        b.ask("select pg_advisory_unlock(24)")

    edge.same(scenario, before=FUNCTIONS)


@pytest.mark.parametrize("name", ["s", ""])
def test_a_lock_by_a_prepared_text_whose_client_is_killed(edge, name):
    def scenario(world):
        a = world.connect()
        a.send(parse("select pg_advisory_lock($1)", name), SYNC)
        a.until_ready()
        world.connect().ask("select 1")
        a.send(bind(["24"], name=name), execute(), SYNC)
        a.until_ready()
        a.abandon()
        locks = "select 1 from pg_locks where locktype = 'advisory'"
        wait_until(lambda: not world.watch(locks), 1, what="the lock to go")
        world.connect().ask("select pg_try_advisory_lock(24)")

    edge.same(scenario, before=FUNCTIONS)


FOLLOWS = {
    "lock": ("select pg_advisory_lock(24)", LOCKS, "0"),
    "temp table": ("create temp table mine (n int)", "select to_regclass('mine') is null", "t"),
    "parameter": ("set lock_timeout to '5s'", "show lock_timeout", "0"),
    "channel": ("listen mine", "select count(*) from pg_listening_channels()", "0"),
}


@pytest.mark.parametrize("what", FOLLOWS)
def test_what_follows_while_the_pooler_asks(edge, what):
    """It asks what SET has done; what the next statement does must not be forgotten over that."""
    make, look, nothing = FOLLOWS[what]

    def scenario(world):
        for _ in range(40):
            a = world.connect()
            a.ask_at_once("set work_mem to '1MB'")
            a.ask_at_once(make)
            a.abandon()
            for _ in range(edge.pool_size * 2):
                b = world.connect()
                assert b.value(look) == nothing
                b.abandon()

    edge.only(scenario)
