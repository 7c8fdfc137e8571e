public import Wire

/// What a peer did that the protocol, or one of our limits, does not allow.
public enum SessionError: Error, Equatable, Sendable {
    /// A client's bytes broke the protocol.
    case clientMalformed(WireError)
    /// A client's message does not fit where the client stands.
    case clientUnexpected(tag: UInt8)
    /// A Parse, Describe, Close or the names of a Bind that we must hold whole are too long.
    case messageTooLong(tag: UInt8, byteCount: Int, max: Int)
    case serverMalformed(WireError)
    /// The server sent a reply that the ledger does not expect. Nothing of it is forwarded.
    case serverUnexpected(tag: UInt8)

    /// Whether the client did it; otherwise the server.
    public var isClientsFault: Bool {
        switch self {
        case .clientMalformed, .clientUnexpected, .messageTooLong: true
        case .serverMalformed, .serverUnexpected: false
        }
    }

    /// What the client is told before its connection closes.
    public var reply: ErrorReply {
        switch self {
        case .clientMalformed(let error):
            .fatal(.protocolViolation, error.text)
        case .clientUnexpected(let tag):
            .fatal(.protocolViolation, "invalid frontend message type \(tag)")
        case .messageTooLong(let tag, let byteCount, let max):
            .fatal(
                .programLimitExceeded,
                "message '\(Character(UnicodeScalar(tag)))' is too long for the pooler",
                detail: "It has at least \(byteCount) bytes; \(max) are allowed.",
                hint: "Use the unnamed statement for very long texts.")
        case .serverMalformed(let error):
            .fatal(
                .connectionFailure, "server conn crashed?",
                detail: "The server broke the protocol: \(error.text).")
        case .serverUnexpected(let tag):
            .fatal(
                .connectionFailure, "server conn crashed?",
                detail: "The server sent a message '\(Character(UnicodeScalar(tag)))' "
                    + "that nothing was waiting for; its connection was closed.")
        }
    }
}
