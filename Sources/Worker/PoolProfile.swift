public import Authentication
public import Pooling
public import Session
public import Sharding
internal import Wire

/// What holds for one database and user after all precedence rules: user, then database, then the
/// whole service.
public struct PoolProfile: Sendable, Equatable {
    /// As clients call it.
    public var database: String
    /// Which part of the database; nil = it is on one server.
    public var shard: String?
    /// The cluster of that shard.
    public var cluster: String?
    /// Of `[tenants]`; nil = the database itself.
    public var tenant: String?
    /// As clients log in.
    public var user: String
    public var hosts: [String]
    public var ports: [UInt16]
    public var balancesHosts: Bool
    /// On the server.
    public var serverDatabase: String
    public var serverUser: String
    public var isUserForced: Bool
    public var secret: Secret?
    public var pool: PoolSettings
    public var session: SessionSettings
    public var startupParameters: [String: String]
    /// 0 = no limit.
    public var databaseServersMax: Int
    public var userServersMax: Int
    public var databaseClientsMax: Int
    public var userClientsMax: Int
    public var tenantClientsMax: Int

    /// Where servers are: each of `hosts` with its port.
    var places: [ServerPlace] {
        guard !hosts.isEmpty else {
            return [ServerPlace(host: "/var/run/postgresql", port: ports.first ?? 5432)]
        }
        return hosts.indices.map { index in
            ServerPlace(
                host: hosts[index],
                port: ports.indices.contains(index) ? ports[index] : ports.first ?? 5432)
        }
    }
}

/// One host of a database as the configuration names it.
struct ServerPlace: Equatable {
    let host: String
    let port: UInt16
}

extension ServiceSettings {
    /// The settings for `user` in `database`; nil when there is no such database. `shard`: of a
    /// database on several shards, which one; nil = the first.
    public func profile(database: String, user: String, shard: String? = nil) -> PoolProfile? {
        let tenant = sharding.tenant(database: database, user: user)
        let destination = destination(database: database, user: user)
        guard
            var entry = databases[database]
                ?? (destination == nil ? wildcardDatabase : DatabaseSettings())
        else { return nil }
        var place: Shard?
        if let destination {
            guard let found = self.shard(shard, of: destination) else { return nil }
            place = found
            entry.hosts = [found.primary.host]
            entry.ports = [found.primary.port]
            entry.name = found.primary.database ?? database
        } else if shard != nil {
            return nil
        }
        let person = users[entry.forcedUser ?? user]
        let serverUser = entry.forcedUser ?? user
        let forced = entry.forcedPassword.map { Secret.plain($0) }
        var session = session(entry, person, tenant?.settings)
        // The statements of such a session go to several servers.
        if case .map? = destination, session.mode == .session { session.mode = .transaction }
        return PoolProfile(
            database: database, shard: place?.name, cluster: destination?.cluster,
            tenant: tenant?.name, user: serverUser, hosts: entry.hosts, ports: entry.ports,
            balancesHosts: entry.balancesHosts, serverDatabase: entry.name ?? database,
            serverUser: serverUser, isUserForced: entry.forcedUser != nil,
            secret: forced ?? authentication.secrets[serverUser],
            pool: pool(entry, person, tenant?.settings),
            session: session,
            startupParameters: entry.startupParameters,
            databaseServersMax: entry.databaseServersMax ?? databaseServersMax,
            userServersMax: person?.userServersMax ?? userServersMax,
            databaseClientsMax: entry.databaseClientsMax ?? databaseClientsMax,
            userClientsMax: users[user]?.userClientsMax ?? userClientsMax,
            tenantClientsMax: tenant?.settings.clientsMax ?? 0)
    }

    /// Whether clients may ask for that database.
    func hasDatabase(_ database: String, user: String) -> Bool {
        databases[database] != nil || wildcardDatabase != nil
            || destination(database: database, user: user) != nil
    }

    /// Where the statements of a client go; nil = its database is on one server.
    public func destination(database: String, user: String) -> Destination? {
        if let known = sharding.destination(database: database, user: user) { return known }
        return databases[database] == nil ? sharding.databases["*"] : nil
    }

    /// The shard called `name` that `destination` needs; without a name, the first.
    private func shard(_ name: String?, of destination: Destination) -> Shard? {
        guard let cluster = sharding.clusters[destination.cluster] else { return nil }
        switch destination {
        case .shard(let index, _):
            return name == nil || cluster.shards[index].name == name ? cluster.shards[index] : nil
        case .map:
            return name == nil ? cluster.shards.first : cluster.shards.first { $0.name == name }
        }
    }

    private func pool(
        _ entry: DatabaseSettings, _ person: UserSettings?, _ tenant: TenantSettings?
    ) -> PoolSettings {
        var pool = self.pool
        pool.serversMax =
            person?.serversMax ?? tenant?.serversMax ?? entry.serversMax ?? pool.serversMax
        pool.serversMin = entry.serversMin ?? pool.serversMin
        pool.reserveMax = person?.reserveMax ?? entry.reserveMax ?? pool.reserveMax
        pool.serverLifetime = entry.serverLifetime ?? pool.serverLifetime
        return pool
    }

    private func session(
        _ entry: DatabaseSettings, _ person: UserSettings?, _ tenant: TenantSettings?
    ) -> SessionSettings {
        var session = self.session
        session.mode = person?.mode ?? entry.mode ?? session.mode
        session.connectQuery = entry.connectQuery ?? session.connectQuery
        session.queryWaitTimeout =
            person?.queryWaitTimeout ?? tenant?.queryWaitTimeout ?? entry.queryWaitTimeout
            ?? session.queryWaitTimeout
        session.queryTimeout =
            person?.queryTimeout ?? tenant?.queryTimeout ?? session.queryTimeout
        session.idleTransactionTimeout =
            person?.idleTransactionTimeout ?? tenant?.idleTransactionTimeout
            ?? session.idleTransactionTimeout
        session.transactionTimeout =
            person?.transactionTimeout ?? tenant?.transactionTimeout ?? session.transactionTimeout
        session.clientIdleTimeout =
            person?.clientIdleTimeout ?? tenant?.clientIdleTimeout ?? session.clientIdleTimeout
        return session
    }
}
