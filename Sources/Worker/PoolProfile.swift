public import Authentication
public import Pooling
public import Session
internal import Wire

/// What holds for one database and user after all precedence rules: user, then database, then the
/// whole service.
public struct PoolProfile: Sendable, Equatable {
    /// As clients call it.
    public var database: String
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
    /// The settings for `user` in `database`; nil when there is no such database.
    public func profile(database: String, user: String) -> PoolProfile? {
        guard let entry = databases[database] ?? wildcardDatabase else { return nil }
        let person = users[entry.forcedUser ?? user]
        var pool = self.pool
        pool.serversMax = person?.serversMax ?? entry.serversMax ?? pool.serversMax
        pool.serversMin = entry.serversMin ?? pool.serversMin
        pool.reserveMax = person?.reserveMax ?? entry.reserveMax ?? pool.reserveMax
        pool.serverLifetime = entry.serverLifetime ?? pool.serverLifetime
        var session = self.session
        session.mode = person?.mode ?? entry.mode ?? session.mode
        session.connectQuery = entry.connectQuery ?? session.connectQuery
        session.queryWaitTimeout =
            person?.queryWaitTimeout ?? entry.queryWaitTimeout ?? session.queryWaitTimeout
        session.queryTimeout = person?.queryTimeout ?? session.queryTimeout
        session.idleTransactionTimeout =
            person?.idleTransactionTimeout ?? session.idleTransactionTimeout
        session.transactionTimeout = person?.transactionTimeout ?? session.transactionTimeout
        session.clientIdleTimeout = person?.clientIdleTimeout ?? session.clientIdleTimeout
        let serverUser = entry.forcedUser ?? user
        let forced = entry.forcedPassword.map { Secret.plain($0) }
        return PoolProfile(
            database: database, user: serverUser, hosts: entry.hosts, ports: entry.ports,
            balancesHosts: entry.balancesHosts, serverDatabase: entry.name ?? database,
            serverUser: serverUser, isUserForced: entry.forcedUser != nil,
            secret: forced ?? authentication.secrets[serverUser],
            pool: pool, session: session, startupParameters: entry.startupParameters,
            databaseServersMax: entry.databaseServersMax ?? databaseServersMax,
            userServersMax: person?.userServersMax ?? userServersMax,
            databaseClientsMax: entry.databaseClientsMax ?? databaseClientsMax,
            userClientsMax: users[user]?.userClientsMax ?? userClientsMax)
    }
}
