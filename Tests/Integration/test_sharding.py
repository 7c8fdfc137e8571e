"""Statements of a database on two shards: each goes where its key is, or is refused."""

import psycopg
import pytest
from support.shards import TENANTS, Shards
from support.wire import SYNC, Client, bind, describe, execute, parse, query, values
from support.postgres import PASSWORDS

pytestmark = pytest.mark.pgweir_only


@pytest.fixture(scope="module")
def shards(postgres):
    shards = Shards(postgres)
    yield shards
    shards.stop()


@pytest.fixture
def connection(shards):
    with psycopg.connect(shards.pooler.uri(), autocommit=True, prepare_threshold=None) as it:
        yield it


@pytest.fixture
def client(shards):
    with Client(shards.pooler.port) as it:
        it.login("app", PASSWORDS["app"], "app")
        yield it


def refusal(call):
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        call()
    return caught.value.diag


def test_each_tenant_reads_its_rows(connection):
    for tenant in TENANTS:
        wanted = [(f"first of {tenant}",)]
        literal = connection.execute(f"select note from orders where tenant_id = {tenant}")
        assert literal.fetchall() == wanted
        bound = connection.execute("select note from orders where tenant_id = %s", (tenant,))
        assert bound.fetchall() == wanted
        binary = connection.execute("select note from orders where tenant_id = %b", (tenant,))
        assert binary.fetchall() == wanted
        named = connection.execute(
            "select note from orders where tenant_id = %s", (tenant,), prepare=True
        )
        assert named.fetchall() == wanted


def test_writes_land_where_the_partition_hash_says(shards, connection):
    for tenant in TENANTS:
        connection.execute("insert into orders (tenant_id, id, note) values (%s, 2, %s)", (tenant, f"second of {tenant}"))
        connection.execute(f"update orders set note = note || '!' where tenant_id = {tenant}")
    for shard in (0, 1):
        wanted = {
            (tenant, number, f"{word} of {tenant}!")
            for tenant in TENANTS
            if shards.home(tenant) == shard
            for number, word in ((1, "first"), (2, "second"))
        }
        assert set(shards.rows(shard, "select * from orders")) == wanted
    for tenant in TENANTS:
        connection.execute("delete from orders where tenant_id = %s and id = 2", (tenant,))
        connection.execute(f"update orders set note = 'first of {tenant}' where tenant_id = {tenant}")


def test_without_a_key_it_is_refused(connection):
    said = refusal(lambda: connection.execute("select count(*) from orders"))
    assert said.message_primary == "the statement is not proven to concern one shard"
    assert "tenant_id" in said.message_detail and "tenant_id" in said.message_hint
    assert refusal(lambda: connection.execute("update plans set name = 'x'"))
    assert connection.execute("select name from plans where id = 1").fetchall() == [("small",)]


def test_keys_on_both_shards_are_refused(shards, connection):
    one, other = shards.tenant_of(0), shards.tenant_of(1)
    said = refusal(
        lambda: connection.execute(f"select * from orders where tenant_id in ({one}, {other})")
    )
    assert said.message_primary == "the statement concerns more than one shard"


def test_a_transaction_stays_on_the_shard_of_its_first_statement(shards, connection):
    for shard in (0, 1):
        mine, other = shards.tenant_of(shard), shards.tenant_of(1 - shard)
        with connection.transaction(force_rollback=True):
            connection.execute("set local work_mem = '3MB'")
            connection.execute("select version()")
            connection.execute("insert into orders (tenant_id, id, note) values (%s, 9, 'new')", (mine,))
            assert connection.execute("show work_mem").fetchone() == ("3MB",)
            assert connection.execute(
                "select count(*) from orders where tenant_id = %s", (mine,)
            ).fetchone() == (2,)
            said = refusal(
                lambda: connection.execute("select * from orders where tenant_id = %s", (other,))
            )
            assert said.message_primary == "the statement concerns another shard than its transaction"
            assert f"s{shard}" in said.message_detail
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                connection.execute("select 1")
        assert connection.execute(
            "select count(*) from orders where tenant_id = %s", (mine,)
        ).fetchone() == (1,)
        assert connection.execute("show work_mem").fetchone() != ("3MB",)


def test_a_transaction_moves_while_it_has_no_shard(shards, connection):
    for shard in (0, 1, 0, 1):
        tenant = shards.tenant_of(shard)
        with connection.transaction():
            connection.execute("set local my.tenant = 'x'")
            connection.execute("savepoint a")
            connection.execute("set local my.tenant = 'y'")
            connection.execute("select name from plans")
            connection.execute("rollback to a")
            found = connection.execute(
                "select note, current_setting('my.tenant') from orders where tenant_id = %s",
                (tenant,),
            )
            assert found.fetchall() == [(f"first of {tenant}", "x")]


