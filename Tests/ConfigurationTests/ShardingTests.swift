import Configuration
import Pooling
import Session
import Sharding
import Testing
import Worker

/// The whole of what a configuration may say of shards.
private let example = """
    [clusters.main]
    [[clusters.main.shards]]
    name = "s0"
    primary  = { host = "10.0.0.10", port = 5433, dbname = "app_0" }
    replicas = [{ host = "10.0.0.20", dbname = "app_0" }, { host = "10.0.0.21" }]
    [[clusters.main.shards]]
    name = "s1"
    primary  = { host = "10.0.0.11", dbname = "app_1" }

    [sharding.by_tenant]
    cluster = "main"
    key = ["bigint"]
    tables = { "*" = ["tenant_id"], "billing.invoices" = ["customer_id"] }
    reference_tables = ["plans", "countries"]
    placement = "hash"
    modulus = 4
    unkeyed_reads = "s0"
    [[sharding.by_tenant.place]]
    values = [42, 77]
    shard  = "s1"
    [[sharding.by_tenant.place]]
    from = 1000
    to   = 2000
    shard = "s0"
    [[sharding.by_tenant.place]]
    remainders = [0]
    shard = "s1"

    [sharding.by_region]
    cluster = "main"
    key = ["text", "integer"]
    tables = { t = ["region", "id"] }
    placement = "list"
    place = [{ values = [["eu", 1], ["us", 2]], shard = "s0" }]

    [sharding.by_query]
    cluster = "main"
    key = ["uuid"]
    tables = { t = "id" }
    placement = "lookup"
    lookup_database = "control"
    lookup_query = "SELECT shard FROM tenants WHERE id = $1"
    lookup_cache_lifetime = "5m"

    [databases.control]
    host = "10.0.0.9"
    [databases.saas]
    cluster = "main"
    sharding = "by_tenant"
    pool_size = 7

    [tenants.acme]
    cluster = "main"
    sharding = "by_region"
    match = "user"
    pool_size = 5
    max_client_conn = 200
    query_timeout = 5
    weight = 3
    [tenants.umbrella]
    cluster = "main"
    shard = "s1"
    """

@Suite struct ShardingConfigurationTests {
    let files: Directory

    init() throws { files = try Directory() }

    @Test func `everything lands where it should`() throws {
        let loaded = try files.toml(example)
        let sharding = loaded.sharding
        let main = try #require(sharding.clusters["main"])
        #expect(main.shards.map(\.name) == ["s0", "s1"])
        #expect(main.shards[0].primary.host == "10.0.0.10")
        #expect(main.shards[0].primary.port == 5433)
        #expect(main.shards[0].replicas.map(\.host) == ["10.0.0.20", "10.0.0.21"])
        #expect(main.shards[0].replicas.map(\.database) == ["app_0", nil])
        #expect(main.shards[1].primary.database == "app_1")
        #expect(main.shards[1].replicas == [])

        let byTenant = try #require(sharding.routers["by_tenant"])
        #expect(byTenant.map.keyTypes == [.bigint])
        #expect(byTenant.map.placement == .hash(shards: [1, 1, 0, 1]))
        #expect(byTenant.map.unkeyedReads == .shard(0))
        #expect(byTenant.map.unkeyedWrites == .refuse)
        #expect(byTenant.map.tables.kind(of: TableName("plans")) == .reference)
        #expect(byTenant.place([.integer(42)]) == .shard(1, .place(0)))
        #expect(byTenant.place([.integer(1000)]) == .shard(0, .place(1)))

        let byRegion = try #require(sharding.routers["by_region"])
        #expect(
            byRegion.place([.bytes(Array("us".utf8)), .integer(2)]) == .shard(0, .place(0)))

        guard case .lookup(let lookup) = try #require(sharding.routers["by_query"]).map.placement
        else {
            Issue.record("by_query looks up")
            return
        }
        #expect(lookup.database == "control")
        #expect(lookup.cacheLifetime == .seconds(300))

