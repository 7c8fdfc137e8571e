internal import Bytes
internal import EventLoop
internal import Pooling

/// What PAUSE, KILL and DISABLE hold back, in pools that come later too.
public struct Holds: Sendable, Equatable {
    public var isAllPaused = false
    /// Databases.
    public var paused: Set<String> = []
    /// Databases that take no new client.
    public var disabled: Set<String> = []

    public init() {}

    public func isPaused(_ database: String) -> Bool { isAllPaused || paused.contains(database) }
}

/// All pools by database and user, and what is held back in them. Used under its lock, in which
/// the lock of one pool may be taken, never the other way round.
struct PoolDirectory {
    struct Key: Hashable {
        let database: String
        let shard: String?
        let user: String
    }

    private(set) var pools: [Key: Pool] = [:]
    var holds = Holds()
    private var numberLast: UInt32 = 0
    private var placeCount = 0
    private var freePlaces: [Int] = []

    subscript(_ database: String, _ shard: String?, _ user: String) -> Pool? {
        pools[Key(database: database, shard: shard, user: user)]
    }

    mutating func add(_ profile: PoolProfile, workerCount: Int) -> Pool {
        numberLast += 1
        let pool = Pool(
            id: PoolID(number: numberLast), place: takePlace(), profile: profile,
            workerCount: workerCount)
        pool.state.withLock { $0.machine.isPaused = holds.isPaused(profile.database) }
        pools[Key(database: profile.database, shard: profile.shard, user: profile.user)] = pool
        return pool
    }

    mutating func remove(_ pool: Pool) {
        pools[Key(database: pool.database, shard: pool.shard, user: pool.user)] = nil
        freePlaces.append(pool.place)
    }

    private mutating func takePlace() -> Int {
        if let place = freePlaces.popLast() { return place }
        placeCount += 1
        return placeCount - 1
    }
}
