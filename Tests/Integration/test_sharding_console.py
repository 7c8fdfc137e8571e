"""What the console says of shards and tenants."""

import psycopg
import pytest
from support.postgres import PASSWORDS
from support.processes import wait_until
from support.programs import run, succeed
from support.shards import Shards
from support.wire import Client

pytestmark = pytest.mark.pgweir_only

TENANTS = """
[databases.plain]
host = "127.0.0.1"
[tenants.other]
match = "user"
cluster = "main"
shard = "s0"
pool_size = 1
max_client_conn = 2
[tenants.acme]
cluster = "main"
sharding = "by_tenant"
max_client_conn = 5
"""


class TenantShards(Shards):
    def configuration(self, more=""):
        text = super().configuration(more).replace(
            'dbname = "app_1" }\n', 'dbname = "app_1" }\nreplicas = [{ host = "10.0.0.21" }]\n'
        )
        return text + TENANTS


@pytest.fixture(scope="module")
def shards(postgres):
    shards = TenantShards(postgres)
    yield shards
    shards.stop()


def console(shards, command, user="admin"):
    return run(
        "psql", shards.pooler, "-X", "-A", "-F", "\t", "-P", "footer=off", "-c", command,
        dbname="pgweir", user=user, timeout=10,
    )


def show(shards, what, user="admin"):
    """SHOW's rows as dictionaries."""
    lines = succeed(console(shards, f"SHOW {what}", user)).splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def connect(shards, dbname="app", user="app"):
    return psycopg.connect(shards.pooler.uri(dbname, user), autocommit=True, prepare_threshold=None)


def test_show_shards_has_a_row_for_each_server_and_sums_its_pools(shards):
    wanted = ["s0", "s1", "s1"]
    rows = show(shards, "SHARDS")
    assert [row["shard"] for row in rows] == wanted
    assert [row["role"] for row in rows] == ["primary", "primary", "replica"]
    assert {row["cluster"] for row in rows} == {"main"}
    assert rows[0]["host"] == "127.0.0.1" and rows[0]["port"] == str(shards.postgres.port)
    assert [row["dbname"] for row in rows] == ["app_0", "app_1", ""]
    before = int(rows[1]["total_query_count"])
    tenant = shards.tenant_of(1)
    with connect(shards) as one, connect(shards, "umbrella") as other:
        one.execute("begin")
        for _ in range(3):
            one.execute("select 1 from orders where tenant_id = %s", (tenant,))
        other.execute("select 1")

        def shown():
            return show(shards, "SHARDS", user="other")[1]

        # The other's server is asked first what it was left with.
        wait_until(lambda: shown()["sv_active"] == "1", 5, what="one server in a transaction")
        s1 = shown()
        assert s1["databases"] == "2" and int(s1["sv_idle"]) >= 1
        assert int(s1["current_connections"]) >= 2 and s1["cl_waiting"] == "0"
        one.execute("commit")
    shards.pooler.wait_for_release()
    s1, replica = show(shards, "SHARDS")[1:]
    assert int(s1["total_query_count"]) >= before + 4
    assert int(s1["total_xact_count"]) >= 2
    assert replica["host"] == "10.0.0.21" and replica["total_query_count"] == "0"


def test_show_tenants_tells_tenants_and_databases_apart(shards):
    with connect(shards), connect(shards, "umbrella"), connect(shards, user="other") as other:
        other.execute("select 1")
        shards.pooler.wait_for_release()
        rows = {row["name"]: row for row in show(shards, "TENANTS")}
    assert list(rows) == ["acme", "other", "umbrella", "app", "asked"]
    shape = ("match", "cluster", "sharding", "shard", "pool_size", "max_client_conn")

    def shown(name):
        return tuple(rows[name][column] for column in shape)

    assert shown("acme") == ("database", "main", "by_tenant", "", "2", "5")
    assert shown("other") == ("user", "main", "", "s0", "1", "2")
    assert shown("umbrella") == ("database", "main", "", "s1", "2", "0")
    assert shown("app") == ("", "main", "by_tenant", "", "2", "0")
    for name, clients in (("acme", "0"), ("other", "1"), ("umbrella", "1"), ("app", "1")):
        assert rows[name]["current_client_connections"] == clients, name
    assert int(rows["other"]["total_query_count"]) >= 1
    assert int(rows["other"]["current_connections"]) == 1