        #expect(sharding.databases == ["saas": .map("by_tenant", cluster: "main")])
        #expect(loaded.settings.databases["saas"]?.hosts == [])
        #expect(loaded.settings.databases["saas"]?.serversMax == 7)
        #expect(loaded.settings.databases["control"]?.hosts == ["10.0.0.9"])
        let acme = try #require(sharding.tenants["acme"])
        #expect(acme.destination == .map("by_region", cluster: "main"))
        #expect(acme.settings.serversMax == 5)
        #expect(acme.settings.clientsMax == 200)
        #expect(acme.settings.queryTimeout == .seconds(5))
        #expect(acme.settings.weight == 3)
        #expect(sharding.tenants["umbrella"]?.destination == .shard(1, cluster: "main"))
    }

    @Test func `a tenant is known by its database or by its user`() throws {
        let sharding = try files.toml(example).sharding
        #expect(sharding.tenant(database: "saas", user: "acme")?.name == "acme")
        #expect(sharding.tenant(database: "acme", user: "x") == nil)
        #expect(sharding.tenant(database: "umbrella", user: "x")?.name == "umbrella")
        #expect(sharding.tenant(database: "umbrella", user: "acme")?.name == "acme")
        #expect(
            sharding.destination(database: "saas", user: "x")
                == .map("by_tenant", cluster: "main"))
        #expect(sharding.destination(database: "control", user: "x") == nil)
    }

    @Test func `what is configured and not there yet is said`() throws {
        #expect(try files.toml(example).unavailable == nil)
        let scattered = example.replacing(
            "unkeyed_reads = \"s0\"", with: "unkeyed_reads = \"scatter\"")
        #expect(try files.toml(scattered).unavailable?.contains("scatter") == true)
        #expect(try files.toml("").unavailable == nil)
    }

    @Test func `replicas and weights are ignored with a warning`() throws {
        #expect(
            try files.toml(example).warnings.map(\.description) == [
                "t.toml:7: replicas: ignored; replicas are read by nobody yet",
                "t.toml:61: weight: ignored; tenants that wait are not weighed yet",
            ])
    }

    /// Where the key or the schema `key` is, by an example of Config and its database.
    private func place(_ key: String, _ name: String) throws -> String {
        let path = packageDirectory + "/Config/" + name + ".toml"
        let sharding = try ConfigurationFile.load(path: path).sharding
        guard case .map(let map, _)? = sharding.destination(database: "shop", user: "app") else {
            return "no map"
        }
        let router = try #require(sharding.routers[map])
        switch router.route(.key([key])) {
        case .shard(let shard, let rule): return "\(router.map.shards[shard]), \(rule)"
        case let other: return "\(other)"
        }
    }

    @Test func `the examples place their tenants as they say`() throws {
        #expect(try place("42", "shards-key-in-tables") == "s1, place 1")
        #expect(try place("1", "shards-key-in-tables").hasSuffix("of 16"))
        #expect(try place("42", "shards-one-big-tenant") == "big, place 3")
        for tenant in 1...20 {
            #expect(try place("\(tenant)", "shards-one-big-tenant").hasSuffix("of 2"))
        }
        #expect(try place("globex", "shards-schema-per-tenant") == "s0, place 1")
        #expect(try place("umbrella", "shards-schema-per-tenant") == "s1, place 2")

        let path = packageDirectory + "/Config/shards-database-per-tenant.toml"
        let settings = try ConfigurationFile.load(path: path).settings
        let umbrella = try #require(settings.profile(database: "umbrella", user: "app"))
        #expect(umbrella.hosts == ["10.0.0.11"])
        #expect(umbrella.serverDatabase == "umbrella")
        #expect(umbrella.pool.serversMax == 5)
        #expect(umbrella.tenantClientsMax == 200)
        let other = try #require(settings.profile(database: "initech", user: "app"))
        #expect(other.hosts == ["10.0.0.10"])
        #expect(other.serverDatabase == "initech")
    }

    @Test func `a database on several shards is not for session mode`() throws {
        let text = example.replacing("pool_size = 7", with: "pool_mode = \"session\"")
        let problems = files.problems { try files.toml(text) }
        #expect(problems.count == 1)
        #expect(problems.first?.contains("pool_mode") == true)
    }

    @Test func `a user's session mode is not for a database on several shards`() throws {
        let loaded = try files.toml(example + "\n[users.batch]\npool_mode = \"session\"")
        #expect(
            loaded.warnings.last?.description
                == "t.toml:66: pool_mode: ignored in databases on several shards: transaction there"
        )
        func mode(_ database: String) -> PoolMode? {
            loaded.settings.profile(database: database, user: "batch")?.session.mode
        }
        #expect(mode("saas") == .transaction)
        #expect(mode("umbrella") == .session)
        #expect(mode("control") == .session)
    }

    @Test func `SET on the console makes no session mode of shards`() throws {
        let loaded = try files.toml(example)
        #expect(throws: SettingRefusal.self) { try loaded.setting("pool_mode", to: "session") }
        let changed = try loaded.setting("pool_mode", to: "statement")
        #expect(changed.settings.session.mode == .statement)
        let tenant = example.replacing(
            "[databases.saas]", with: "[databases.saas]\npool_mode = \"transaction\"")
        let problems = files.problems { try files.toml("pool_mode = \"session\"\n" + tenant) }
        #expect(problems.count == 1)
        #expect(problems.first?.contains("a tenant on several shards") == true)
    }

    @Test func `SET on the console keeps the shards`() throws {
        let loaded = try files.toml(example)
        let changed = try loaded.setting("query_timeout", to: "5")
        #expect(changed.sharding == loaded.sharding)
        #expect(changed.settings.databases == loaded.settings.databases)
    }

    /// The example with one line written otherwise, and what is said about it.
    static let wrong: [(String, String, [String])] = [
        ("name = \"s1\"", "", ["t.toml:8: name: required: the shard's name"]),
        (
            "name = \"s1\"", "name = \"s0\"",
            ["t.toml:9: name: another shard of the cluster is \"s0\""]
        ),
        (
            "name = \"s1\"", "nmae = \"s1\"",
            [
                "t.toml:8: name: required: the shard's name",
                "t.toml:9: nmae: unknown key; did you "
                    + "mean name?",
            ]
        ),
        (
            "primary  = { host = \"10.0.0.11\", dbname = \"app_1\" }", "",
            [
                "t.toml:8: primary: required: primary = { host = …, port = …, dbname = … }"
            ]
        ),
        (
            "primary  = { host = \"10.0.0.11\", dbname = \"app_1\" }", "primary = \"10.0.0.11\"",
            [
                "t.toml:8: primary: required: primary = { host = …, port = …, dbname = … }",
                "t.toml:10: primary: expected a table, primary = { … } and replicas = [{ … }] of a "
                    + "shard",
            ]
        ),
        (
            "host = \"10.0.0.11\", ", "", ["t.toml:10: host: required"]
        ),
        (
            "{ host = \"10.0.0.11\", dbname = \"app_1\" }",
            "{ host = \"10.0.0.10\", port = 5433, dbname = \"app_0\" }",
            ["t.toml:10: primary: the same host, port and dbname as that of shard s0"]
        ),
        (
            "cluster = \"main\"\nkey = [\"bigint\"]", "cluster = \"mian\"\nkey = [\"bigint\"]",
            [
                "t.toml:13: cluster: there is no [clusters.mian]; did you mean main?"
            ]
        ),
        (
            "key = [\"bigint\"]", "key = [\"numeric\"]",
            [
                "t.toml:14: key: numeric cannot be a key: equal values can be written in different "
                    + "ways, and they would have to be read exactly as PostgreSQL reads them; "
                    + "allowed: smallint, integer, bigint, text, varchar, uuid, date, timestamp, "
                    + "timestamptz, boolean, bytea, oid"
            ]
        ),
        (
            "modulus = 4", "modulus = 70000",
            ["t.toml:18: modulus: 70000 is out of range; allowed: 0 to 65536"]
        ),
        (
            "placement = \"hash\"", "placement = \"hsah\"",
            ["t.toml:17: placement: \"hsah\" is not one of hash, range, list, lookup, schema"]
        ),
        (
            "tables = { \"*\" = [\"tenant_id\"], \"billing.invoices\" = [\"customer_id\"] }",
            "tables = [\"tenant_id\"]",
            [
                "t.toml:15: tables: expected { TABLE = [COLUMN, …], … }, found a list"
            ]
        ),
        (
            "values = [42, 77]", "values = [42, \"x\"]",
            ["t.toml:21: values: \"x\" as bigint: not a whole number in decimal digits"]
        ),
        (
            "values = [42, 77]", "values = 42",
            [
                "t.toml:21: values: expected a list of keys, found 42"
            ]
        ),
        ("from = 1000", "from = 2000", ["t.toml:25: to: 2000 is not above from = 2000"]),
        (
            "values = [42, 77]\nshard  = \"s1\"", "values = [42, 77]\nshard  = \"s7\"",
            ["t.toml:22: shard: \"s7\" is not one of s0, s1"]
        ),
        (
            "remainders = [0]", "remainders = [4]",
            ["t.toml:28: remainders: 4 is out of range; allowed: 0 to 3"]
        ),
        (
            "[[\"eu\", 1], [\"us\", 2]]", "[\"eu\", \"us\"]",
            [
                "t.toml:36: values: eu: 1 columns for a key of 2; write a list for each key",
                "t.toml:36: values: us: 1 columns for a key of 2; write a list for each key",
            ]
        ),
        (
            "lookup_database = \"control\"", "lookup_database = \"saas\"",
            ["t.toml:43: lookup_database: \"saas\" is sharded itself"]
        ),
        (
            "lookup_database = \"control\"", "lookup_database = \"x\"",
            ["t.toml:43: lookup_database: there is no [databases.x]"]
        ),
        (
            "sharding = \"by_tenant\"", "sharding = \"by_tennant\"",
            [
                "t.toml:51: sharding: there is no [sharding.by_tennant]; did you mean by_tenant?"
            ]
        ),
        (
            "sharding = \"by_tenant\"\n", "\n",
            ["t.toml:50: cluster: needs sharding or shard beside it"]
        ),
        (
            "sharding = \"by_tenant\"\n", "sharding = \"by_tenant\"\nshard = \"s0\"\n",
            ["t.toml:52: shard: not beside sharding; write one of them"]
        ),
        (
            "pool_size = 7", "host = \"10.0.0.1\"",
            ["t.toml:52: host: not beside cluster, which says where the servers are"]
        ),
        (
            "pool_size = 7", "pool_size = 7\n[tenants.saas]\ncluster = \"main\"\nshard = \"s0\"",
            ["t.toml:53: saas: [databases.saas] has this name already"]
        ),
        (
            "match = \"user\"", "match = \"role\"",
            ["t.toml:57: match: \"role\" is not one of database, user"]
        ),
        (
            "weight = 3", "weight = 0",
            ["t.toml:61: weight: 0 is out of range; allowed: 1 to 1000"]
        ),
        (
            "[tenants.umbrella]\ncluster = \"main\"\nshard = \"s1\"", "[tenants.umbrella]",
            ["t.toml:62: cluster: required: a name of [clusters]"]
        ),
    ]

    @Test(arguments: wrong)
    func `a mistake is reported with its line`(
        _ old: String, _ new: String, _ expected: [String]
    ) throws {
        try #require(example.contains(old), "the example has no \(old)")
        let text = example.replacing(old, with: new, maxReplacements: 1)
        #expect(files.problems { try files.toml(text) } == expected)
    }

    @Test(arguments: ["any", "refuse", "Scatter", "7"])
    func `a shard cannot be called as what hints and settings say`(_ name: String) {
        let text = "[[clusters.c.shards]]\nname = \"\(name)\"\nprimary = { host = \"h\" }"
        #expect(
            files.problems { try files.toml(text) } == [
                "t.toml:4: name: \"\(name)\" means something else where a shard is named; begin "
                    + "with a letter"
            ])
    }

    @Test func `a cluster without shards is an error`() {
        #expect(
            files.problems { try files.toml("[clusters.main]") }
                == ["t.toml:3: main: no shards; write [[clusters.main.shards]]"])
    }

    @Test func `shards written as tables of their own have their lines`() throws {
        let text = """
            [[clusters.c.shards]]
            name = "a"
            [clusters.c.shards.primary]
            host = "h"
            [[clusters.c.shards.replicas]]
            host = "r"
            [[clusters.c.shards.replicas]]
            port = 5432
            [[clusters.c.shards]]
            name = "b"
            [clusters.c.shards.primary]
            hots = "i"
            """
        #expect(
            files.problems { try files.toml(text) } == [
                "t.toml:9: host: required", "t.toml:13: host: required",
                "t.toml:14: hots: unknown key; did you mean host?",
            ])
    }

    @Test func `a key written twice in one element is an error, in two it is not`() {
        let text = """
            [[clusters.c.shards]]
            name = "a"
            primary = { host = "h" }
            name = "b"
            """
        #expect(
            files.problems { try files.toml(text) } == [
                "t.toml:6: clusters.c.shards.[0].name: written twice, first on line 4"
            ])
    }

    @Test func `ini files know nothing of shards`() {
        let problems = files.problems { try files.ini("[databases]\na = cluster=main\n") }
        #expect(problems.count == 1)
        #expect(problems.first?.contains("only in TOML") == true)
    }
}
