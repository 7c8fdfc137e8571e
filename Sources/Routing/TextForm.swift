internal import Bytes
internal import SQL

/// What a text looks like, as far as its first tokens and its semicolons say.
enum TextForm {
    /// Nothing but comments and semicolons, as some drivers ask whether a server is there.
    static func isEmpty(_ bytes: borrowing RawSpan, _ text: Range<Int>) -> Bool {
        var lexer = Lexer(from: text.lowerBound)
        while let token = lexer.next(in: bytes, before: text.upperBound) {
            if token.kind != .semicolon { return false }
        }
        return true
    }

    static func hasSeveralStatements(
        _ bytes: borrowing RawSpan, _ text: Range<Int>
    ) -> Bool {
        guard bytes.firstOffset(of: UInt8(ascii: ";"), in: text) != nil else { return false }
        var lexer = Lexer(from: text.lowerBound)
        var hasEnded = false
        while let token = lexer.next(in: bytes, before: text.upperBound) {
            if hasEnded { return true }
            hasEnded = token.kind == .semicolon
        }
        return false
    }

    /// SET, RESET and SHOW; cursors, DISCARD and the like are not.
    static func isRepeatable(_ bytes: borrowing RawSpan, _ text: Range<Int>) -> Bool {
        var lexer = Lexer(from: text.lowerBound)
        var isFirst = true
        var isRepeatable = false
        while let token = lexer.next(in: bytes, before: text.upperBound) {
            if isFirst {
                let start = token.range.lowerBound
                isRepeatable = ["set", "reset", "show"].contains {
                    $0.utf8.count == token.range.count && bytes.hasWord($0, at: start)
                }
                isFirst = false
            } else if token.kind == .semicolon {
                return isRepeatable && lexer.next(in: bytes, before: text.upperBound) == nil
            }
        }
        return isRepeatable
    }
}
