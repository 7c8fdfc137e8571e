internal import Bytes

// SET, RESET and set_config().

extension StatementScanner {
    mutating func set(_ text: borrowing RawSpan) {
        if take("local", text) { return setLocal(text) }
        if take("session", text) {
            if take("authorization", text) {
                // Whoever changes the user leaves the role.
                touch("role", isReset: true)
                return setTo("session_authorization", text)
            }
            if take("characteristics", text) { return setCharacteristics() }
        }
        if take("transaction", text) || take("constraints", text) { return }
        if take("time", text) {
            _ = take("zone", text)
            return setTo("timezone", text)
        }
        if take("role", text) {
            let isReset = take("none", text)
            return touch("role", isReset: isReset)
        }
        if take("names", text) { return setTo("client_encoding", text) }
        if take("schema", text) { return touch("search_path") }
        if take("xml", text) { return touch("xmloption") }
        guard let name = parameterName(text) else { return suspect(.anyParameter) }
        if !take("to", text), let token = peek(text), token.kind == .symbol { _ = next(text) }
        setTo(name, text)
    }

    /// Nothing is left; but until the transaction ends literals may be read otherwise.
    private mutating func setLocal(_ text: borrowing RawSpan) {
        if take("time", text) { return noteLocal("timezone") }
        if take("names", text) { return noteLocal("client_encoding") }
        if take("xml", text) { return noteLocal("xmloption") }
        if let name = parameterName(text) { noteLocal(name) }
    }

    private mutating func noteLocal(_ name: String) {
        if TextMeaning.numbers[name] != nil { touchLocally([name]) }
    }

    /// The value follows; only DEFAULT matters.
    private mutating func setTo(_ name: String, _ text: borrowing RawSpan) {
        let isReset =
            take("default", text) || (name == "timezone" && take("local", text))
        touch(name, isReset: isReset)
    }

    private mutating func setCharacteristics() {
        touch("default_transaction_isolation")
        touch("default_transaction_read_only")
        touch("default_transaction_deferrable")
    }

    mutating func reset(_ text: borrowing RawSpan) {
        if take("all", text) {
            noteResetAll()
            return suspect(.anyParameter)
        }
        if take("session", text) {
            touch("role", isReset: true)
            return touch("session_authorization", isReset: true)
        }
        if take("time", text) { return touch("timezone", isReset: true) }
        if take("transaction", text) { return }
        guard let name = parameterName(text) else { return suspect(.anyParameter) }
        touch(name, isReset: true)
    }

    /// A name with its dots, in lower case.
    private mutating func parameterName(_ text: borrowing RawSpan) -> String? {
        guard let first = next(text), let start = identifier(first, text) else { return nil }
        var name = start
        while let token = peek(text), token.kind == .dot {
            _ = next(text)
            guard let part = next(text), let more = identifier(part, text) else { return nil }
            name += "." + more
        }
        return name
    }

    /// The word's or quoted identifier's name, in lower case as names of parameters are compared.
    private func identifier(_ token: Token, _ text: borrowing RawSpan) -> String? {
        switch token.kind {
        case .word:
            return text.string(in: token.range).lowercased()
        case .quotedIdentifier where !token.isUnfinished:
            guard text.uint8(at: token.range.lowerBound) == UInt8(ascii: "\"") else { return nil }
            let inner = text.string(
                in: token.range.lowerBound + 1..<token.range.upperBound - 1)
            return inner.contains("\"") ? nil : inner.lowercased()
        default:
            return nil
        }
    }

    // MARK: set_config

    /// set_config(name, value, is_local); the name of the function has been read.
    mutating func setConfig(_ text: borrowing RawSpan) {
        readsLiterals = true
        guard let open = peek(text), open.kind == .openParenthesis else { return }
        _ = next(text)
        let name = argument(text)
        guard name.endedBy == .comma else { return suspect(.anyParameter) }
        let value = argument(text)
        guard value.endedBy == .comma else { return suspect(.anyParameter) }
        let isLocal = argument(text)
        let isForTransaction = isLocal.only.map { isTrue($0, text) } ?? false
        guard let only = name.only else {
            return isForTransaction ? suspectLocal() : suspect(.anyParameter)
        }
        if only.kind == .parameter {
            let digits = text.string(in: only.range.lowerBound + 1..<only.range.upperBound)
            guard let number = Int(digits) else { return suspect(.anyParameter) }
            guard isForTransaction else { return touchBound(number) }
            return touchBoundLocally(number)
        }
        guard let literal = plainLiteral(only, text)?.lowercased() else {
            return isForTransaction ? suspectLocal() : suspect(.anyParameter)
        }
        if isForTransaction { noteLocal(literal) } else { touch(literal) }
    }

    /// Until the transaction ends, nobody knows of any.
    private mutating func suspectLocal() { touchLocally(TextMeaning.otherSettings) }

    private func isTrue(_ token: Token, _ text: borrowing RawSpan) -> Bool {
        if token.kind == .word { return isWord(token, "true", text) }
        guard let literal = plainLiteral(token, text)?.lowercased() else { return false }
        return ["t", "true", "on", "yes", "1", "y"].contains(literal)
    }

    /// What stands in 'quotes', if there is nothing to unescape.
    func plainLiteral(_ token: Token, _ text: borrowing RawSpan) -> String? {
        guard token.kind == .string, !token.isUnfinished, token.range.count >= 2,
            text.uint8(at: token.range.lowerBound) == UInt8(ascii: "'")
        else { return nil }
        let inner = text.string(in: token.range.lowerBound + 1..<token.range.upperBound - 1)
        return inner.contains("'") || inner.contains("\\") ? nil : inner
    }

    /// Reads one argument and what ends it. `only` is its token if it has just one, but for a
    /// type cast behind it.
    private mutating func argument(
        _ text: borrowing RawSpan
    ) -> (only: Token?, endedBy: Token.Kind?) {
        var depth = 0
        var only: Token?
        var count = 0
        var isInCast = false
        while let token = peek(text) {
            if depth == 0 {
                switch token.kind {
                case .comma, .closeParenthesis:
                    _ = next(text)
                    return (count == 1 ? only : nil, token.kind)
                case .semicolon:
                    return (nil, nil)
                default: break
                }
            }
            _ = next(text)
            if token.kind == .openParenthesis { depth += 1 }
            if token.kind == .closeParenthesis { depth -= 1 }
            if token.kind == .symbol, text.uint8(at: token.range.lowerBound) == UInt8(ascii: ":") {
                isInCast = true
            }
            guard !isInCast else { continue }
            only = token
            count += 1
        }
        return (nil, nil)
    }
}
