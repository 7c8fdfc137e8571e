internal import Sharding

/// Names of parts of owners, such as the shards of a cluster.
enum Part {
    /// No name contains a zero character.
    static func path(of owner: String, _ part: String) -> String { owner + "\0" + part }

    static func path(of owner: String, _ part: String, _ index: Int) -> String {
        path(of: path(of: owner, part), "\(index)")
    }
}

/// `cluster`, `sharding` and `shard` of a database or a tenant.
struct WrittenDestination: Sendable, Equatable {
    var cluster: String?
    var map: String?
    var shard: String?
}

/// `[sharding.NAME]`, without its places.
struct WrittenMap: Sendable, Equatable {
    var cluster = ""
    var description = MapDescription(name: "", shards: [])
}

/// `[tenants.NAME]`.
struct WrittenTenant: Sendable, Equatable {
    var destination = WrittenDestination()
    var settings = TenantSettings()
}

/// What a file says of shards, by owner, before names are looked up.
struct WrittenSharding: Sendable, Equatable {
    var clusters: Set<String> = []
    var shards: [String: Shard] = [:]
    var servers: [String: ShardServer] = [:]
    var maps: [String: WrittenMap] = [:]
    var places: [String: MapDescription.Place] = [:]
    var tenants: [String: WrittenTenant] = [:]
    var destinations: [String: WrittenDestination] = [:]

    /// Notes an owner that may have no key at all.
    mutating func open(_ section: Section, _ name: String) {
        switch section {
        case .cluster: clusters.insert(name)
        case .shard: shards[name] = Shard()
        case .server: servers[name] = ShardServer()
        case .map: maps[name] = WrittenMap()
        case .place: places[name] = MapDescription.Place(shard: "")
        case .tenant: tenants[name] = WrittenTenant()
        case .service, .database, .user, .http, .log: break
        }
    }
}
