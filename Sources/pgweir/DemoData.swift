// What the demo has in its databases, and what it says.

enum DemoData {
    static let shards = ["shard0", "shard1"]
    static let user = "demo"

    /// Three tenants, on every shard; the shard numbered `shard` has every second order of each.
    static func tables(shard: Int) -> String {
        """
        CREATE TABLE tenants (tenant_id bigint PRIMARY KEY, name text NOT NULL);
        INSERT INTO tenants VALUES (1, 'acme'), (2, 'globex'), (3, 'umbrella');
        CREATE TABLE orders (
            tenant_id bigint REFERENCES tenants,
            order_id bigint,
            item text NOT NULL,
            amount numeric(10, 2) NOT NULL,
            PRIMARY KEY (tenant_id, order_id));
        INSERT INTO orders
            SELECT tenant_id, number, (ARRAY['rope', 'boots', 'lamp'])[1 + number % 3], number % 97
            FROM tenants, generate_series(1, 1000 * tenant_id) AS number
            WHERE number % \(shards.count) = \(shard);
        """
    }

    static func configuration(port: UInt16, serverDirectory: String) -> String {
        let databases = shards.map {
            """
            [databases.\($0)]
            host = '\(serverDirectory)'
            user = "\(user)"

            """
        }
        return """
            [pgweir]
            listen_addr = "127.0.0.1"
            listen_port = \(port)
            unix_socket_dir = ""
            auth_type = "any"
            admin_users = ["\(user)"]
            [log]
            level = "warning"

            """ + databases.joined()
    }

    static func greeting(port: UInt16) -> String {
        """

        pgweir is ready, with databases \(shards.joined(separator: " and ")). \
        Type in another window:

            psql -h 127.0.0.1 -p \(port) -U \(user) \(shards[0])
            psql -h 127.0.0.1 -p \(port) -U \(user) pgweir -c 'SHOW POOLS'

        A query to begin with:

            SELECT name, count(*), sum(amount) FROM tenants JOIN orders USING (tenant_id)
            GROUP BY name ORDER BY name;

        Ctrl-C ends the demo and removes everything.
        """
    }
}
