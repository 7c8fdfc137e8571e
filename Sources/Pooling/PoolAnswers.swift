// What a pool answers: plain values, so that tests compare them with ==.

public import Bytes

/// What a client that asked for a server got.
public enum Checkout: Equatable, Sendable {
    /// This server, linked to the client from now on. `idleSince` says whether it wants a check
    /// first (`PoolSettings.serverCheckDelay`).
    case granted(ServerID, idleSince: Instant)
    /// A place in the queue; `ticket` names it. Call `openings(at:)` next.
    case queued(ticket: UInt64)
    /// Nothing; tell the client.
    case refused(Refusal)
}

/// Why a client got neither a server nor a place in the queue.
public enum Refusal: Equatable, Sendable {
    /// `waitingMax` clients wait already.
    case queueFull(waitingMax: Int)
    /// There is no server, and the last attempt to open one failed: `ServerPool.isFailing(at:)`.
    case failing
}

/// What becomes of a server that came to its pool.
public enum Checkin: Equatable, Sendable {
    /// It stays linked, now to this client, which may live on another worker.
    case granted(to: ClientID)
    /// It is idle in the pool.
    case idle
    /// The pool has forgotten it: close it, then call `openings(at:)`.
    case close(CloseReason)
}

/// Why a pool does not want a server back.
public enum CloseReason: Equatable, Sendable {
    /// It is older than `PoolSettings.serverLifetime` allows.
    case lifetime
    /// The pool is paused.
    case paused
    /// The pool has more servers than its settings allow: they became smaller.
    case superfluous
    /// It was opened before the last `reconnect(at:)`.
    case reconnect
    /// Nobody waits for it, and a statement wants its database to be without connections.
    case vacated
}

/// Why a connection attempt ended without a server.
public enum OpeningFailure: Equatable, Sendable {
    /// It was not begun, or another way is tried first: no failure of the pool's.
    case uncounted
    /// The server was reached, and the connection broke before the login was through: one server
    /// process may have been killed.
    case broken
    /// The server is not to be reached, does not answer, or does not want us.
    case refused
}

/// One pool in figures.
public struct PoolCounts: Equatable, Sendable {
    /// Servers that nobody uses.
    public var idle: Int
    /// Servers that clients hold, and those that are reset or checked.
    public var linked: Int
    /// Connections in the making.
    public var opening: Int
    /// Clients in the queue.
    public var waiting: Int
    /// Since when the client that waited longest waits; nil = nobody waits.
    public var oldestWait: Instant?

    /// Everything that counts against the size of the pool.
    public var servers: Int { idle + linked + opening }

    public init(idle: Int, linked: Int, opening: Int, waiting: Int, oldestWait: Instant?) {
        self.idle = idle
        self.linked = linked
        self.opening = opening
        self.waiting = waiting
        self.oldestWait = oldestWait
    }
}
