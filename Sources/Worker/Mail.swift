public import Bytes
public import EventLoop
public import Session
public import Wire

/// What one worker, the console or a resolver thread tells a worker.
public enum Mail: Sendable {
    /// A new connection is this worker's from now on.
    case accepted(socket: Int32, isUnix: Bool)
    /// `server` is this worker's from now on, linked to its client.
    case granted(ServerID, to: ClientID)
    /// The client waits with this ticket (nil: was taken out of the queue) and gets no server.
    case refused(ClientID, ticket: UInt64?, ErrorReply)
    /// Name the clients that hold servers of the desk's pool.
    case holders(HolderDesk)
    /// The addresses of the host that `server` is being opened to.
    case resolved(ServerID, [SocketAddress], failure: String)
    /// Whoever has this key wants the query of `client` cancelled.
    case cancel(processID: UInt32, key: [UInt8])
    /// The service has new settings.
    case reloaded
    /// Open what the pool wants opened.
    case open(Pool)
    /// These idle servers were taken out of their pool, to be closed.
    case close([ServerID])
    /// The console's answer to a client of this worker; nil ends the connection.
    case consoleReply(ClientID, [UInt8]?)
    /// List clients and servers for the console.
    case report(ReportDesk)
    /// Close this client with this message.
    case kill(ClientID, ErrorReply)
    /// This worker has the listener of the pool, and there may be a new order for it.
    case channelsChanged(Pool)
    /// Close the listener of the pool, if nobody wants it.
    case closeListener(Pool)
    /// The listener hears more channels, for which clients of this worker may have waited.
    case channelsHeard(Pool)
    /// The listener of the pool has received these, some of which clients of this worker want.
    case notifications(PoolID, [Notification])
    /// The listener has come to the marker of this client.
    case listenerSawMark(ClientID, number: UInt32)
    /// This worker has the listener of the pool: has it heard more for this client?
    case askListener(Pool, ClientID)
    /// What the listener had heard when it was asked has been sent.
    case listenerAnswered(ClientID)
    /// The listener of the pool is gone.
    case listenerLost(PoolID, reason: String)
    /// Stop listening.
    case stopListening
    /// Tell the waiting clients that the pooler shuts down, and close clients without a server.
    case drain(ErrorReply)
    /// End the thread.
    case stop
}

/// The virtual database: gets whole queries, answers by `Mail.consoleReply`.
public protocol ConsoleService: AnyObject, Sendable {
    /// `isAdmin`: may do everything; otherwise SHOW only.
    func execute(_ query: String, for client: ClientID, user: String, isAdmin: Bool)
}

/// One client as the console shows it.
public struct ClientReport: Sendable {
    public var id: ClientID
    public var user: String
    public var database: String
    public var state: String
    public var address: String
    public var port: UInt16
    public var localAddress: String
    public var localPort: UInt16
    public var connectedAt: Instant
    public var requestedAt: Instant
    public var waitingSince: Instant?
    public var link: ServerID?
    public var tls: String
    public var applicationName: String
    public var statementCount: Int
    /// What keeps its server in transaction mode; empty = nothing.
    public var pinnedBy: String
    public var linkedProcessID: UInt32
    /// Received and not yet passed on.
    public var heldByteCount: Int
    /// Not yet taken by the socket.
    public var unsentByteCount: Int
}

/// Where workers leave their lists; the asker waits until all have.
public final class ReportDesk: Sendable {
    private struct Lists: Sendable {
        var clients: [ClientReport] = []
        var servers: [ServerReport] = []
        var clientPlaceCount = 0
        var missing: Int
    }

    private let lists: Guarded<Lists>
    let wantsClients: Bool

    /// `wantsClients`: false = servers only, which is cheaper.
    public init(workerCount: Int, wantsClients: Bool = true) {
        lists = Guarded(Lists(missing: workerCount))
        self.wantsClients = wantsClients
    }

    /// Places for clients that were used once, in all slabs.
    public var clientPlaceCount: Int { lists.withLock { $0.clientPlaceCount } }

    func add(
        _ clients: [ClientReport], _ servers: [ServerReport], clientPlaceCount: Int = 0
    ) {
        lists.withLock {
            $0.clients += clients
            $0.servers += servers
            $0.clientPlaceCount += clientPlaceCount
            $0.missing -= 1
        }
    }

    /// The lists, once all workers have left theirs; nil before. Idle servers are not among them.
    public func take() -> (clients: [ClientReport], servers: [ServerReport])? {
        lists.withLock { $0.missing == 0 ? ($0.clients, $0.servers) : nil }
    }
}
