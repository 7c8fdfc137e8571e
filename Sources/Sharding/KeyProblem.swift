/// Why some bytes are not a value of a key's type, or not one that can be read for certain.
public struct KeyProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// For DETAIL: fit to follow a colon, without a full stop. Does not show the value.
    public let description: String
    /// For HINT: a whole sentence; nil when the description says it.
    public let hint: String?

    init(_ description: String, hint: String? = nil) {
        self.description = description
        self.hint = hint
    }
}
