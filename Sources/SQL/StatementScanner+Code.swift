internal import Bytes

// The source of a function: what running it may leave, however it is called.

extension StatementScanner {
    /// What the body of a function in SQL or PL/pgSQL may leave behind, as far as it shows itself;
    /// not what the functions leave that it calls.
    public static func leavings(ofBody text: borrowing RawSpan) -> Leavings {
        var scanner = StatementScanner(0..<text.byteCount, true, nil)
        scanner.scanBody(text)
        var leavings = Leavings(scanner.facts)
        if !scanner.facts.boundNames.isEmpty { leavings.suspicions.insert(.anyParameter) }
        // What it reads it has written itself; and what it writes is for whoever reads.
        let writes = leavings.suspicions.contains(.sequenceWrites)
        leavings.suspicions.remove(.sequenceWrites)
        if writes { leavings.suspicions.remove(.sequenceReads) }
        return leavings
    }

    private mutating func scanBody(_ text: borrowing RawSpan) {
        var isStart = true
        var isBehindWith = false
        var runsText = false
        var quoted: [Token] = []
        while let token = next(text) {
            let wasStart = isStart
            let wasBehindWith = isBehindWith
            isStart = false
            isBehindWith = false
            switch token.kind {
            case .semicolon:
                isStart = true
            case .symbol:
                // The end of a label.
                isStart = text.uint8(at: token.range.lowerBound) == UInt8(ascii: ">")
            case .string, .dollarString:
                quoted.append(token)
            case .quotedIdentifier:
                note(token, text)
            case .word:
                if wasStart, beginInBody(text, token) { continue }
                if Self.opensStatements.contains(where: { isWord(token, $0, text) }) {
                    isStart = true
                } else if isWord(token, "with", text) {
                    isBehindWith = true
                } else if isWord(token, "hold", text), wasBehindWith {
                    suspect(.heldCursors)
                } else if isWord(token, "execute", text) {
                    runsText = true
                    suspect(.anything)
                } else if isWord(token, "create", text) {
                    define(text)
                    suspect(.creations)
                    _ = take("global", text) || take("local", text)
                    if take("temp", text) || take("temporary", text) {
                        suspect(.temporaryObjects)
                    }
                } else if isWord(token, "alter", text) {
                    define(text)
                } else {
                    note(token, text)
                }
            case .number, .parameter, .comma, .openParenthesis, .closeParenthesis, .dot:
                break
            }
        }
        // The text that it runs may be in quotes, and name parameters that no list shows.
        guard runsText else { return }
        for token in quoted { readCode(in: token, text) }
    }

    /// Words behind which a statement may begin.
    private static let opensStatements = ["begin", "atomic", "then", "else", "loop"]

    /// `first` may be a statement's first word. Returns whether it is one that matters.
    private mutating func beginInBody(_ text: borrowing RawSpan, _ first: Token) -> Bool {
        if isWord(first, "set", text) {
            set(text)
        } else if isWord(first, "reset", text) {
            reset(text)
        } else if isWord(first, "listen", text) {
            suspect(.channels)
        } else if isWord(first, "unlisten", text) {
            suspect([.channels, .removals])
        } else if isWord(first, "load", text) {
            suspect(.libraries)
        } else if isWord(first, "prepare", text) {
            suspect(.preparedStatements)
        } else if isWord(first, "deallocate", text) || isWord(first, "drop", text)
            || isWord(first, "close", text)
        {
            suspect(.removals)
        } else if isWord(first, "discard", text) || isWord(first, "call", text) {
            suspect(.anything)
        } else {
            return false
        }
        return true
    }
}
