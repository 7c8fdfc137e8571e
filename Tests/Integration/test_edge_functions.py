"""What functions leave, and what calls them unseen: as if the text had shown it."""

import time

import pytest
from support.counting import Counter
from support.edges import edge, edges, fresh, setting  # noqa: F401
from support.processes import wait_until
from support.wire import SYNC, bind, execute, parse, query, values

pytestmark = pytest.mark.pgweir_only
FUNCTIONS = r'''
drop schema if exists edge_functions cascade; create schema edge_functions;
grant all on schema edge_functions to app;
set search_path to edge_functions;
create function leaves() returns text language plpgsql volatile as
  $$ begin perform set_config('lock_timeout', '7s', false); return 'done'; end $$;
create function leaves_dotted() returns text language plpgsql as
  $$ begin perform set_config('edge.tenant', '7', false); return 'done'; end $$;
create function puts(text, text) returns text language plpgsql as
  $$ begin perform set_config($1, $2, false); return 'done'; end $$;
create function sets() returns int language plpgsql as
  $$ begin if true then set lock_timeout to '7s'; end if; return 1; end $$;
create function runs(text) returns text language plpgsql as
  $$ begin execute $1; return 'done'; end $$;
create function calls() returns text language sql as 'select edge_functions.leaves()';
create function calls_calls() returns text
  begin atomic select 'x' where edge_functions.calls() is not null; end;
create function "With ""quotes""" () returns text language sql as
  'select edge_functions.leaves()';
create function "grün"() returns text language sql as 'select edge_functions.leaves()';
create function fires() returns trigger language plpgsql as
  $$ begin perform edge_functions.leaves(); return new; end $$;
create function fires_old() returns trigger language plpgsql as
  $$ begin perform edge_functions.leaves(); return old; end $$;
create function joins(text, int) returns text language sql as 'select edge_functions.leaves()';
create aggregate gathers(int) (sfunc = joins, stype = text);
create domain checked as text check (edge_functions.leaves() <> value);
create table with_trigger (n int primary key);
insert into with_trigger values (0);
create trigger t before insert on with_trigger for each row execute function fires();
create table with_default (n int, t text default edge_functions.calls());
create table with_check (n int check (edge_functions.leaves() <> n::text));
create table with_domain (c checked);
create table with_rule (n int);
create rule r as on insert to with_rule do also select edge_functions.leaves();
create table with_policy (n int); alter table with_policy enable row level security;
insert into with_policy values (1);
create policy p on with_policy for all to app using (edge_functions.leaves() = 'done');
create table with_parts (n int) partition by range (n);
create table part partition of with_parts for values from (0) to (9);
create trigger t after insert on part for each row execute function fires();
create table mother (n int primary key); insert into mother values (1), (2);
create table child (m int references mother on delete cascade); insert into child values (1), (2);
create trigger t after delete on child for each row execute function fires_old();
create view looks as select calls_calls() as c;
create view looks_at_view as select c from looks where c is not null;
create function inserts() returns text language plpgsql as
  $$ begin insert into edge_functions.with_trigger values (5); return 'x'; end $$;
create function harmless() returns text language sql as 'select ''done''::text';
create function turns() returns text language sql as 'select ''done''::text';
alter function turns() owner to app;
grant all on all tables in schema edge_functions to app;
reset search_path;
'''
CALLS = [
    "select edge_functions.leaves()",
    "select * from edge_functions.calls()",
    "select edge_functions . calls_calls ( )",
    "SELECT EDGE_FUNCTIONS.LEAVES()",
    'select "edge_functions"."leaves"()',
    'select U&"edge_functions".U&"leav\\0065s"()',
    '''select edge_functions."With ""quotes"""()''',
    'select edge_functions."grün"()',
    "select edge_functions.sets()",
    "select edge_functions.runs('set lock_timeout to ''7s''')",
    "select set_config('edge.x', edge_functions.leaves(), true)",
    "select edge_functions.gathers(n) from generate_series(1, 2) n",
    "select ('x'::edge_functions.checked)::text",
    "insert into edge_functions.with_trigger values (1)",
    "insert into edge_functions.with_default values (1)",
    "insert into edge_functions.with_check values (1)",
    "insert into edge_functions.with_domain values ('x')",
    "insert into edge_functions.with_rule values (1)",
    "insert into edge_functions.with_parts values (1)",
    "insert into edge_functions.part values (1)",
    "select * from edge_functions.with_policy",
    "delete from edge_functions.mother where n = 2",
    "select * from edge_functions.looks",
    "select count(*) from edge_functions.looks_at_view",
    "select edge_functions.inserts()",
    "explain (analyze, timing off, summary off, costs off, buffers off) select edge_functions.leaves()",
]


