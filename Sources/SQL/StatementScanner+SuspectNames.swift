internal import Bytes

// Names whose use leaves something behind: each token of a text is compared with them.

extension StatementScanner {
    /// Longest name of a parameter that is looked for in quotes, and most of them.
    private static let literalMax = (byteCount: 64, count: 16)

    mutating func compare(
        _ token: Token, with names: SuspectNames, _ text: borrowing RawSpan
    ) {
        let range = token.range
        switch token.kind {
        case .word:
            guard let leavings = names.leavings(of: range, in: text) else { return }
            add(leavings)
        case .quotedIdentifier:
            if text.uint8(at: range.lowerBound) == UInt8(ascii: "\"") {
                let start = range.lowerBound + 1
                let inner = start..<max(start, range.upperBound - 1)
                guard let leavings = names.leavings(of: inner, in: text) else { return }
                add(leavings)
            } else {
                // U&"…" may spell any of them.
                add(names.all)
            }
        case .string:
            return noteLiteral(token, text)
        case .dollarString, .number, .parameter, .semicolon, .comma, .openParenthesis,
            .closeParenthesis, .dot, .symbol:
            return
        }
        if isDefinition { suspect(.definitions) }
    }

    /// A function may be told by its caller which parameter to set; names with dots are in no list.
    private mutating func noteLiteral(_ token: Token, _ text: borrowing RawSpan) {
        guard token.range.count <= Self.literalMax.byteCount,
            literals.count < Self.literalMax.count,
            let dot = text.firstOffset(of: UInt8(ascii: "."), in: token.range),
            dot > token.range.lowerBound + 1,
            let literal = plainLiteral(token, text)
        else { return }
        let isName = literal.utf8.allSatisfy {
            Lexer.startsWord($0) || Lexer.isDigit($0) || $0 == UInt8(ascii: ".")
        }
        if isName, !Lexer.isDigit(text.uint8(at: token.range.lowerBound + 1)) {
            literals.append(literal.lowercased())
        }
    }

    mutating func touchLiterals() {
        for literal in literals where !facts.parameters.contains(where: { $0.name == literal }) {
            touch(literal)
        }
    }
}
