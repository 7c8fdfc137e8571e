internal import Bytes
internal import SQL
internal import Wire

// Prepared statements: the client's names stay with the client, the server gets ours.

extension ClientSession {
    mutating func handleParse(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard sharesServers else {
            server.expect(Expectation(.parse))
            return .pass
        }
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
            let statement = store.intern(bytes.extracting(definition))
            let facts = facts(of: statement, definition, bytes, store)
            if let facts = facts?.facts {
                forgetSequences(facts, server: &server, toServer: &toServer, bytes, store)
                announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
            }
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
        if let known = names.entry(name) {
            return parseAgain(
                known.statement, nameEnd + 1..<piece.body.upperBound, server: &server,
                toServer: &toServer, bytes: bytes, store: store)
        }
        let definition = nameEnd + 1..<piece.body.upperBound
        if mustAwaitHandover(definition, bytes, server) { return .stalled }
        let statement = store.intern(bytes.extracting(definition))
        let facts = facts(of: statement, definition, bytes, store)
        if let facts = facts?.facts {
            forgetSequences(facts, server: &server, toServer: &toServer, bytes, store)
            announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
        }
        names.parsed(name, as: statement, facts: facts)
        if server.statements.useIfThere(statement) {
            if server.surelyParses(facts) {
                server.expect(
                    Expectation(.parse, .synthesise, changesNames: true), of: &self,
                    toClient: &toClient, bytes: bytes, store: store)
                return .replaced(passesRest: false)
            }
            server.dropStatement(statement, toServer: &toServer, bytes: bytes)
        }
        server.addStatement(statement, toServer: &toServer, bytes: bytes, store: store)
        server.expect(Expectation(.parse, changesNames: true, statement: statement))
        return .replaced(passesRest: false)
    }