def test_begin_alone_costs_no_server(shards, client):
    assert client.ask("begin")[-2:] == [("C", "BEGIN"), ("Z", "T")]
    assert client.ask("commit")[-2:] == [("C", "COMMIT"), ("Z", "I")]
    assert client.ask("start transaction read only")[-2:] == [("C", "START TRANSACTION"), ("Z", "T")]
    tenant = shards.tenant_of(0)
    assert client.ask(f"delete from orders where tenant_id = {tenant}")[0][1]["C"] == "25006"
    assert client.ask("rollback")[-2:] == [("C", "ROLLBACK"), ("Z", "I")]
    assert client.ask("begin isolation level nonsense")[0][1]["C"] in ("42601", "0A000")
    assert client.ask("select 1")[-1] == ("Z", "I")


def test_a_refusal_in_a_batch_skips_the_rest(shards, client):
    one, other = shards.tenant_of(0), shards.tenant_of(1)
    sql = "select note from orders where tenant_id = $1"
    client.send(
        parse(sql, "a"), bind([str(one)], "a"), execute(), bind([str(other)], "a"), execute(),
        SYNC, bind([str(other)], "a"), execute(), SYNC,
    )
    first = client.until_ready()
    assert [tag for tag, _ in first] == ["1", "2", "D", "C", "E", "Z"]
    assert first[4][1]["C"] == "0A000" and "s1" in first[4][1]["D"]
    assert values(client.until_ready()) == [(f"first of {other}".encode(),)]


def test_batches_of_one_write_go_each_to_its_shard(shards, client):
    sql = "select note from orders where tenant_id = $1"
    client.send(parse(sql, "a"), describe("S", "a"), SYNC)
    client.until_ready()
    frames = []
    for tenant in TENANTS:
        frames += [bind([str(tenant)], "a"), execute(), SYNC]
        frames.append(query(f"select note from orders where tenant_id = {tenant}"))
    client.send(*frames)
    for tenant in TENANTS:
        for _ in range(2):
            assert values(client.until_ready()) == [(f"first of {tenant}".encode(),)]


def test_begin_in_the_batch_of_its_first_statement(shards, client):
    for shard in (0, 1):
        tenant = str(shards.tenant_of(shard))
        client.send(
            parse("begin"), bind(), execute(),
            parse("select note from orders where tenant_id = $1"), bind([tenant]), execute(), SYNC,
        )
        said = client.until_ready()
        assert values(said) == [(f"first of {tenant}".encode(),)] and said[-1] == ("Z", "T")
        assert client.ask("commit")[-1] == ("Z", "I")


def test_hints(shards, connection):
    for shard in (0, 1):
        tenant = shards.tenant_of(shard)
        counted = "select count(*) > 3 from orders"
        assert connection.execute(f"{counted} /* pgweir: shard=s{shard} */").fetchone() == (True,)
        assert connection.execute(f"/* pgweir: key={tenant} */ {counted}").fetchone() == (True,)
        connection.execute(f"set pgweir.key = '{tenant}'")
        assert connection.execute("show pgweir.key").fetchone() == (str(tenant),)
        found = connection.execute("select current_database()").fetchone()
        assert found == (f"app_{shard}",)
        assert connection.execute(counted).fetchone() == (True,)
        connection.execute("reset pgweir.key")
        assert refusal(lambda: connection.execute(counted))
        with connection.transaction():
            connection.execute(f"set local pgweir.shard = 's{shard}'")
            assert connection.execute("select current_database()").fetchone() == found
        assert refusal(lambda: connection.execute(counted))
        connection.execute(f"set shard to '{shard}'")
        assert connection.execute("show shard").fetchone() == (f"s{shard}",)
        assert connection.execute("select current_database()").fetchone() == found
        connection.execute(f"set sharding key to '{tenant}'")
        assert connection.execute("select current_database()").fetchone() == found
        connection.execute("reset all")
        assert connection.execute("show shard").fetchone() == ("any",)
    for wrong in (
        "set pgweir.key = 'x'",
        "set pgweir.shard = 's9'",
        "set pgweir.keys = '1'",
        "select 1 /* pgweir: shrad=s0 */",
    ):
        assert refusal(lambda: connection.execute(wrong)), wrong


def test_hints_of_the_login_and_of_prepared_statements(shards):
    for shard in (0, 1):
        options = f"-c pgweir.key={shards.tenant_of(shard)}"
        with psycopg.connect(shards.pooler.uri(), options=options, autocommit=True) as connection:
            for _ in range(2):
                found = connection.execute("select current_database()").fetchone()
                assert found == (f"app_{shard}",)
                connection.execute(f"set pgweir.shard = 's{1 - shard}'", prepare=True)
                found = connection.execute("select current_database()").fetchone()
                assert found == (f"app_{1 - shard}",)
                connection.execute("reset pgweir.shard", prepare=True)
    with pytest.raises(psycopg.OperationalError, match="there is no shard"):
        psycopg.connect(shards.pooler.uri(), options="-c pgweir.shard=nowhere")


