// What the demo has in its databases, and what it says.

enum DemoData {
    static let shards = ["shard0", "shard1"]
    static let user = "demo"
    /// The database that is both shards.
    static let sharded = "shop"

    /// Six tenants with their orders, each whole on the shard where PostgreSQL's hash of its number
    /// puts it, as if the shards were partitions. Plans are on every shard.
    static func tables(shard: Int) -> String {
        """
        CREATE TABLE plans (plan_id int PRIMARY KEY, plan text NOT NULL);
        INSERT INTO plans VALUES (1, 'small'), (2, 'large');
        CREATE TABLE tenants (
            tenant_id bigint PRIMARY KEY,
            name text NOT NULL,
            plan_id int REFERENCES plans);
        CREATE TABLE orders (
            tenant_id bigint REFERENCES tenants,
            order_id bigint,
            item text NOT NULL,
            amount numeric(10, 2) NOT NULL,
            PRIMARY KEY (tenant_id, order_id));
        CREATE TABLE whole (tenant_id bigint) PARTITION BY HASH (tenant_id);
        INSERT INTO tenants
            SELECT number, name, 1 + number % 2
            FROM unnest(ARRAY['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark'])
                WITH ORDINALITY AS tenant (name, number)
            WHERE satisfies_hash_partition('whole'::regclass, \(shards.count), \(shard), number);
        DROP TABLE whole;
        INSERT INTO orders
            SELECT tenant_id, number, (ARRAY['rope', 'boots', 'lamp'])[1 + number % 3], number % 97
            FROM tenants, generate_series(1, 1000 * tenant_id) AS number;
        """
    }

    static func configuration(port: UInt16, serverDirectory: String) -> String {
        """
        [pgweir]
        listen_addr = "127.0.0.1"
        listen_port = \(port)
        unix_socket_dir = ""
        auth_type = "any"
        admin_users = ["\(user)"]
        [log]
        level = "warning"

        """
            + shards.map { name in
                """
                [[clusters.main.shards]]
                name = "\(name)"
                primary = { host = '\(serverDirectory)', dbname = "\(name)" }
                [databases.\(name)]
                host = '\(serverDirectory)'
                user = "\(user)"

                """
            }.joined()
                + """
                [sharding.by_tenant]
                cluster = "main"
                key = ["bigint"]
                tables = { "*" = ["tenant_id"] }
                reference_tables = ["plans"]
                [databases.\(sharded)]
                cluster = "main"
                sharding = "by_tenant"
                user = "\(user)"

                """
    }

    static func greeting(port: UInt16) -> String {
        """

        pgweir is ready. Database \(sharded) is on two shards, \
        \(shards.joined(separator: " and ")). Type in another window:

            psql -h 127.0.0.1 -p \(port) -U \(user) \(sharded)

        A tenant's orders, from the shard that has them:

            SELECT name, plan, count(*), sum(amount)
            FROM tenants JOIN orders USING (tenant_id) JOIN plans USING (plan_id)
            WHERE tenant_id = 1 GROUP BY name, plan;

        The orders of all tenants, which no shard has; the refusal says what to write:

            SELECT count(*) FROM orders;

        Where a statement goes, and why:

            EXPLAIN (SHARDS) SELECT * FROM orders WHERE tenant_id = 2;

        Each shard by itself, and the console:

            psql -h 127.0.0.1 -p \(port) -U \(user) \(shards[0]) -c 'TABLE tenants'
            psql -h 127.0.0.1 -p \(port) -U \(user) pgweir -c 'SHOW SHARDS'

        Ctrl-C ends the demo and removes everything.
        """
    }
}