def batch(client, *frames):
    client.send(*frames, SYNC)
    return client.until_ready()


def look(world, *clients):
    for client in clients:
        client.ask("show lock_timeout")
        client.ask("select coalesce(current_setting('edge.tenant', true), '')")


@pytest.mark.parametrize("call", CALLS)
class TestItIsFollowed:
    def test_by_a_query(self, edge, call):
        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask(call)
            look(world, b, a, b, a)
            assert values(b.trace)[0] == (b"0",)

        edge.same(scenario, before=FUNCTIONS)

    def test_by_a_statement(self, edge, call):
        def scenario(world):
            a, b = world.connect(), world.connect()
            batch(a, parse(call, "s"))
            batch(b, parse(call, "s"))
            batch(a, bind(name="s"), execute())
            look(world, b, a, b, a)
            a.ask("reset lock_timeout")
            batch(a, parse(call.replace("(5)", "(6)")), bind(), execute())
            look(world, b, a)

        edge.same(scenario, before=FUNCTIONS)


def test_it_is_followed_by_execute(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        a.ask("prepare p as select edge_functions.calls()")
        look(world, b, a)
        a.ask("execute p")
        look(world, b, a)

    edge.same(scenario, before=FUNCTIONS)


@pytest.mark.parametrize("call", ["leaves_dotted()", "puts('edge.tenant', '7')"])
def test_a_parameter_with_dots(edge, call):
    def scenario(world):
        a = world.connect()
        a.ask(f"select edge_functions.{call}")
        b = world.connect()
        b.ask("select coalesce(current_setting('edge.tenant', true), '')")
        a.ask("select current_setting('edge.tenant', true)")

    edge.same(scenario, before=FUNCTIONS)


def test_one_that_is_rolled_back(edge):
    def scenario(world):
        a, b = world.connect(), world.connect()
        for sql in ("begin", "select edge_functions.leaves()", "rollback"):
            a.ask(sql)
        look(world, a, b)

    edge.same(scenario, before=FUNCTIONS)


LEAVES = "create or replace function edge_functions.{0}() returns text language sql as $$ {1} $$"
SETS = "select set_config('lock_timeout', '7s', false)"


class TestChanges:
    @pytest.mark.parametrize("by", ["query", "batch", "do", "block", "execute"])
    def test_one_that_others_have_prepared(self, edge, by):
        def scenario(world):
            a, b, c = world.connect(), world.connect(), world.connect()
            for client in (a, b):
                batch(client, parse("select edge_functions.turns()", "s"))
                batch(client, bind(name="s"), execute())
            look(world, a, b)
            change = LEAVES.format("turns", SETS)
            if by == "query":
                c.ask(change)
            elif by == "batch":
                batch(c, parse(change), bind(), execute())
            elif by == "do":
                c.ask(f"do $do$ begin {change}; end $do$")
            elif by == "execute":
                c.ask(f"do $do$ begin execute '{change.replace(chr(39), chr(39) * 2)}'; end $do$")
            else:
                for sql in ("begin", change, "select 1", "commit"):
                    c.ask(sql)
            batch(a, bind(name="s"), execute())
            look(world, b, a, c)
            c.ask(LEAVES.format("turns", "select 'done'::text"))
            batch(b, bind(name="s"), execute())
            look(world, b, a, c)

        edge.same(scenario, before=FUNCTIONS)

    def test_one_that_its_own_transaction_makes_and_drops(self, edge):
        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask("begin")
            a.ask(LEAVES.format("fleeting", SETS))
            a.ask("select edge_functions.fleeting()")
            a.ask("drop function edge_functions.fleeting()")
            a.ask("commit")
            look(world, b, a)

        edge.same(scenario, before=FUNCTIONS)

    def test_a_view_of_one(self, edge):
        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask("create view edge_functions.later as select edge_functions.calls() as c")
            b.ask("select c from edge_functions.later")
            look(world, a, b)
            b.ask("reset lock_timeout")
            a.ask("alter view edge_functions.later rename to even_later")
            b.ask("select c from edge_functions.even_later")
            look(world, a, b)

        edge.same(scenario, before=FUNCTIONS)

    def test_one_that_is_made_past_the_pooler(self, edges, setting):
        edge = edges(setting, function_check_interval=0.1)

        def scenario(world):
            a, b = world.connect(), world.connect()
            batch(a, parse("select edge_functions.harmless()", "s"))
            batch(a, bind(name="s"), execute())
            world.sql(LEAVES.format("past", SETS))
            world.sql(LEAVES.format("harmless", SETS))
            time.sleep(1.5)
            b.ask("select edge_functions.past()")
            batch(a, bind(name="s"), execute())
            b.ask("reset lock_timeout")
            look(world, b, a, b)

        edge.same(scenario, before=FUNCTIONS)


class TestTheFirstTransaction:
    @pytest.fixture
    def first(self, edges, setting):
        """A pooler that nobody has used yet."""
        edge = edges(setting, query_wait_notify=7)
        yield edge
        edge.close()

    def test_is_followed(self, first):
        def scenario(world):
            a, b = world.connect(), world.connect()
            a.ask("select edge_functions.calls()")
            look(world, b, a)

        first.same(scenario, before=FUNCTIONS)

    def test_leaves_nothing_when_its_client_is_killed(self, first):
        def scenario(world):
            a = world.connect()
            a.send(query("select edge_functions.calls()"), query("select pg_sleep(1)"))
            sleeping = "select 1 from pg_stat_activity where query like '%sleep(1)%' and state = "
            wait_until(lambda: world.watch(sleeping + "'active' and usename = 'app'"), 2)
            a.abandon()
            look(world, world.connect())

        first.same(scenario, before=FUNCTIONS)


def test_listen_inside_of_one(edge):
    def scenario(world):
        a = world.connect()
        a.ask("select edge_functions.runs('listen edge_channel')")
        a.settle()
        world.sql("notify edge_channel, 'x'")
        assert a.message()[0] == "A"
        a.ask("select edge_functions.runs('unlisten edge_channel')")
        a.settle()
        world.sql("notify edge_channel, 'y'")
        a.ask("select 1")

    edge.same(scenario, before=FUNCTIONS)


def test_an_audit_finds_nothing_else(edges, setting):
    edge = edges(setting, audit_releases=True)

    def scenario(world):
        a, b = world.connect(), world.connect()
        for call in CALLS:
            a.ask(call.replace("(1)", "(3)"))
            look(world, b, a)
            a.ask("reset all")
        a.ask("select edge_functions.runs('select pg_advisory_lock(24)')")
        a.ask("select edge_functions.runs('select pg_advisory_unlock_all()')")

    edge.same(scenario, before=FUNCTIONS)
    assert edge.pooler.surprises() == []


def test_what_it_costs(start_pooler, postgres, connect):
    """Only a text with a suspect name in it is asked about."""
    postgres.sql(FUNCTIONS)
    counter = Counter(postgres.port)
    pooler = start_pooler(
        {
            **{"default_pool_size": 1, "server_check_delay": 60},
            **{"server_tls_sslmode": "disable", "function_check_interval": 3600},
        },
        databases={"app": {"host": "127.0.0.1", "port": counter.port}},
    )
    a = connect(pooler.port)
    a.ask("select 1")
    for sql, trips in {
        "select edge_functions.harmless()": 10,
        "select edge_functions.fires_not()": 10,
        "select edge_functions.calls()": 20,
    }.items():
        a.ask(sql)
        a.ask("select 1")
        before = len(counter.trips)
        for _ in range(10):
            a.ask(sql)
        a.ask("select 1")
        assert len(counter.trips) - before == trips + 1, [it.texts for it in counter.trips]
    counter.close()