    private func mustAwaitHandover(
        _ definition: Range<Int>, _ bytes: borrowing RawSpan, _ server: borrowing ServerSession
    ) -> Bool {
        guard server.handover != .none,
            let end = bytes.firstOffset(of: 0, in: definition)
        else { return false }
        let facts = StatementScanner.facts(
            of: bytes, in: definition.lowerBound..<end,
            standardConformingStrings: hasConformingStrings)
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
            of: bytes, in: text.lowerBound..<end, standardConformingStrings: hasConformingStrings)
        note(facts)
        if !piece.closes { traces.suspectAnything() }
        announceRemovals(
            facts, isWhole: piece.closes, server: &server, toServer: &toServer, bytes, store)
        noteRemovals(facts)
        unnamed.change(to: 0)
        server.setUnnamed(ServerSession.unnamedUnknown, store)
        server.expect(Expectation(.parse, changesUnnamed: true))
        return .pass
    }

    /// What the text of a definition says. Read anew where a backslash may mean something else.
    private func facts(
        of statement: UInt64, _ definition: Range<Int>, _ bytes: borrowing RawSpan,
        _ store: any StatementStore
    ) -> SharedFacts? {
        if hasConformingStrings { return store.facts(of: statement) }
        let end = bytes.firstOffset(of: 0, in: definition) ?? definition.upperBound
        let facts = StatementScanner.facts(
            of: bytes, in: definition.lowerBound..<end, standardConformingStrings: false)
        return facts.isPlain ? nil : SharedFacts(facts)
    }

    /// The client parses a name that it has in use: PostgreSQL answers 42P05. So that the answer
    /// comes from the server, in its turn and with its effect on the transaction, the server gets
    /// the name that it has for the client's; in the error, it becomes the client's again.
    private mutating func parseAgain(
        _ statement: UInt64, _ definition: Range<Int>, server: inout ServerSession,
        toServer: inout Outgoing, bytes: borrowing RawSpan, store: any StatementStore
    ) -> Handling {
        server.provide(statement, toServer: &toServer, bytes: bytes, store: store)
        toServer.spill(bytes)
        toServer.buffer.appendMessage(ClientTag.parse) {
            $0.append(cString: ServerStatements.name(of: statement))
            $0.append(bytes.extracting(definition))
        }
        server.expect(Expectation(.parse))
        return .replaced(passesRest: false)
    }

    /// What a Bind executes may leave something behind.
    private mutating func noteBind(
        _ facts: StatementFacts, _ piece: FramePiece, portalEnd: Int, afterNames offset: Int,
        _ bytes: borrowing RawSpan
    ) {
        note(facts)
        noteRemovals(facts)
        if facts.isAwaited {
            let portal = bytes.extracting(piece.body.lowerBound..<portalEnd)
            awaitedPortals.insert(portal.hash64())
        }
        guard !facts.boundNames.isEmpty else { return }
        guard piece.closes,
            let values = BoundValues(bytes, in: offset..<piece.body.upperBound)
        else { return traces.suspectAnyParameter() }
        for number in facts.boundNames {
            guard let name = values.text(number, of: bytes) else {
                traces.suspectAnyParameter()
                continue
            }
            traces.touch(name.lowercased())
        }
    }

    mutating func handleBind(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard sharesServers else {
            server.expect(Expectation(.bind))
            return .pass
        }
        guard let portalEnd = bytes.firstOffset(of: 0, in: piece.body),
            let nameEnd = bytes.firstOffset(of: 0, in: portalEnd + 1..<piece.body.upperBound)
        else {
            try requireAtMost(HeldMessage.namesByteCountMax, ClientTag.bind, piece.body.count)
            guard piece.closes else { return .incomplete }
            server.expect(Expectation(.bind))
            return .pass
        }
        let nameRange = portalEnd + 1..<nameEnd
        if nameRange.isEmpty {
            if unnamed.isInDoubt, server.ledger.hasSync { return .stalled }
            if let facts = unnamedFacts(store)?.facts {
                guard !isHeldForValues(facts, piece) else { return .incomplete }
                if mustAwaitHandover(facts, server) { return .stalled }
                announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
                noteBind(facts, piece, portalEnd: portalEnd, afterNames: nameEnd + 1, bytes)
            }
            provideUnnamed(server: &server, toServer: &toServer, bytes: bytes, store: store)
            server.expect(Expectation(.bind))
            return .pass
        }
        if isInDoubt(bytes.extracting(nameRange), server) { return .stalled }
        guard let known = names.entry(bytes.extracting(nameRange)) else {
            // No server knows a client's name, so this one answers 26000 as PostgreSQL would.
            server.expect(Expectation(.bind))
            return .pass
        }
        if let facts = known.facts?.facts {
            guard !isHeldForValues(facts, piece) else { return .incomplete }
            if mustAwaitHandover(facts, server) { return .stalled }
            forgetSequences(facts, server: &server, toServer: &toServer, bytes, store)
            announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
            noteBind(facts, piece, portalEnd: portalEnd, afterNames: nameEnd + 1, bytes)
        }
        server.provide(known.statement, toServer: &toServer, bytes: bytes, store: store)
        let length = piece.body.count + scanner.bodyByteCountLeft + 4
        let name = ServerStatements.name(of: known.statement)
        toServer.spill(bytes)
        toServer.buffer.append(ClientTag.bind)
        toServer.buffer.append(bigEndian: UInt32(length - nameRange.count + name.utf8.count))
        toServer.buffer.append(bytes.extracting(piece.body.lowerBound..<nameRange.lowerBound))
        toServer.buffer.append(utf8: name)
        toServer.buffer.append(bytes.extracting(nameRange.upperBound..<piece.body.upperBound))
        server.expect(Expectation(.bind))
        return .replaced(passesRest: true)
    }

    /// What the name stands for depends on whether the server has skipped a message that was sent
    /// before the last Sync.
    private func isInDoubt(_ name: borrowing RawSpan, _ server: borrowing ServerSession) -> Bool {
        guard let known = names.entry(name) else {
            return names.isClosing(name) && server.ledger.hasSync
        }
        return names.isInDoubt(known)
    }

    private func unnamedFacts(_ store: any StatementStore) -> SharedFacts? {
        unnamed.isFactsKnown ? unnamed.facts : store.facts(of: unnamed.current)
    }

    /// The values of a Bind name a parameter: it is looked at whole, if it is not too long.
    private func isHeldForValues(_ facts: StatementFacts, _ piece: FramePiece) -> Bool {
        !piece.closes && !facts.boundNames.isEmpty
            && piece.body.count + scanner.bodyByteCountLeft <= HeldMessage.queryByteCountMax
    }

    mutating func handleDescribe(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard sharesServers else {
            server.expect(Expectation(.describe))
            return .pass
        }
        guard piece.closes else { return try holdNames(piece, ClientTag.describe) }
        guard let nameRange = statementName(in: piece, of: bytes) else {
            server.expect(Expectation(.describe))
            return .pass
        }
        if nameRange.isEmpty {
            if unnamed.isInDoubt, server.ledger.hasSync { return .stalled }
            provideUnnamed(server: &server, toServer: &toServer, bytes: bytes, store: store)
            server.expect(Expectation(.describe))
            return .pass
        }
        if isInDoubt(bytes.extracting(nameRange), server) { return .stalled }
        guard let known = names.entry(bytes.extracting(nameRange)) else {
            server.expect(Expectation(.describe))
            return .pass
        }
        server.provide(known.statement, toServer: &toServer, bytes: bytes, store: store)
        toServer.spill(bytes)
        toServer.buffer.appendMessage(ClientTag.describe) {
            $0.append(UInt8(ascii: "S"))
            $0.append(cString: ServerStatements.name(of: known.statement))
        }
        server.expect(Expectation(.describe))
        return .replaced(passesRest: false)
    }

    mutating func handleClose(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard sharesServers else {
            server.expect(Expectation(.close))
            return .pass
        }
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
        if isInDoubt(bytes.extracting(nameRange), server) { return .stalled }
        // The server keeps the statement for others; only the client's name goes.
        names.closed(bytes.extracting(nameRange))
        server.expect(
            Expectation(.close, .synthesise, changesNames: true), of: &self,
            toClient: &toClient, bytes: bytes, store: store)
        return .replaced(passesRest: false)
    }

    /// Sees to it that the server's unnamed statement is the one that this client parsed last.
    private mutating func provideUnnamed(
        server: inout ServerSession, toServer: inout Outgoing, bytes: borrowing RawSpan,
        store: any StatementStore
    ) {
        let wanted = unnamed.current
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

    private func requireAtMost(_ max: Int, _ tag: UInt8, _ byteCount: Int) throws(SessionError) {
        guard byteCount <= max else {
            throw .messageTooLong(tag: tag, byteCount: byteCount, max: max)
        }
    }
}
