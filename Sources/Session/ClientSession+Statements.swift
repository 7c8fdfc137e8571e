internal import Bytes
internal import SQL
internal import Wire

// Prepared statements: the client's names stay with the client, the server gets ours.

extension ClientSession {
    mutating func handleParse(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        let length = piece.body.count + scanner.bodyByteCountLeft
        guard !piece.body.isEmpty || piece.closes else { return .incomplete }
        let isUnnamed = !piece.body.isEmpty && bytes.uint8(at: piece.body.lowerBound) == 0
        if isUnnamed {
            guard length <= HeldMessage.unnamedParseByteCountMax else {
                return parseLongUnnamed(
                    piece, length, of: bytes, server: &server, toServer: &toServer, store: store)
            }
            guard piece.closes else { return .incomplete }
            let definition = piece.body.lowerBound + 1..<piece.body.upperBound
            if mustAwaitHandover(definition, bytes, server) { return .stalled }
            let made = intern(definition, bytes, server, store)
            let (statement, facts) = (made.statement, made.facts)
            if let facts, facts.namesStatements {
                return parseRenamed(
                    statement, facts, server: &server, toServer: &toServer, bytes, store)
            }
            prepareServer(for: statement, facts, server: &server, toServer: &toServer, bytes, store)
            unnamed.change(to: statement, facts: facts)
            server.setUnnamed(statement, store)
            server.expect(Expectation(.parse, changesUnnamed: true))
            return .pass
        }
        try requireAtMost(HeldMessage.parseByteCountMax, ClientTag.parse, length)
        guard piece.closes else { return .incomplete }
        guard let nameEnd = bytes.firstOffset(of: 0, in: piece.body) else {
            // The server knows best how to complain about it.
            server.expect(Expectation(.parse))
            return .pass
        }
        let name = bytes.extracting(piece.body.lowerBound..<nameEnd)
        // Whether the name is free may not be known until the server has answered.
        if isInDoubt(name, server) { return .stalled }
        let definition = nameEnd + 1..<piece.body.upperBound
        if let known = names.entry(name) {
            return parseAgain(
                reread(known, server, store), definition, server: &server, toServer: &toServer,
                bytes: bytes, store: store)
        }
        if mustAwaitHandover(definition, bytes, server) { return .stalled }
        let made = intern(definition, bytes, server, store)
        let (statement, facts) = (made.statement, made.facts)
        guard
            let actual = provideNew(
                statement, facts, server: &server, toServer: &toServer, bytes, store)
        else { return .stalled }
        defer { actual.release(store) }
        names.parsed(name, as: made)
        if server.statements.useIfThere(actual.statement) {
            if server.surelyParses(facts) {
                server.expect(
                    Expectation(.parse, .synthesise, changesNames: true), of: &self,
                    toClient: &toClient, bytes: bytes, store: store)
                return .replaced(passesRest: false)
            }
            server.dropStatement(actual.statement, toServer: &toServer, bytes: bytes)
        }
        server.addStatement(actual.statement, toServer: &toServer, bytes: bytes, store: store)
        server.expect(
            .parse, of: actual.names.text, changesNames: true, statement: actual.statement)
        return .replaced(passesRest: false)
    }

    /// A Parse without a name, of a text that names statements.
    private mutating func parseRenamed(
        _ statement: UInt64, _ facts: SharedFacts, server: inout ServerSession,
        toServer: inout Outgoing, _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) -> Handling {
        guard
            let actual = provideNew(
                statement, facts, server: &server, toServer: &toServer, bytes, store)
        else { return .stalled }
        defer { actual.release(store) }
        unnamed.change(to: statement, facts: facts)
        server.setUnnamed(actual.statement, store)
        toServer.spill(bytes)
        toServer.buffer.appendMessage(ClientTag.parse) {
            $0.append(UInt8(0))
            store.appendDefinition(of: actual.statement, to: &$0)
        }
        server.expect(.parse, of: actual.names.text, changesUnnamed: true)
        return .replaced(passesRest: false)
    }

    /// What a server is to have for `statement`, which is being parsed; it is ready for that then.
    /// nil = an answer that is still to come decides; the Parse's use of the statement has ended.
    private mutating func provideNew(
        _ statement: UInt64, _ facts: SharedFacts?, server: inout ServerSession,
        toServer: inout Outgoing, _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) -> ActualStatement? {
        guard
            let actual = provideUses(
                of: statement, facts, server: &server, toServer: &toServer, bytes, store)
        else {
            store.release(statement)
            return nil
        }
        prepareServer(for: statement, facts, server: &server, toServer: &toServer, bytes, store)
        return actual
    }

    /// Sends ahead of a Parse what its text wants to have behind it. `facts`: what the text shows.
    private mutating func prepareServer(
        for statement: UInt64, _ facts: SharedFacts?, server: inout ServerSession,
        toServer: inout Outgoing, _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        // Nearly always there is nothing to follow.
        if functions == nil, facts == nil { return }
        guard let facts = self.facts(of: statement, facts, store)?.facts else { return }
        forgetSequences(facts, server: &server, toServer: &toServer, bytes, store)
        announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
    }

