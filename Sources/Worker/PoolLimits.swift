internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import Sharding
internal import Wire

/// What a worker must know of a pool's settings at every message, ready to compute with: each
/// worker has its own copy, so that no lock is taken for it.
struct PoolLimits {
    /// Whose limits these are.
    var pool = PoolID(number: 0)
    let mode: PoolMode
    let queryTimeout: Limit
    let queryWaitTimeout: Limit
    let queryWaitNotify: Limit
    let idleTransactionTimeout: Limit
    let transactionTimeout: Limit
    let clientIdleTimeout: Limit
    /// A server that was idle for at least so many nanoseconds is checked; `max` = never.
    let checkDelay: Int64
    /// Whether the reset query runs after each release.
    let resetsAlways: Bool
    let pinPolicy: PinPolicy
    /// 0 = no limit.
    let pinnedMax: Int
    let auditsReleases: Bool
    let readsFunctions: Bool
    var channelsMax: Int
    let notificationByteCountMax: Int
    /// Whether anything is due of a client that has a server.
    let watchesLinked: Bool
    /// The same for one that has none and waits for none.
    let watchesIdle: Bool

    init(_ session: SessionSettings, _ pool: PoolSettings) {
        resetsAlways = session.resetsAlways && !session.resetQuery.isEmpty
        checkDelay = session.checkQuery == nil ? .max : pool.serverCheckDelay.nanoseconds
        mode = session.mode
        pinPolicy = session.pinPolicy
        pinnedMax = session.pinnedMax
        auditsReleases = session.auditsReleases
        readsFunctions = session.functionCheckInterval > .zero
        channelsMax = session.channelsMax
        notificationByteCountMax = session.notificationByteCountMax
        queryTimeout = Limit(session.queryTimeout)
        queryWaitTimeout = Limit(session.queryWaitTimeout)
        queryWaitNotify = Limit(session.queryWaitNotify)
        idleTransactionTimeout = Limit(session.idleTransactionTimeout)
        transactionTimeout = Limit(session.mode == .session ? .zero : session.transactionTimeout)
        clientIdleTimeout = Limit(session.clientIdleTimeout)
        watchesLinked =
            queryTimeout.isSet || idleTransactionTimeout.isSet || transactionTimeout.isSet
            || clientIdleTimeout.isSet
        watchesIdle = clientIdleTimeout.isSet
    }
}

/// Where a pool's limits are to be found.
struct PoolName {
    var place = Int.max
    var id = PoolID(number: 0)

    init() {}

    init(_ pool: Pool) {
        place = pool.place
        id = pool.id
    }
}

/// A duration that something may last; not set = for ever.
struct Limit {
    private let nanoseconds: Int64

    init(_ duration: Duration) { nanoseconds = duration.nanoseconds }

    var isSet: Bool { nanoseconds > 0 }

    /// When it ends if it begins at `start`.
    func end(from start: Instant) -> Instant {
        guard isSet else { return .never }
        let (sum, overflow) = start.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .never : Instant(nanoseconds: sum)
    }
}

extension Worker where Loop: ~Copyable {
    /// Whether nothing can ever be due of the client as it is now, whatever the time.
    func isUnwatched(_ slot: Int) -> Bool {
        guard !watchesClients else { return false }
        return switch clients[slot].phase {
        case .linked, .idle: true
        case .login, .greeting, .proving, .asking, .waiting, .console, .closing: false
        }
    }

    /// Those of the pool called `name`; as a rule touches no reference.
    mutating func limits(of name: PoolName, _ pool: @autoclosure () -> Pool?) -> PoolLimits? {
        if name.place < poolLimits.count, let known = poolLimits[name.place],
            known.pool == name.id
        {
            return known
        }
        return pool().map { limits(of: $0) }
    }

    /// The limits of `pool` as of the last reload that this worker has heard of.
    mutating func limits(of pool: Pool) -> PoolLimits {
        let place = pool.place
        if place < poolLimits.count, let known = poolLimits[place], known.pool == pool.id {
            return known
        }
        while poolLimits.count <= place { poolLimits.append(nil) }
        var made = pool.state.withLock { PoolLimits($0.profile.session, $0.profile.pool) }
        made.pool = pool.id
        if pool.shard != nil,
            case .map(_, _)? = settings.destination(database: pool.database, user: pool.user)
        {
            // A listener hears one shard only: who listens keeps its server.
            made.channelsMax = 0
        }
        poolLimits[place] = made
        if made.watchesLinked || made.watchesIdle { watchesClients = true }
        return made
    }
}
