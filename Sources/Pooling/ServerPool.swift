// Which client gets which server of one pool, and when servers are opened and closed.
// Workers call it under the pool's lock and do the I/O that it asks for afterwards. It never does
// I/O, reads no clock, and draws no random number.

public import Bytes
internal import DequeModule

/// The servers of one database and user, and the clients that wait for them; all workers share it.
///
/// A server is *opening* (counted only), *linked* (counted only; a worker owns it) or *idle*
/// (listed here). Unless the pool is paused, no client waits beside an idle server.
///
/// `openings(at:)` is worth calling after each event that frees room or adds demand: a checkout
/// that was queued, `opened`, `openingFailed`, `linkedClosed`, every server that left (a checkin
/// that says close, `removeIdle`, `expire`, …), the first client, new settings, the end of a
/// pause; and when `retryAt()` says so.
///
/// Instants come from the workers' clocks and may lag behind each other a little.
public struct ServerPool: Sendable {
    public let id: PoolID
    /// Replaced by RELOAD; counts from the next event on.
    public var settings: PoolSettings { didSet { timing = Timing(settings) } }
    /// Connected clients, set by the directory; `serversMin` holds while there is one.
    public var clientCount = 0
    /// Paused: every client waits, nothing is opened, and what comes back is to be closed. After
    /// setting it to false call `grantAfterResume(at:)` before anything else.
    public var isPaused = false
    /// How often `reconnect(at:)` was called.
    public internal(set) var epoch = 0

    /// By how much longer another worker's first client must have waited to come before the own.
    public static let fairnessBound: Duration = .milliseconds(2)
    static let fairnessBoundNanoseconds = fairnessBound.nanoseconds

    /// A server nobody uses.
    struct IdleServer: Sendable {
        let server: ServerID
        let openedAt: Instant
        let since: Instant
    }

    /// Durations of the settings in nanoseconds: dividing them out at every checkin is too dear.
    struct Timing: Sendable {
        let lifetime: Int64
        let idleTimeout: Int64

        init(_ settings: PoolSettings) {
            lifetime = settings.serverLifetime.nanoseconds
            idleTimeout = settings.serverIdleTimeout.nanoseconds
        }
    }

    var timing: Timing
    /// The one that is idle longest comes first.
    var idle: Deque<IdleServer> = []
    var linkedCount = 0
    var openingCount = 0
    /// One per worker.
    var queues: [WaitQueue]
    var waitingCount = 0
    var ticketNext: UInt64 = 1

    /// No opening before this: a connection attempt failed.
    var retryNotBefore: Instant?
    /// An attempt failed and none has succeeded since: one at a time.
    var isProbing = false
    /// When a failure last made no pause.
    var forgivenAt: Instant?
    /// The latest instant for which `openings(at:)` has answered.
    var askedAt = Instant(nanoseconds: .min)
    /// Servers opened before this are not wanted back.
    var reconnectedAt: Instant?
    /// No server is kept before this that no client needs.
    var vacatedUntil: Instant?
    /// When `expire` last closed a server for its age.
    var lifetimeClosedAt: Instant?

    /// `workerCount` is 1 to 128; clients name their worker by an index below it.
    public init(id: PoolID, settings: PoolSettings, workerCount: Int) {
        precondition(workerCount >= 1 && workerCount <= 128)
        self.id = id
        self.settings = settings
        timing = Timing(settings)
        queues = Array(repeating: WaitQueue(), count: workerCount)
    }

    /// O(number of workers).
    public var counts: PoolCounts {
        PoolCounts(
            idle: idle.count, linked: linkedCount, opening: openingCount, waiting: waitingCount,
            oldestWait: oldestWait)
    }

    /// Stops the process if this pool contradicts itself. For tests and debug builds: O(n).
    public func checkInvariants() {
        let broken = brokenInvariant
        precondition(broken == nil, broken ?? "")
    }

    /// What contradicts itself in this pool, or nil. O(n).
    public var brokenInvariant: String? {
        if linkedCount < 0 || openingCount < 0 || waitingCount < 0 { return "a negative count" }
        if queues.reduce(0, { $0 + $1.count }) != waitingCount { return "waiters are miscounted" }
        if !isPaused && waitingCount > 0 && !idle.isEmpty { return "an idle server and a waiter" }
        if Set(idle.map(\.server)).count != idle.count { return "a server is idle twice" }
        return queues.lazy.compactMap(\.brokenInvariant).first
    }

    /// The servers that nobody uses. O(n).
    public var idleServers: [ServerID] { idle.map(\.server) }

    var serverCount: Int { idle.count + linkedCount + openingCount }

    /// Whether `serversMax` may be passed at all.
    var isReserveUsed: Bool { settings.reserveMax > 0 && settings.reserveAfter > .zero }

    /// Most servers this pool may ever have with these settings.
    var serversLimit: Int { settings.serversMax + (isReserveUsed ? settings.reserveMax : 0) }

    /// Since when the client that waited longest waits. O(number of workers).
    var oldestWait: Instant? {
        guard waitingCount > 0 else { return nil }
        var oldest = Instant.never
        for index in queues.indices {
            if let first = queues[index].first { oldest = min(oldest, first.since) }
        }
        return oldest
    }
}
