/// A literal of a statement: what two statements of one shape may differ in.
public struct Literal: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// Digits only.
        case integer = 1
        /// A number with a point, an exponent or the like.
        case decimal
        /// '…'
        case plain
        /// E'…'
        case escape
        /// $$…$$
        case dollar
        /// N'…', U&'…', B'…', X'…': never read as keys.
        case national, unicode, bits, hexadecimal
    }

    public let kind: Kind
    /// With its quotes.
    public let range: Range<Int>

    public init(kind: Kind, range: Range<Int>) {
        self.kind = kind
        self.range = range
    }
}