def test_a_tenants_clients_are_counted_apart_from_its_databases(shards):
    opened = []
    try:
        for _ in range(3):
            opened.append(connect(shards))
        for _ in range(2):
            opened.append(connect(shards, user="other"))
        with Client(shards.pooler.port) as third, pytest.raises(Exception) as caught:
            third.login("other", PASSWORDS["other"], "app")
        assert "max_client_conn" in str(caught.value) and "53300" in str(caught.value)
        opened.append(connect(shards))
    finally:
        for connection in opened:
            connection.close()


def test_show_databases_has_the_shards_servers(shards):
    rows = {row["name"]: row for row in show(shards, "DATABASES")}
    port = str(shards.postgres.port)

    def place(name):
        return tuple(rows[name][column] for column in ("host", "port", "database"))

    assert place("app") == ("127.0.0.1", port, "app_0,app_1")
    assert place("umbrella") == ("127.0.0.1", port, "app_1")
    assert place("plain") == ("127.0.0.1", "5432", "plain")
    assert rows["acme"]["max_client_connections"] == "5"
    succeed(console(shards, "PAUSE acme"))
    assert {row["name"]: row["paused"] for row in show(shards, "DATABASES")}["acme"] == "1"
    succeed(console(shards, "RESUME acme"))


def test_show_route_says_what_would_happen(shards):
    for shard in (0, 1):
        tenant = shards.tenant_of(shard)
        sql = f"select * from orders where tenant_id = {tenant} and note <> ''x''"
        rows = show(shards, f"ROUTE FOR '{sql}'")
        assert [row["database"] for row in rows] == ["acme", "app", "asked"]
        asked = rows.pop()
        assert (asked["shard"], asked["rule"]) == ("", "lookup")
        for row in rows + show(shards, f"ROUTE FOR '{sql}' IN app"):
            assert (row["shard"], row["role"]) == (f"s{shard}", "primary")
            assert row["rule"] == f"remainder {shard} of 2"
            assert row["reason"] == "map by_tenant places the key"
    row = show(shards, "ROUTE FOR 'select count(*) from orders' IN app")[0]
    assert (row["shard"], row["rule"]) == ("", "refused") and "tenant_id" in row["reason"]
    row = show(shards, "ROUTE FOR 'select count(*) from orders' IN umbrella")[0]
    assert (row["shard"], row["reason"]) == ("s1", "everything of umbrella is there")
    # A tenant by user sees its own.
    row = show(shards, "ROUTE FOR 'select count(*) from orders' IN app", user="other")[0]
    assert (row["shard"], row["reason"]) == ("s0", "everything of app is there")
    deep = "select " + "(" * 20_000 + "1" + ")" * 20_000
    row = show(shards, f"ROUTE FOR '{deep}' IN app")[0]
    assert row["rule"] == "refused"


def test_show_route_says_what_to_write(shards):
    for wrong, said in (
        ("SHOW ROUTE", "SHOW ROUTE FOR 'SELECT"),
        ("SHOW ROUTE FOR select 1", "SHOW ROUTE FOR 'SELECT"),
        ("SHOW ROUTE FOR 'select 1' IN nowhere", "no such database: nowhere"),
        ("SHOW ROUTE FOR 'select 1' IN plain", "SHOW TENANTS lists"),
    ):
        done = console(shards, wrong)
        assert done.returncode != 0 and said in done.stderr, done.stderr
    help_text = console(shards, "SHOW HELP").stderr
    assert "SHOW SHARDS|TENANTS" in help_text and "SHOW ROUTE FOR" in help_text
