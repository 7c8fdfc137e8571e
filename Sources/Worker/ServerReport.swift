public import Bytes

/// One server connection as the console shows it.
public struct ServerReport: Sendable {
    public var id: ServerID
    public var user: String
    public var database: String
    public var state: String
    public var address: String
    public var port: UInt16
    public var localAddress: String
    public var localPort: UInt16
    public var connectedAt: Instant
    public var requestedAt: Instant
    public var link: ClientID?
    /// The server's own process.
    public var processID: UInt32
    public var tls: String
    public var applicationName: String
    public var statementCount: Int
    /// It was opened before the last RECONNECT or change of its settings: it closes at its release.
    public var isOutdated: Bool
    /// Received and not yet passed on.
    public var heldByteCount: Int
    /// Not yet taken by the socket.
    public var unsentByteCount: Int
}
