public import Pooling

/// What becomes of a client in transaction mode that leaves something in its server's session which
/// cannot be taken to another server.
public enum PinPolicy: String, Sendable, Equatable, CaseIterable {
    /// It keeps the server while that is there.
    case pin
    /// It is disconnected.
    case refuse
}

/// What steers the sessions of one database and user. Durations of zero mean "no limit".
public struct SessionSettings: Sendable, Equatable {
    /// `pool_mode`.
    public var mode = PoolMode.session
    /// Run when a client of a session pool leaves. Empty = nothing. `server_reset_query`.
    public var resetQuery = "DISCARD ALL"
    /// Run it in transaction and statement mode too. `server_reset_query_always`.
    public var resetsAlways = false
    /// Run on a server that idled for longer than `serverCheckDelay`. `<empty>` in PgBouncer's
    /// notation is the empty query; nil = no check. `server_check_query`.
    public var checkQuery: String? = ""
    /// Run after each server login; a failure is logged. `connect_query`.
    public var connectQuery: String?
    /// From the client's query to its answer, waiting included. `query_timeout`.
    public var queryTimeout: Duration = .zero
    /// Longest stay in the queue. `query_wait_timeout`.
    public var queryWaitTimeout: Duration = .seconds(120)
    /// A NOTICE tells a client that it has queued for this long. `query_wait_notify`.
    public var queryWaitNotify: Duration = .seconds(5)
    /// `idle_transaction_timeout`.
    public var idleTransactionTimeout: Duration = .zero
    /// `transaction_timeout`.
    public var transactionTimeout: Duration = .zero
    /// `client_idle_timeout`.
    public var clientIdleTimeout: Duration = .zero
    /// Prepared statements kept per server; zero = names are passed on as they are.
    /// `max_prepared_statements`.
    public var preparedStatementsMax = 200

    /// What becomes of a client that leaves what keeps its server. `pin_policy`.
    public var pinPolicy = PinPolicy.pin
    /// Most servers of one pool that clients keep in transaction mode; 0 = no limit.
    /// `max_pinned_servers`.
    public var pinnedMax = 0
    /// Bytes of notifications that may wait for one client; with more, it is closed.
    /// `max_waiting_notification_bytes`.
    public var notificationByteCountMax = 4 << 20
    /// Channels of one client that its pool's listener takes over; with more, it keeps its server.
    /// `max_channels`.
    public var channelsMax = 1_000
    /// Ask every server what its client has left, whatever the texts say. `audit_releases`.
    public var auditsReleases = false
    /// How old may be what is known of functions; zero = they are not looked into.
    /// `function_check_interval`.
    public var functionCheckInterval: Duration = .seconds(10)

    public init() {}
}
