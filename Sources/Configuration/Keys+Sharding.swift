// Keys of [clusters], [sharding] and [tenants]. The texts end up in Docs/Configuration.md.

internal import Sharding

extension SettingKey {
    private static func destination(
        _ name: String, _ path: any WritableKeyPath<WrittenDestination, String?> & Sendable,
        _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: .database,
            landing: .destination(.override(path, .text, unsetBy: .never)), meaning: meaning,
            formats: [.toml])
    }

    /// In [databases.NAME].
    static let destinations: [SettingKey] = [
        .destination(
            "cluster", \.cluster,
            "The database is sharded: the cluster of [clusters] that it lies on. Then `host`, "
                + "`port` and `dbname` are those of the shards."),
        .destination("sharding", \.map, "With `cluster`: the map of [sharding] that places keys."),
        .destination(
            "shard", \.shard,
            "With `cluster`: the one shard that everything lies on, instead of "
                + "`sharding`."),
    ]

    static let shards: [SettingKey] = [
        SettingKey(
            name: "name", section: .shard, landing: .shard(.always(\.name, .text)),
            meaning: "Name of the shard, as places and hints have it. Beside it stand `primary`, "
                + "a server, and `replicas`, a list of servers that nobody reads yet.",
            formats: [.toml])
    ]

    static let shardServers: [SettingKey] = [
        SettingKey(
            name: "host", section: .server, landing: .server(.always(\.host, .text)),
            meaning: "Host name, address, or directory of a unix socket.", formats: [.toml]),
        SettingKey(
            name: "port", section: .server,
            landing: .server(.always(\.port, .count(1...65535))), meaning: "Its port.",
            formats: [.toml]),
        SettingKey(
            name: "dbname", section: .server,
            landing: .server(.override(\.database, .text, unsetBy: .never)),
            meaning: "Name of the database there. Unset = the name that the client used.",
            formats: [.toml]),
    ]

    private static func map<Stored>(
        _ name: String, _ path: any WritableKeyPath<WrittenMap, Stored> & Sendable,
        _ kind: Kind<Stored>, _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: .map, landing: .map(.always(path, kind)), meaning: meaning,
            formats: [.toml])
    }

    static let maps: [SettingKey] = [
        .map("cluster", \.cluster, .text, "The cluster of [clusters] whose shards hold the rows."),
        .map(
            "key", \.description.key, .list,
            "Types of the key's columns: smallint, integer, bigint, text, varchar, uuid, date, "
                + "timestamp, timestamptz, boolean, bytea, oid."),
        .map(
            "tables", \.description.tables, .columnsByTable,
            "Key columns of each table, `TABLE` or `SCHEMA.TABLE`; `\"*\"` = every other table "
                + "that has the columns."),
        .map(
            "reference_tables", \.description.referenceTables, .list,
            "Tables with the same rows on every shard."),
        .map(
            "placement", \.description.placement, .choice,
            "How keys find their shard when no place names them: `hash` = by PostgreSQL's "
                + "partition hash, `range`, `list` and `schema` = by the places only, `lookup` = "
                + "by a query."),
        .map(
            "modulus", \.description.modulus, .count(0...65_536),
            "Of the hash. 0 = the number of shards. With a multiple of it, remainder r lies on "
                + "shard r modulo the number of shards, unless a place moves it."),
        .map(
            "unkeyed_reads", \.description.unkeyedReads, .text,
            "What becomes of a read without a key: `refuse`, `scatter` = every shard is asked, or "
                + "a shard's name."),
        .map(
            "unkeyed_writes", \.description.unkeyedWrites, .text,
            "What becomes of a write without a key: `refuse`, or a shard's name."),
        .map(
            "lookup_database", \.description.lookup.database, .text,
            "For `lookup`: the database of [databases] that is asked."),
        .map(
            "lookup_query", \.description.lookup.query, .text,
            "For `lookup`: takes the key's columns as $1, $2 and so on, gives the shard's name. No "
                + "row is an error."),
        .map(
            "lookup_cache_size", \.description.lookup.cacheCountMax, .count(0...100_000_000),
            "Answers of `lookup_query` that are kept."),
        .map(
            "lookup_cache_lifetime", \.description.lookup.cacheLifetime, .duration,
            "Seconds until an answer is asked for again. 0 = at RELOAD only."),
    ]

    private static func place<Stored>(
        _ name: String, _ path: any WritableKeyPath<MapDescription.Place, Stored> & Sendable,
        _ kind: Kind<Stored>, _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: .place, landing: .place(.always(path, kind)), meaning: meaning,
            formats: [.toml])
    }

    static let places: [SettingKey] = [
        .place(
            "values", \.values, .keyValues,
            "Keys: numbers or texts; a list for each key that has several columns. Values go "
                + "before a range that contains them."),
        .place("from", \.from, .keyValue, "The first key of a range. Unset = no lower bound."),
        .place(
            "to", \.to, .keyValue,
            "The first key behind a range. Unset = no upper bound. Texts are in the order of "
                + "their bytes, as with `COLLATE \"C\"`. Ranges do not overlap."),
        .place(
            "remainders", \.remainders, .remainders,
            "With placement by hash: remainders of `modulus`."),
        .place("shard", \.shard, .text, "Where these keys lie."),
    ]

    private static func tenant<Stored>(
        _ name: String, _ path: any WritableKeyPath<WrittenTenant, Stored> & Sendable,
        _ kind: Kind<Stored>, _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: .tenant, landing: .tenant(.always(path, kind)),
            meaning: meaning, formats: [.toml])
    }

    private static func tenant<Stored>(
        unless name: String, _ path: any WritableKeyPath<WrittenTenant, Stored?> & Sendable,
        _ kind: Kind<Stored>, _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: .tenant,
            landing: .tenant(.override(path, kind, unsetBy: .never)), meaning: meaning,
            formats: [.toml])
    }

    static let tenants: [SettingKey] = [
        .tenant(
            "match", \.settings.match, .choice,
            "Whose tenant it is: `database` = of clients that ask for the database NAME, `user` = "
                + "of clients that log in as the user NAME."),
        .tenant(unless: "cluster", \.destination.cluster, .text, "The cluster of [clusters]."),
        .tenant(unless: "sharding", \.destination.map, .text, "A map of [sharding] of its own."),
        .tenant(
            unless: "shard", \.destination.shard, .text,
            "The one shard that the tenant lies on, instead of `sharding`."),
        .tenant(
            unless: "pool_size", \.settings.serversMax, .count(1...1_000_000),
            "Most servers of the tenant on each shard."),
        .tenant(
            unless: "max_client_conn", \.settings.clientsMax, .count(1...10_000_000),
            "Most clients of the tenant."),
        .tenant(
            unless: "query_timeout", \.settings.queryTimeout, .duration,
            "For this tenant, seconds. 0 = none."),
        .tenant(
            unless: "query_wait_timeout", \.settings.queryWaitTimeout, .duration,
            "For this tenant, seconds. 0 = for ever."),
        .tenant(
            unless: "idle_transaction_timeout", \.settings.idleTransactionTimeout, .duration,
            "For this tenant, seconds. 0 = none."),
        .tenant(
            unless: "transaction_timeout", \.settings.transactionTimeout, .duration,
            "For this tenant, seconds. 0 = none."),
        .tenant(
            unless: "client_idle_timeout", \.settings.clientIdleTimeout, .duration,
            "For this tenant, seconds. 0 = none."),
        .tenant(
            "weight", \.settings.weight, .count(1...1000),
            "Share of the servers when tenants wait: twice the weight, twice the share. Ignored "
                + "in this version."),
    ]
}
