internal import Bytes

// Transaction blocks, prepared statements, and what else begins with a word of its own.

extension StatementScanner {
    /// COMMIT, END, PREPARE TRANSACTION: AND CHAIN opens the next block at once.
    mutating func endBlock(_ text: borrowing RawSpan) {
        if take("prepared", text) { return }
        noteBlock(.ends)
        if !take("work", text) { _ = take("transaction", text) }
        if take("and", text), take("chain", text) { noteBlock(.opens) }
    }

    mutating func rollback(_ text: borrowing RawSpan) {
        if take("prepared", text) { return }
        if !take("work", text) { _ = take("transaction", text) }
        if take("to", text) { return }
        noteBlock(.ends)
        if take("and", text), take("chain", text) { noteBlock(.opens) }
    }

    // MARK: Prepared statements

    mutating func prepare(_ text: borrowing RawSpan) {
        if take("transaction", text) { return noteBlock(.ends) }
        guard let token = next(text), let name = statementName(token, text) else { return }
        let start = peek(text)?.range.lowerBound ?? token.range.upperBound
        var stop = start
        // What the statement does happens when it is executed; what it may leave is noted here,
        // and every EXECUTE of the name is suspected of it.
        while let part = peek(text), part.kind != .semicolon {
            _ = next(text)
            stop = part.range.upperBound
        }
        use(NameUse(kind: .prepare(definition: start..<stop), range: token.range, name: name))
    }

    mutating func execute(_ text: borrowing RawSpan) {
        guard let token = next(text), let name = statementName(token, text) else { return }
        use(NameUse(kind: .execute, range: token.range, name: name))
    }

    mutating func deallocate(_ text: borrowing RawSpan) {
        suspect(.removals)
        _ = take("prepare", text)
        guard let token = next(text) else { return }
        if isWord(token, "all", text) {
            let place = token.range.upperBound
            return use(NameUse(kind: .deallocateAll, range: place..<place, name: ""))
        }
        guard let name = statementName(token, text) else { return }
        use(NameUse(kind: .deallocate, range: token.range, name: name))
    }

    mutating func discard(_ text: borrowing RawSpan) {
        suspect(.removals)
        guard let token = peek(text), isWord(token, "all", text) else { return }
        noteResetAll()
        suspect([.anyParameter, .channels, .removals])
        noteRemoval(.all)
        let place = token.range.upperBound
        use(NameUse(kind: .deallocateAll, range: place..<place, name: ""))
    }

    /// UNLISTEN { name | * }
    mutating func unlisten(_ text: borrowing RawSpan) {
        suspect([.channels, .removals])
        guard let token = peek(text) else { return }
        if token.kind == .symbol { return noteRemoval(.all) }
        if let name = statementName(token, text) { noteRemoval(.one(name)) }
    }

    /// EXPLAIN [ (options) ] [ ANALYZE ] [ VERBOSE ] statement
    mutating func explain(_ text: borrowing RawSpan) {
        if let token = peek(text), token.kind == .openParenthesis {
            while let token = next(text), token.kind != .closeParenthesis {
                if token.kind == .semicolon { return }
            }
        }
        _ = take("analyze", text) || take("analyse", text)
        _ = take("verbose", text)
        if take("execute", text) { return execute(text) }
        if take("declare", text) { return declare(text) }
        if take("create", text) { create(text) }
        if take("insert", text) { suspect(.sequenceWrites) }
    }

    // MARK: Objects

    mutating func declare(_ text: borrowing RawSpan) {
        // The query behind FOR may hold the word too; then the server is asked in vain.
        while let token = peek(text), token.kind != .semicolon {
            _ = next(text)
            if isWord(token, "hold", text) { return suspect(.heldCursors) }
            if isWord(token, "for", text) { return }
        }
    }

    /// CREATE [ OR REPLACE ] [ GLOBAL | LOCAL ] { TEMPORARY | TEMP } …
    mutating func create(_ text: borrowing RawSpan) {
        noteCreate()
        suspect(.creations)
        if take("database", text) { return createDatabase(text) }
        define(text)
        _ = take("global", text) || take("local", text)
        if take("temp", text) || take("temporary", text) { suspect(.temporaryObjects) }
    }

    mutating func alter(_ text: borrowing RawSpan) {
        if take("database", text) { return alterDatabase(text) }
        define(text)
    }

    /// Behind CREATE or ALTER: whether functions may be others than they were. All else that can
    /// make one be called names it, or names what calls it already.
    mutating func define(_ text: borrowing RawSpan) {
        noteDefinition()
        if take("or", text) { _ = take("replace", text) }
        guard let token = peek(text), token.kind == .word else { return }
        for word in ["function", "procedure", "routine", "extension", "schema"]
        where isWord(token, word, text) {
            suspect(.definitions)
        }
    }

    // MARK: Names

    /// The name as PostgreSQL folds it: words in lower case, quoted as they stand; cut to 63 bytes.
    func statementName(_ token: Token, _ text: borrowing RawSpan) -> String? {
        switch token.kind {
        case .word:
            return Self.cut(text.string(in: token.range).lowercased())
        case .quotedIdentifier where !token.isUnfinished:
            guard text.uint8(at: token.range.lowerBound) == UInt8(ascii: "\"") else { return nil }
            let inner = text.string(
                in: token.range.lowerBound + 1..<token.range.upperBound - 1)
            let parts = inner.split(separator: "\"\"", omittingEmptySubsequences: false)
            return Self.cut(parts.joined(separator: "\""))
        default:
            return nil
        }
    }

    private static func cut(_ name: String) -> String {
        guard name.utf8.count > 63 else { return name }
        var short = name
        while short.utf8.count > 63 { short.removeLast() }
        return short
    }
}
