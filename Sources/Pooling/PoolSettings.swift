/// When a server goes back to its pool. Source: PgBouncer's `pool_mode`.
public enum PoolMode: String, Sendable, Equatable, CaseIterable {
    /// When the client disconnects.
    case session
    /// When the transaction ends.
    case transaction
    /// After each statement; transaction blocks are refused.
    case statement
}

/// What steers one pool: sizes, and when servers are opened and closed. One pool serves one
/// database and user in the whole process, whatever the number of workers.
public struct PoolSettings: Sendable, Equatable {
    /// Most servers of this pool. `pool_size`, `default_pool_size`.
    public var serversMax = 20
    /// Servers kept open while clients are connected. `min_pool_size`.
    public var serversMin = 0
    /// Servers beyond `serversMax` for clients that waited `reserveAfter`. `reserve_pool_size`.
    public var reserveMax = 0
    /// `reserve_pool_timeout`; zero = the reserve is not used.
    public var reserveAfter: Duration = .seconds(5)
    /// How many connections may be in the making at once.
    public var openingMax = 8
    /// Most clients in the queue; more are refused.
    public var waitingMax = 1_000_000
    /// An unused server older than this is closed; each server's own limit is spread over the
    /// last tenth. `server_lifetime`; zero = after one use.
    public var serverLifetime: Duration = .seconds(3600)
    /// `server_idle_timeout`; zero = never.
    public var serverIdleTimeout: Duration = .seconds(600)
    /// Pause after a failed connection attempt. `server_login_retry`.
    public var serverLoginRetry: Duration = .seconds(15)
    /// A server idle for longer is checked before use. `server_check_delay`.
    public var serverCheckDelay: Duration = .seconds(30)
    /// First in, first out instead of last in, first out. `server_round_robin`.
    public var isRoundRobin = false

    public init() {}
}
