// Everything that the data plane is told. Configuration fills these from a file; nothing here
// knows of files. Names in `code` are PgBouncer's keys.

public import Authentication
public import Pooling
public import Session
public import Sharding
public import TLS

/// One whole configuration.
public struct ServiceSettings: Sendable, Equatable {
    public var listen = ListenSettings()
    /// Threads; 0 = one per core the process may use, at most 127.
    public var workers = 0
    public var io = IOChoice.auto
    /// `max_client_conn`.
    public var clientsMax = 100
    /// Log-in, TLS included, must be done within. `client_login_timeout`.
    public var clientLoginTimeout: Duration = .seconds(60)
    /// A cancel request waits this long for its own server connection. `cancel_wait_timeout`.
    public var cancelWaitTimeout: Duration = .seconds(10)
    /// Connecting and logging in to a server. `server_connect_timeout`.
    public var serverConnectTimeout: Duration = .seconds(15)
    /// Names looked up are looked up again after this. `dns_max_ttl`.
    public var dnsLifetime: Duration = .seconds(15)
    /// Who answers for a name that could not be resolved is asked again after. `dns_nxdomain_ttl`.
    public var dnsFailureLifetime: Duration = .seconds(15)
    /// Servers of all pools on one host and port together; 0 = no limit.
    public var hostServersMax = 0
    /// Largest message a client may send, in bytes. `max_packet_size`.
    public var messageLengthMax: UInt32 = 2_147_483_647
    /// `ignore_startup_parameters`, lower case.
    public var ignoredStartupParameters: Set<String> = []
    /// `application_name_add_host`.
    public var addsHostToApplicationName = false
    /// false: every refusal has SQLSTATE 08P01, as PgBouncer's; true: the fitting one.
    public var usesFittingSQLStates = true
    public var tcp = TCPSettings()
    public var authentication = AuthenticationSettings()
    public var adminUsers: [String] = []
    public var statsUsers: [String] = []
    public var clientTLS = ClientTLSSettings()
    public var serverTLS = ServerTLSSettings()
    /// By the name that clients use.
    public var databases: [String: DatabaseSettings] = [:]
    /// `*`: any database not named in `databases`.
    public var wildcardDatabase: DatabaseSettings?
    public var users: [String: UserSettings] = [:]
    /// Clusters, maps, tenants. Whoever installs the settings counts its version.
    public var sharding = ShardingSettings()
    /// What databases and users do not set themselves.
    public var pool = PoolSettings()
    public var session = SessionSettings()
    /// `max_db_connections`; 0 = no limit.
    public var databaseServersMax = 0
    /// `max_user_connections`; 0 = no limit.
    public var userServersMax = 0
    /// `max_db_client_connections`; 0 = no limit.
    public var databaseClientsMax = 0
    /// `max_user_client_connections`; 0 = no limit.
    public var userClientsMax = 0
    /// A wildcard database without clients and servers is forgotten after. `autodb_idle_timeout`.
    public var wildcardIdleTimeout: Duration = .seconds(3600)
    /// Averages in SHOW STATS are over this. `stats_period`.
    public var statsPeriod: Duration = .seconds(60)
    public var logsConnections = true
    public var logsDisconnections = true
    public var logsPoolerErrors = true
    public var logsStats = true

    public init() {}
}

/// Which kernel interface moves the bytes.
public enum IOChoice: String, Sendable, Equatable, CaseIterable {
    case auto
    case ioUring = "io_uring"
    case epoll
}

public struct ListenSettings: Sendable, Equatable {
    /// IPv4 and IPv6 addresses or host names; "*" = every address. Empty = no TCP. `listen_addr`.
    public var addresses: [String] = []
    /// 0 = any free port (for tests); the log names it. `listen_port`.
    public var port: UInt16 = 6432
    /// nil = none. A leading "@" is the abstract namespace. `unix_socket_dir`.
    public var unixSocketDirectory: String? = "/tmp"
    /// `unix_socket_mode`.
    public var unixSocketMode: UInt32 = 0o777
    /// `unix_socket_group`.
    public var unixSocketGroup: String?
    /// `listen_backlog`.
    public var backlog: Int32 = 128

    public init() {}
}

/// For client and server sockets alike. Zero = the kernel's own value.
public struct TCPSettings: Sendable, Equatable {
    /// `tcp_keepalive`.
    public var isKeepaliveOn = true
    /// `tcp_keepidle`.
    public var keepaliveIdle: Duration = .zero
    /// `tcp_keepintvl`.
    public var keepaliveInterval: Duration = .zero
    /// `tcp_keepcnt`.
    public var keepaliveCount = 0
    /// `tcp_user_timeout`.
    public var userTimeout: Duration = .zero
    /// Send and receive buffer of each socket, in bytes. `tcp_socket_buffer`.
    public var socketBufferByteCount = 0
    /// `tcp_defer_accept`.
    public var deferAccept: Duration = .seconds(45)

    public init() {}
}

/// One entry of `[databases]`. nil = as the whole service.
public struct DatabaseSettings: Sendable, Equatable {
    /// Host names, addresses, or directories of unix sockets ("/…", "@…"); tried in turn.
    public var hosts: [String] = []
    /// One per host, or one for all.
    public var ports: [UInt16] = [5432]
    /// Name on the server; nil = the name that the client used. `dbname`.
    public var name: String?
    /// Every client shares this user's pool. `user`.
    public var forcedUser: String?
    /// Of the forced user. `password`.
    public var forcedPassword: String?
    /// false: the first host until it fails. `load_balance_hosts`.
    public var balancesHosts = true
    public var mode: PoolMode?
    public var serversMax: Int?
    public var serversMin: Int?
    public var reserveMax: Int?
    public var serverLifetime: Duration?
    public var queryWaitTimeout: Duration?
    public var databaseServersMax: Int?
    public var databaseClientsMax: Int?
    public var connectQuery: String?
    /// Parameters set on each server connection at its startup: client_encoding, datestyle,
    /// timezone, application_name.
    public var startupParameters: [String: String] = [:]

    public init() {}
}

/// One entry of `[users]`. nil = as the database or the whole service.
public struct UserSettings: Sendable, Equatable {
    public var mode: PoolMode?
    public var serversMax: Int?
    public var reserveMax: Int?
    public var userServersMax: Int?
    public var userClientsMax: Int?
    public var queryTimeout: Duration?
    public var queryWaitTimeout: Duration?
    public var idleTransactionTimeout: Duration?
    public var transactionTimeout: Duration?
    public var clientIdleTimeout: Duration?

    public init() {}
}
