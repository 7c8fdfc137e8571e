/// One PostgreSQL of a shard.
public struct ShardServer: Sendable, Equatable {
    /// Host name, address, or directory of a unix socket.
    public var host = ""
    public var port: UInt16 = 5432
    /// Name of the database there; nil = the name that the client used.
    public var database: String?

    public init() {}
}

/// One part of the data.
public struct Shard: Sendable, Equatable {
    public var name = ""
    public var primary = ShardServer()
    public var replicas: [ShardServer] = []

    public init() {}
}

/// Shards that hold the same schema. `[clusters.NAME]`.
public struct Cluster: Sendable, Equatable {
    public let name: String
    /// A shard is named by its index here.
    public var shards: [Shard]

    public init(name: String, shards: [Shard]) {
        self.name = name
        self.shards = shards
    }

    public func index(ofShard name: String) -> Int? { shards.firstIndex { $0.name == name } }
}

/// What a database or a tenant stands for.
public enum Destination: Sendable, Equatable {
    /// Each statement goes where the map of that name puts its key.
    case map(String, cluster: String)
    /// Everything goes to one shard, by its index.
    case shard(Int, cluster: String)

    public var cluster: String {
        switch self {
        case .map(_, let cluster), .shard(_, let cluster): cluster
        }
    }
}

/// Who belongs to a tenant.
public enum TenantMatch: String, Sendable, Equatable, CaseIterable {
    /// Clients that ask for the database of the tenant's name.
    case database
    /// Clients that log in as the user of the tenant's name.
    case user
}

/// `[tenants.NAME]`. nil = as the database, the user or the service.
public struct TenantSettings: Sendable, Equatable {
    public var match = TenantMatch.database
    /// Servers on each shard. `pool_size`.
    public var serversMax: Int?
    /// `max_client_conn`.
    public var clientsMax: Int?
    public var queryTimeout: Duration?
    public var queryWaitTimeout: Duration?
    public var idleTransactionTimeout: Duration?
    public var transactionTimeout: Duration?
    public var clientIdleTimeout: Duration?
    /// Share of servers when tenants wait: twice the weight, twice the share.
    public var weight = 1

    public init() {}
}

/// Whoever's data is kept together.
public struct Tenant: Sendable, Equatable {
    public let name: String
    public let destination: Destination
    public let settings: TenantSettings

    public init(name: String, destination: Destination, settings: TenantSettings) {
        self.name = name
        self.destination = destination
        self.settings = settings
    }
}

/// All that a configuration says of shards. Changes as a whole, by RELOAD.
public struct ShardingSettings: Sendable, Equatable {
    /// Which of the configurations this process has had; whoever installs it counts.
    public var version: UInt64 = 0
    public var clusters: [String: Cluster] = [:]
    public var routers: [String: Router] = [:]
    /// By the name that clients use; "*" = any other.
    public var databases: [String: Destination] = [:]
    public var tenants: [String: Tenant] = [:]

    public init() {}

    public var isEmpty: Bool {
        clusters.isEmpty && routers.isEmpty && databases.isEmpty && tenants.isEmpty
    }

    /// Whether a database or a tenant is on several shards.
    public var hasMap: Bool {
        (databases.values + tenants.values.map(\.destination)).contains {
            if case .map = $0 { true } else { false }
        }
    }

    /// These settings come after `old`: what is the same stays the same object, with the plans that
    /// were made for it; if anything differs, the version is the next one.
    public mutating func succeed(_ old: ShardingSettings) {
        for (name, router) in old.routers where routers[name] == router { routers[name] = router }
        version = old.version
        if self != old { version += 1 }
    }

    /// The tenant of a client; one by user wins over one by database.
    public func tenant(database: String, user: String) -> Tenant? {
        if let tenant = tenants[user], tenant.settings.match == .user { return tenant }
        if let tenant = tenants[database], tenant.settings.match == .database { return tenant }
        return nil
    }

    /// Where the statements of a client go; nil = its database is not sharded.
    public func destination(database: String, user: String) -> Destination? {
        tenant(database: database, user: user)?.destination ?? databases[database]
    }
}
