"""A cluster of two shards: two databases of one PostgreSQL, which also says what belongs where."""

import psycopg
from psycopg.rows import dict_row

from .pooler import Pooler

SCHEMA = """
create table orders (tenant_id bigint, id bigint, note text, unique (tenant_id, id));
create table users (id bigint primary key, name text);
create table plans (id int primary key, name text);
insert into plans values (1, 'small'), (2, 'large');
grant all on all tables in schema public to app, other;
"""
TENANTS = range(1, 21)


class Shards:
    """Databases app_0 and app_1, a pooler before them; database app is both."""

    def __init__(self, postgres, **settings):
        self.postgres = postgres
        for number in (0, 1):
            name = f"app_{number}"
            postgres.sql(f"drop database if exists {name} with (force)", "postgres")
            postgres.sql(f"create database {name} owner app", "postgres")
            postgres.sql(SCHEMA, name)
        postgres.sql(
            "drop table if exists parent; create table parent (k bigint) partition by hash (k);"
            "drop table if exists homes; create table homes (tenant_id bigint, shard text);"
            "grant all on homes to app"
        )
        for tenant in TENANTS:
            postgres.sql(
                f"insert into orders values ({tenant}, 1, 'first of {tenant}');"
                f"insert into users values ({tenant}, 'user {tenant}')",
                f"app_{self.home(tenant)}",
            )
            postgres.sql(f"insert into homes values ({tenant}, 's{self.home(tenant)}')")
        self.settings = {"default_pool_size": 2, **settings}
        self.pooler = Pooler(
            postgres, settings=self.settings, databases={}, more=self.configuration()
        )
        self.pooler.start()

    def configuration(self, more=""):
        def shard(number):
            return (
                f'[[clusters.main.shards]]\nname = "s{number}"\nprimary = {{ host = "127.0.0.1",'
                f' port = {self.postgres.port}, dbname = "app_{number}" }}\n'
            )

        return (
            shard(0)
            + shard(1)
            + """
[sharding.by_tenant]
cluster = "main"
key = ["bigint"]
tables = { "*" = ["tenant_id"], users = ["id"] }
reference_tables = ["plans"]
[databases.app]
cluster = "main"
sharding = "by_tenant"
[tenants.umbrella]
cluster = "main"
shard = "s1"
[sharding.by_lookup]
cluster = "main"
key = ["bigint"]
tables = { "*" = ["tenant_id"] }
placement = "lookup"
lookup_database = "control"
lookup_query = "select shard from homes where tenant_id = $1"
[databases.asked]
cluster = "main"
sharding = "by_lookup"
[databases.control]
host = "127.0.0.1"
"""
            + f"port = {self.postgres.port}\ndbname = \"app\"\n"
            + more
        )

    def reload(self, more):
        """RELOAD with `more` behind the configuration; returns once it is answered."""
        self.pooler.more = self.configuration(more)
        self.pooler.write()
        self.command("reload")

    def console(self):
        uri = self.pooler.uri("pgweir", "admin")
        return psycopg.connect(uri, autocommit=True, prepare_threshold=None, row_factory=dict_row)

    def command(self, command):
        """Has the console do it; returns once it is answered."""
        with self.console() as console:
            console.execute(command)

    def home(self, tenant):
        """The shard of a tenant, as PostgreSQL says."""
        return self.postgres.sql(
            f"select case when satisfies_hash_partition('parent'::regclass, 2, 0, {tenant}::bigint)"
            " then 0 else 1 end"
        )[0][0]

    def tenant_of(self, shard):
        """Some tenant whose rows are on `shard`."""
        return next(tenant for tenant in TENANTS if self.home(tenant) == shard)

    def rows(self, shard, sql):
        return self.postgres.sql(sql, f"app_{shard}")

    def stop(self):
        self.pooler.stop()
        for number in (0, 1):
            self.postgres.sql(f"drop database if exists app_{number} with (force)", "postgres")