def test_explain_shards(shards, connection):
    for shard in (0, 1):
        sql = f"select * from orders where tenant_id = {shards.tenant_of(shard)}"
        for prepare in (False, True):
            row = connection.execute(f"explain (shards) {sql}", prepare=prepare).fetchone()
            assert row[:3] == (f"s{shard}", "primary", f"remainder {shard} of 2"), row
    row = connection.execute("explain (shards) select * from orders").fetchone()
    assert row[2] == "refused" and "tenant_id" in row[3]


def test_a_tenant_that_is_on_one_shard(shards):
    with psycopg.connect(shards.pooler.uri("umbrella")) as connection:
        assert connection.execute("select current_database()").fetchone() == ("app_1",)
        assert connection.execute("select count(*) > 3 from orders").fetchone() == (True,)


def test_copy_with_a_hint(shards, connection):
    for shard in (0, 1):
        tenant = shards.tenant_of(shard)
        sql = f"/* pgweir: key={tenant} */ copy orders from stdin"
        with connection.cursor() as cursor, cursor.copy(sql) as copy:
            for number in (5, 6):
                copy.write_row((tenant, number, "copied"))
        found = shards.rows(shard, "select count(*) from orders where note = 'copied'")
        assert found == [(2,)]
        connection.execute("delete from orders where tenant_id = %s and id > 4", (tenant,))


def test_a_client_that_keeps_a_server_is_told_so(shards, connection):
    one, other = shards.tenant_of(0), shards.tenant_of(1)
    connection.execute("/* pgweir: shard=s0 */ create temp table mine (n int)")
    assert connection.execute("select note from orders where tenant_id = %s", (one,)).fetchone()
    said = refusal(
        lambda: connection.execute("select note from orders where tenant_id = %s", (other,))
    )
    assert "temporary" in said.message_detail
    connection.execute("/* pgweir: shard=s0 */ drop table mine")
    assert connection.execute("select note from orders where tenant_id = %s", (other,)).fetchone()


def test_what_is_set_follows_from_shard_to_shard(shards, connection):
    connection.execute("set my.words = 'mine'")
    for tenant in TENANTS:
        found = connection.execute(
            "select current_setting('my.words') from orders where tenant_id = %s", (tenant,)
        )
        assert found.fetchall() == [("mine",)]


def test_a_key_that_is_looked_up(shards):
    uri = shards.pooler.uri("asked")
    with psycopg.connect(uri, autocommit=True) as connection:
        for _ in range(2):
            for tenant in TENANTS:
                found = connection.execute(
                    "select note from orders where tenant_id = %s", (tenant,)
                )
                assert found.fetchall() == [(f"first of {tenant}",)]
        said = refusal(
            lambda: connection.execute("select note from orders where tenant_id = 1000")
        )
        assert said.message_primary == "no shard is known for this key"
        shards.postgres.sql("insert into homes values (1000, 's0'), (1001, 's7'), (1002, 's0')")
        shards.postgres.sql("insert into homes values (1002, 's1'), (1003, null)")
        found = connection.execute("select count(*) from orders where tenant_id = 1000")
        assert found.fetchone() == (0,)
        for tenant, words in ((1001, "does not exist"), (1002, "could not be looked up"),
                              (1003, "could not be looked up")):
            said = refusal(
                lambda tenant=tenant: connection.execute(
                    f"select note from orders where tenant_id = {tenant}"
                )
            )
            assert words in said.message_primary, said.message_detail
        one, other = shards.tenant_of(0), shards.tenant_of(1)
        with connection.transaction():
            connection.execute("set local work_mem = '3MB'")
            found = connection.execute("select note from orders where tenant_id = 1000")
            assert connection.execute("show work_mem").fetchone() == ("3MB",)
            found = connection.execute("select note from orders where tenant_id = %s", (one,))
            assert found.fetchall() == [(f"first of {one}",)]
        with pytest.raises(psycopg.errors.FeatureNotSupported), connection.transaction():
            connection.execute("select note from orders where tenant_id = %s", (one,))
            connection.execute("select note from orders where tenant_id = %s", (other,))


def test_many_ask_for_the_same_key_at_once(shards):
    shards.postgres.sql("insert into homes select n, 's' || n % 2 from generate_series(2000, 2049) n")
    clients = []
    for _ in range(20):
        clients.append(Client(shards.pooler.port))
        clients[-1].login("app", PASSWORDS["app"], "asked")
    for tenant in range(2000, 2050):
        sql = f"select current_database() from orders where tenant_id = {tenant} union all"
        for it in clients:
            it.send(query(f"{sql} select current_database()"))
        for it in clients:
            assert values(it.until_ready()) == [(f"app_{tenant % 2}".encode(),)]
    for it in clients:
        it.abandon()
