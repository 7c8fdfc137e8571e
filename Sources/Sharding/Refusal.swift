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

    /// A SET, SHOW or RESET that is meant for us and could only be passed on.
    public static let hintNotUnderstood = Refusal(
        "a SET, SHOW or RESET for pgweir was not understood",
        detail: "The parameters are pgweir.key and pgweir.shard; the statement stands alone.",
        hint: "Write SET [LOCAL] pgweir.key = '42', or SET [LOCAL] pgweir.shard = 's1'.")
}
