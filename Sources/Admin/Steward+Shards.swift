internal import EventLoop
internal import Pooling
internal import Sharding
internal import Worker

// SHOW SHARDS and SHOW TENANTS: what is configured, and what its pools do.

/// Sums over some pools.
private struct PoolSums {
    private(set) var databases: Set<String> = []
    private(set) var clientCount = 0
    private(set) var waitingCount = 0
    private(set) var activeCount = 0
    private(set) var idleCount = 0
    private(set) var serverCount = 0
    private(set) var statistics = PoolStatistics()

    mutating func add(_ pool: Pool, _ state: borrowing PoolState) {
        let counts = state.machine.counts
        databases.insert(pool.database)
        clientCount += state.machine.clientCount
        waitingCount += counts.waiting
        activeCount += counts.linked
        idleCount += counts.idle
        serverCount += counts.servers
        statistics += state.statistics
    }
}

extension Steward {
    /// One row for each server of a shard. A replica has no pool of its own.
    func shardRows() -> RowSet {
        struct Place: Hashable {
            let cluster: String
            let shard: String
        }
        var set = RowSet(
            types: "ssssisiiiiiNN",
            names: "cluster shard role host port dbname databases current_connections sv_active "
                + "sv_idle cl_waiting total_xact_count total_query_count")
        var sums: [Place: PoolSums] = [:]
        for pool in service.pools {
            pool.state.withLock { state in
                guard let cluster = state.profile.cluster, let shard = state.profile.shard else {
                    return
                }
                sums[Place(cluster: cluster, shard: shard), default: PoolSums()].add(pool, state)
            }
        }
        let clusters = service.settings.sharding.clusters
        for cluster in clusters.values.sorted(by: { $0.name < $1.name }) {
            for shard in cluster.shards {
                let mine = sums[Place(cluster: cluster.name, shard: shard.name)]
                set.add(row(cluster, shard, "primary", shard.primary, mine ?? PoolSums()))
                for replica in shard.replicas {
                    set.add(row(cluster, shard, "replica", replica, PoolSums()))
                }
            }
        }
        return set
    }

    private func row(
        _ cluster: Cluster, _ shard: Shard, _ role: String, _ server: ShardServer, _ sums: PoolSums
    ) -> [String?] {
        let figures = [
            sums.databases.count, sums.serverCount, sums.activeCount, sums.idleCount,
            sums.waitingCount, sums.statistics.transactionCount, sums.statistics.queryCount,
        ]
        return [cluster.name, shard.name, role, server.host, "\(server.port)", server.database]
            + figures.map { "\($0)" }
    }

    /// One row for each tenant, then one for each database on shards, without its tenants.
    func tenantRows() -> RowSet {
        var set = RowSet(
            types: "sssssiiiiNNNN",
            names: "name match cluster sharding shard pool_size max_client_conn "
                + "current_connections current_client_connections total_xact_count "
                + "total_query_count total_received total_sent")
        let settings = service.settings
        var tenants: [String: PoolSums] = [:]
        var databases: [String: PoolSums] = [:]
        for pool in service.pools {
            pool.state.withLock { state in
                if let tenant = state.profile.tenant {
                    tenants[tenant, default: PoolSums()].add(pool, state)
                } else if state.profile.shard != nil {
                    // Of a name that is not configured, what holds for any other.
                    let isNamed = settings.databases[pool.database] != nil
                    databases[isNamed ? pool.database : "*", default: PoolSums()].add(pool, state)
                }
            }
        }
        for tenant in settings.sharding.tenants.values.sorted(by: { $0.name < $1.name }) {
            let serversMax = tenant.settings.serversMax ?? settings.pool.serversMax
            set.add(
                [tenant.name, tenant.settings.match.rawValue]
                    + row(
                        tenant.destination, settings, serversMax, tenant.settings.clientsMax ?? 0,
                        tenants[tenant.name] ?? PoolSums()))
        }
        for (name, destination) in settings.sharding.databases.sorted(by: { $0.key < $1.key }) {
            let entry = name == "*" ? settings.wildcardDatabase : settings.databases[name]
            set.add(
                [name, nil]
                    + row(
                        destination, settings, entry?.serversMax ?? settings.pool.serversMax,
                        entry?.databaseClientsMax ?? settings.databaseClientsMax,
                        databases[name] ?? PoolSums()))
        }
        return set
    }

    private func row(
        _ destination: Destination, _ settings: ServiceSettings, _ serversMax: Int,
        _ clientsMax: Int, _ sums: PoolSums
    ) -> [String?] {
        let map: String?
        let shard: String?
        switch destination {
        case .map(let name, _): (map, shard) = (name, nil)
        case .shard(let index, let cluster):
            (map, shard) = (nil, settings.sharding.clusters[cluster]?.shards[index].name)
        }
        let figures = [
            serversMax, clientsMax, sums.serverCount, sums.clientCount,
            sums.statistics.transactionCount, sums.statistics.queryCount,
            sums.statistics.receivedByteCount, sums.statistics.sentByteCount,
        ]
        return [destination.cluster, map, shard] + figures.map { "\($0)" }
    }
}

extension ServiceSettings {
    /// What is configured for the database `name`, with the servers of its shards, and for the
    /// tenant that it is; nil = there is no such database.
    func entry(ofDatabase name: String) -> (DatabaseSettings, TenantSettings?)? {
        let destination = destination(database: name, user: "")
        guard
            var entry = databases[name]
                ?? (destination == nil ? wildcardDatabase : DatabaseSettings())
        else { return nil }
        if let destination, let cluster = sharding.clusters[destination.cluster] {
            let servers =
                switch destination {
                case .shard(let index, _): [cluster.shards[index].primary]
                case .map: cluster.shards.map(\.primary)
                }
            // Shards may be databases of one server.
            entry.hosts = servers.map(\.host).uniqued
            entry.ports = servers.map(\.port).uniqued
            entry.name = servers.map { $0.database ?? name }.uniqued.joined(separator: ",")
        }
        return (entry, sharding.tenant(database: name, user: "")?.settings)
    }
}

extension Array where Element: Hashable {
    /// Without what stood there before.
    fileprivate var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
