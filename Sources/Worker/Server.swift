internal import Bytes
internal import EventLoop
internal import Session
internal import TLS
internal import Wire

/// Where a server connection stands.
enum ServerPhase: Equatable {
    /// The host's name is being looked up. To `connecting`.
    case resolving
    /// To `askingTLS`, `loggingIn`.
    case connecting
    /// SSLRequest was sent. To `handshake`, `loggingIn`.
    case askingTLS
    /// To `loggingIn`.
    case handshake
    /// To `preparing`, `idle`.
    case loggingIn
    /// connect_query runs. To `idle`.
    case preparing
    /// The check query runs, because it was idle for long. To `idle`.
    case checking
    /// In the pool; owned by nobody but the pool. To `linked`.
    case idle
    /// Listens for all clients of its pool, until it is closed; never in the pool.
    case listening
    /// A client has it. To `idle`, `orphaned`.
    case linked(ClientID)
    /// Its client left; what is left is cleaned up. To `idle`.
    case orphaned
    /// A cancel request is under way to it; nobody may have it before that has ended. To `idle`.
    case held
}

/// One connection to a server. Owned by one worker, or by the pool's idle list.
struct Server: ~Copyable {
    let id: ServerID
    let pool: Pool
    let poolName: PoolName
    var socket: Int32 = -1
    var phase = ServerPhase.resolving
    /// Whose ring its operations are in.
    var worker: UInt8
    var session: ServerSession
    var login: ServerLogin?
    var tls: TLSConnection?
    /// Received bytes that are not a whole message yet.
    var held = ByteBuffer()
    /// Bytes that the socket did not take yet.
    var unsent = ByteBuffer()
    var isReceiving = false
    var isPollingWritable = false
    var addresses: [SocketAddress] = []
    var address: SocketAddress?
    var host = ""
    var port: UInt16 = 5432
    var welcome = ServerWelcome()
    /// Who notifies by it; nil = it is not logged in.
    var holder: ServerHolder?
    var openedAt = Instant.zero
    /// When its connection was begun: what changed after that it may not know.
    var begunAt = Instant.zero
    var idleSince = Instant.zero
    var requestedAt = Instant.zero
    /// Since when it works on what clients asked; zero = it does not.
    var busySince = Instant.zero
    /// The linked client may send nothing before the query of ours has succeeded.
    var awaitsOwnQuery = false
    /// The parameters that a query of ours will have made, once it succeeds.
    var wantedParameters: ParameterState?
    /// Cancel connections to it that are not closed yet.
    var cancelCount = 0
    var resetsDone = false
    /// Audited since its client last sent something.
    var isAudited = false
    /// What it runs may change what functions leave.
    var definesFunctions = false
    /// It is asked which functions leave something.
    var readsFunctions = false
    /// Its client left and may have left something behind.
    var needsCleaning = false
    /// The pool's listener: not counted in the pool.
    var isListener = false
    /// The channel of its markers.
    var marker = ""
    /// Clients who wait until it has said what it has heard: with its next query, and with the one
    /// that is under way.
    var askedNext: [ClientID] = []
    var askedNow: [ClientID] = []
    /// Pools that are to keep no server while it runs its client's statements.
    var vacated: [VacatedPool] = []
    /// When the phase must have ended.
    var deadline = Instant.never
    var timerAt = Instant.never
    var budgetKeys: [Budget.Key] = []
    var tally = PoolStatistics()

    init(id: ServerID, pool: Pool, worker: UInt8, session: consuming ServerSession) {
        self.id = id
        self.pool = pool
        poolName = PoolName(pool)
        self.worker = worker
        self.session = session
    }
}
