public import Bytes
public import EventLoop
public import Pooling
public import Session
public import Wire

/// Sums since the pool began. Times in nanoseconds.
public struct PoolStatistics: Sendable, Equatable {
    public var assignmentCount = 0
    public var transactionCount = 0
    public var queryCount = 0
    public var receivedByteCount = 0
    public var sentByteCount = 0
    public var transactionTime: Int64 = 0
    public var queryTime: Int64 = 0
    public var waitTime: Int64 = 0
    public var clientParseCount = 0
    public var serverParseCount = 0
    public var bindCount = 0
    public var loginCount = 0

    public init() {}

    public static func += (left: inout PoolStatistics, right: PoolStatistics) {
        left.assignmentCount += right.assignmentCount
        left.transactionCount += right.transactionCount
        left.queryCount += right.queryCount
        left.receivedByteCount += right.receivedByteCount
        left.sentByteCount += right.sentByteCount
        left.transactionTime += right.transactionTime
        left.queryTime += right.queryTime
        left.waitTime += right.waitTime
        left.clientParseCount += right.clientParseCount
        left.serverParseCount += right.serverParseCount
        left.bindCount += right.bindCount
        left.loginCount += right.loginCount
    }
}

/// What all workers know of one pool; reached under its lock.
public struct PoolState: Sendable {
    public var machine: ServerPool
    public var profile: PoolProfile
    /// What the last server that let us in said; clients are greeted with it.
    public var welcome: ServerWelcome?
    public var welcomeParameters = ParameterState.empty
    /// The ParameterStatus messages of the last greeting, and of which parameters they tell.
    var greeting: (parameters: ParameterState, messages: [UInt8])?
    /// Why the last attempt to open a server failed; nil after one that did not.
    public var lastFailure: ErrorReply?
    /// Attempts that failed since the last success or pause.
    var failureCount = 0
    /// What we ask servers to speak: protocol 3.2, or 3.0 if one has refused that.
    var protocolMinor: UInt16 = 2
    /// From a client's right proof: logs in to servers that hold the same SCRAM secret.
    public var learnedClientKey: [UInt8]?
    public var statistics = PoolStatistics()
    /// Since when there is neither a client nor a server; nil = there is, or nobody has looked.
    var unusedSince: Instant?
    /// Servers that clients keep in transaction mode, because of what they hold.
    var pinnedCount = 0
    /// Who held the servers for the longest, when it was last asked for.
    var holders: (text: String, at: Instant)?
    /// Which host the next connection goes to.
    public var nextHost = 0

    /// Whether there was neither a client nor a server for `duration`; to be asked now and then.
    mutating func isUnused(for duration: Duration, at now: Instant) -> Bool {
        guard machine.clientCount == 0, machine.counts.servers == 0, !machine.isPaused else {
            unusedSince = nil
            return false
        }
        let since = unusedSince ?? now
        unusedSince = since
        return now - since >= duration
    }
}

/// One pool: a database and user, shared by all workers.
public final class Pool: Sendable {
    public let id: PoolID
    /// Lowest free place in the directory when the pool was made; used again when it is forgotten.
    let place: Int
    public let database: String
    /// Which part of the database; nil = it is on one server.
    public let shard: String?
    public let user: String
    public let state: Guarded<PoolState>
    /// What its clients listen to. Its lock is taken while no other is held.
    let listener = Guarded(PoolListener())

    /// Database and shard: "app", "app/s0".
    public var shownName: String { shard.map { "\(database)/\($0)" } ?? database }

    init(id: PoolID, place: Int, profile: PoolProfile, workerCount: Int) {
        self.id = id
        self.place = place
        database = profile.database
        shard = profile.shard
        user = profile.user
        state = Guarded(
            PoolState(
                machine: ServerPool(id: id, settings: profile.pool, workerCount: workerCount),
                profile: profile))
    }
}
