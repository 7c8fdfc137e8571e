/// A five-character SQLSTATE. Source: PostgreSQL documentation, "PostgreSQL Error Codes".
public struct SQLState: Equatable, Sendable, ExpressibleByStringLiteral {
    public let text: String
    public init(_ text: String) { self.text = text }
    public init(stringLiteral text: String) { self.text = text }

    public static let successfulCompletion: SQLState = "00000"
    public static let protocolViolation: SQLState = "08P01"
    public static let connectionFailure: SQLState = "08006"
    public static let featureNotSupported: SQLState = "0A000"
    public static let invalidAuthorization: SQLState = "28000"
    public static let invalidPassword: SQLState = "28P01"
    public static let invalidDatabase: SQLState = "3D000"
    public static let idleInTransactionTimeout: SQLState = "25P03"
    public static let transactionTimeout: SQLState = "25P04"
    public static let tooManyConnections: SQLState = "53300"
    public static let programLimitExceeded: SQLState = "54000"
    public static let queryCanceled: SQLState = "57014"
    public static let adminShutdown: SQLState = "57P01"
    public static let cannotConnectNow: SQLState = "57P03"
    public static let idleSessionTimeout: SQLState = "57P05"
    public static let syntaxError: SQLState = "42601"
}