    /// What a server is to have for `statement`: as a rule that one. Has the server know what its
    /// text executes. nil = an answer that is still to come decides. Adds uses.
    mutating func provideUses(
        of statement: UInt64, _ facts: SharedFacts?, server: inout ServerSession,
        toServer: inout Outgoing, _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) -> ActualStatement? {
        guard let facts, facts.namesStatements else {
            if server.statements.isInDoubt(statement) { return nil }
            return ActualStatement(statement: statement, named: nil, isRenamed: false)
        }
        guard let actual = actual(statement, facts.facts, server, store) else { return nil }
        if server.statements.isInDoubt(actual.statement) {
            actual.release(store)
            return nil
        }
        provideUses(of: actual.names, server: &server, toServer: &toServer, bytes, store)
        return actual
    }

    private func mustAwaitHandover(
        _ definition: Range<Int>, _ bytes: borrowing RawSpan, _ server: borrowing ServerSession
    ) -> Bool {
        guard server.handover != .none,
            let end = bytes.firstOffset(of: 0, in: definition)
        else { return false }
        let facts = StatementScanner.facts(
            of: bytes, in: definition.lowerBound..<end,
            standardConformingStrings: hasConformingStrings, names: functions)
        return mustAwaitHandover(facts, server)
    }

    /// A Parse without a name that is too long to be kept: passed on, and usable while this server
    /// is kept.
    private mutating func parseLongUnnamed(
        _ piece: FramePiece, _ length: Int, of bytes: borrowing RawSpan,
        server: inout ServerSession, toServer: inout Outgoing, store: any StatementStore
    ) -> Handling {
        guard piece.closes || length > HeldMessage.queryByteCountMax else { return .incomplete }
        let text = piece.body.lowerBound + 1..<piece.body.upperBound
        let end = bytes.firstOffset(of: 0, in: text) ?? text.upperBound
        let facts = StatementScanner.facts(
            of: bytes, in: text.lowerBound..<end, standardConformingStrings: hasConformingStrings,
            names: functions)
        note(facts)
        if !piece.closes { suspectEverything() }
        announceRemovals(
            facts, isWhole: piece.closes, server: &server, toServer: &toServer, bytes, store)
        noteRemovals(facts)
        unnamed.change(to: 0)
        server.setUnnamed(ServerSession.unnamedUnknown, store)
        server.expect(Expectation(.parse, changesUnnamed: true))
        return .pass
    }

    /// Adds a use of the statement with this definition; and what its text says, read anew where a
    /// backslash may mean something else.
    private func intern(
        _ definition: Range<Int>, _ bytes: borrowing RawSpan, _ server: borrowing ServerSession,
        _ store: any StatementStore
    ) -> InternedStatement {
        let known = store.intern(
            bytes.extracting(definition), isFromSQL: false, reading: reading(server))
        if hasConformingStrings { return known }
        let end = bytes.firstOffset(of: 0, in: definition) ?? definition.upperBound
        var facts = StatementScanner.facts(
            of: bytes, in: definition.lowerBound..<end, standardConformingStrings: false)
        // As if the definition stood alone.
        facts.nameUses = facts.nameUses.map { $0.moved(by: -definition.lowerBound) }
        return InternedStatement(
            known.statement, facts.isPlain ? nil : SharedFacts(facts), known.meaning)
    }

    /// The client parses a name that it has in use: PostgreSQL answers 42P05. So that the answer
    /// comes from the server, in its turn and with its effect on the transaction, the server gets
    /// the name that it has for the client's; in the error, it becomes the client's again.
    private mutating func parseAgain(
        _ known: StatementNames.Entry, _ definition: Range<Int>, server: inout ServerSession,
        toServer: inout Outgoing, bytes: borrowing RawSpan, store: any StatementStore
    ) -> Handling {
        guard
            let actual = provideUses(
                of: known.statement, known.facts, server: &server, toServer: &toServer, bytes,
                store)
        else { return .stalled }
        defer { actual.release(store) }
        server.replacedNames[actual.statement] = known.name
        server.provide(actual.statement, toServer: &toServer, bytes: bytes, store: store)
        toServer.spill(bytes)
        toServer.buffer.appendMessage(ClientTag.parse) {
            $0.append(cString: ServerStatements.name(of: actual.statement))
            $0.append(bytes.extracting(definition))
        }
        server.expect(Expectation(.parse))
        return .replaced(passesRest: false)
    }

    /// What the name stands for depends on whether the server has skipped a message that was sent
    /// before the last Sync.
    func isInDoubt(_ name: borrowing RawSpan, _ server: borrowing ServerSession) -> Bool {
        guard let known = names.found(name) else {
            return names.isClosing(name) && server.ledger.hasSync
        }
        return known.isInDoubt || server.statements.isInDoubt(known.statement)
    }

    /// The same for the statement without a name: of the client, and of the server.
    func isUnnamedInDoubt(_ server: borrowing ServerSession) -> Bool {
        unnamed.isInDoubt && server.ledger.hasSync || server.unnamedProvision == .beforeSync
    }

