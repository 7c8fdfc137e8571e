/// One word of SQL text, as PostgreSQL's scanner would cut it.
public struct Token: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// A key word or an identifier without quotes.
        case word
        /// "identifier", U&"identifier"
        case quotedIdentifier
        /// 'text', E'text', U&'text', N'text', and B'…', X'…'
        case string
        /// $$text$$, $tag$text$tag$
        case dollarString
        case number
        /// $1
        case parameter
        case semicolon
        case comma
        case openParenthesis
        case closeParenthesis
        case dot
        /// Anything else, one byte each: operators, brackets, colons; and `..`.
        case symbol
    }

    public let kind: Kind
    /// Where it stands in the text, quotes and prefixes included.
    public let range: Range<Int>
    /// A quote, a comment or a dollar quote has no end.
    public var isUnfinished = false
}
