internal import Bytes
internal import EventLoop
internal import Session
internal import TLS
internal import Wire

/// Where a client connection stands.
enum ClientPhase: Equatable {
    /// Not yet who it says it is. To `greeting`, `console`.
    case login
    /// Logged in, waits until a first server has told its parameters. To `idle`.
    case greeting(ticket: UInt64, since: Instant)
    /// A server is asked whether it accepts the parameters of its login. To `idle`.
    case proving(ServerID)
    /// Nothing asked. To `waiting`, `linked`.
    case idle
    /// Another database is asked where its key is. To `waiting`, `linked`.
    case asking(since: Instant)
    /// In the pool's queue. To `linked`.
    case waiting(ticket: UInt64, since: Instant)
    case linked(ServerID)
    /// Talks to the virtual database.
    case console(isAdmin: Bool)
    /// Gets its last bytes; then its socket is closed.
    case closing
}

/// One client connection of this worker.
struct Client: ~Copyable {
    let id: ClientID
    let socket: Int32
    let isUnix: Bool
    var phase = ClientPhase.login
    /// nil = it has logged in.
    var login: ClientLogin? {
        get { loginBox?.login }
        set { loginBox = newValue.map(LoginBox.init) }
    }
    /// Apart, because it is large, and most clients have none.
    private var loginBox: LoginBox?
    var session: ClientSession
    var pool: Pool? { didSet { poolName = pool.map(PoolName.init) ?? PoolName() } }
    private(set) var poolName = PoolName()
    /// Of whose database its session knows functions.
    var functionsPool = PoolID(number: 0)
    /// nil = its database is on one server.
    var shards: Box<ClientShards>?
    var tls: TLSConnection?
    /// Received and not yet used: an incomplete message, or what waits for a server.
    var held = ByteBuffer()
    var unsent = ByteBuffer()
    var isReceiving = false
    /// The receive was cancelled, and its last completion has not come yet.
    var isPausing = false
    var isPollingWritable = false
    var isPollingHangUp = false
    /// Whether `held` is to be looked at again when the server has answered.
    var isStalled = false
    var wasNotifiedOfWait = false
    /// Secret part of the cancel key.
    var cancelKey: [UInt8] = []
    var user = ""
    var database = ""
    let connectedAt: Instant
    var requestedAt: Instant
    /// When the running transaction began; zero = none.
    var transactionAt = Instant.zero
    var timerAt = Instant.never
    var isCounted = false
    /// Whether its place may be another since settings changed: `Worker.hasMoved`.
    var mayHaveMoved = false
    /// Not somebody's: the other end of a `LookupLine`.
    var isOurs = false
    /// Counted in its pool as one that keeps a server.
    var isPinned = false
    var budgetKeys: [Budget.Key] = []

    init(
        id: ClientID, socket: Int32, isUnix: Bool, session: consuming ClientSession, at now: Instant
    ) {
        self.id = id
        self.socket = socket
        self.isUnix = isUnix
        self.session = session
        connectedAt = now
        requestedAt = now
        loginBox = LoginBox(ClientLogin())
    }
}

private final class LoginBox {
    let login: ClientLogin

    init(_ login: ClientLogin) { self.login = login }
}

/// Bytes held of a client that is not read any further, at most about this many.
let heldByteCountMax = 64 << 10
