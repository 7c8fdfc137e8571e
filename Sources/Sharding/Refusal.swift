/// Why a statement is not sent to any shard: an error for the client.
public struct Refusal: Error, Equatable, Sendable {
    /// feature_not_supported.
    public static let sqlState = "0A000"

    public let message: String
    /// DETAIL: what was found.
    public let detail: String
    /// HINT: what to write.
    public let hint: String?

    public init(_ message: String, detail: String, hint: String? = nil) {
        self.message = message
        self.detail = detail
        self.hint = hint
    }
}