    func unnamedFacts(_ store: any StatementStore) -> SharedFacts? {
        unnamed.isFactsKnown ? unnamed.facts : store.facts(of: unnamed.current)
    }

    mutating func handleDescribe(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard piece.closes else { return try holdNames(piece, ClientTag.describe) }
        guard let nameRange = statementName(in: piece, of: bytes) else {
            server.expect(Expectation(.describe))
            return .pass
        }
        if nameRange.isEmpty {
            if isUnnamedInDoubt(server) { return .stalled }
            rereadUnnamed(server, store)
            guard
                let actual = provideUses(
                    of: unnamed.current, unnamedFacts(store), server: &server,
                    toServer: &toServer, bytes, store)
            else { return .stalled }
            defer { actual.release(store) }
            provideUnnamed(
                actual.statement, server: &server, toServer: &toServer, bytes: bytes, store: store)
            server.expect(Expectation(.describe))
            return .pass
        }
        if isInDoubt(bytes.extracting(nameRange), server) { return .stalled }
        guard let found = names.entry(bytes.extracting(nameRange)) else {
            server.expect(Expectation(.describe))
            return .pass
        }
        let known = reread(found, server, store)
        guard
            let actual = provideUses(
                of: known.statement, known.facts, server: &server, toServer: &toServer, bytes,
                store)
        else { return .stalled }
        defer { actual.release(store) }
        let wasThere = server.provide(
            actual.statement, toServer: &toServer, bytes: bytes, store: store)
        toServer.spill(bytes)
        if wasThere { server.noteUse(of: actual.statement, written: toServer.buffer.count) }
        toServer.buffer.appendMessage(ClientTag.describe) {
            $0.append(UInt8(ascii: "S"))
            $0.append(cString: ServerStatements.name(of: actual.statement))
        }
        server.expect(Expectation(.describe))
        return .replaced(passesRest: false)
    }

    mutating func handleClose(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard piece.closes else { return try holdNames(piece, ClientTag.close) }
        guard let nameRange = statementName(in: piece, of: bytes) else {
            server.expect(Expectation(.close))
            return .pass
        }
        if nameRange.isEmpty {
            unnamed.change(to: 0)
            server.setUnnamed(0, store)
            server.expect(Expectation(.close, changesUnnamed: true))
            return .pass
        }
        let name = bytes.extracting(nameRange)
        if isInDoubt(name, server) { return .stalled }
        // The server keeps the statement for others, if anybody may share it.
        if let known = names.found(name), !known.meaning.isShared {
            server.dropStatement(known.statement, toServer: &toServer, bytes: bytes)
        }
        names.closed(name)
        server.expect(
            Expectation(.close, .synthesise, changesNames: true), of: &self,
            toClient: &toClient, bytes: bytes, store: store)
        return .replaced(passesRest: false)
    }

    /// Sees to it that the server's unnamed statement is `wanted`: what this client parsed last.
    mutating func provideUnnamed(
        _ wanted: UInt64, server: inout ServerSession, toServer: inout Outgoing,
        bytes: borrowing RawSpan,
        store: any StatementStore
    ) {
        if server.unnamed == wanted { return }
        if wanted == 0, server.unnamed == ServerSession.unnamedUnknown,
            server.isUnnamedOfThisLink
        {
            return
        }
        toServer.spill(bytes)
        if wanted == 0 {
            // The client has none, so it must not meet what another one left behind.
            toServer.buffer.appendMessage(ClientTag.close) {
                $0.append(UInt8(ascii: "S"))
                $0.append(UInt8(0))
            }
            server.expect(Expectation(.close, .swallow))
        } else {
            toServer.buffer.appendMessage(ClientTag.parse) {
                $0.append(UInt8(0))
                store.appendDefinition(of: wanted, to: &$0)
            }
            server.expect(Expectation(.parse, .swallow))
        }
        server.setUnnamed(wanted, store)
        server.unnamedProvision = .inOpenBatch
    }

    /// Where the name stands if the message is about a statement; nil if about a portal, or
    /// malformed.
    private func statementName(
        in piece: FramePiece, of bytes: borrowing RawSpan
    ) -> Range<Int>? {
        guard piece.body.count >= 2,
            bytes.uint8(at: piece.body.lowerBound) == UInt8(ascii: "S")
        else { return nil }
        let start = piece.body.lowerBound + 1
        guard let end = bytes.firstOffset(of: 0, in: start..<piece.body.upperBound),
            end == piece.body.upperBound - 1
        else { return nil }
        return start..<end
    }

    func holdNames(_ piece: FramePiece, _ tag: UInt8) throws(SessionError) -> Handling {
        let length = piece.body.count + scanner.bodyByteCountLeft
        try requireAtMost(HeldMessage.namesByteCountMax, tag, length)
        return .incomplete
    }

    func requireAtMost(_ max: Int, _ tag: UInt8, _ byteCount: Int) throws(SessionError) {
        guard byteCount <= max else {
            throw .messageTooLong(tag: tag, byteCount: byteCount, max: max)
        }
    }
}
