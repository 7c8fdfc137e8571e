internal import Bytes
internal import SQL
internal import Wire

// Bind: a statement meets its values, and a name the statement that the server has for it.

extension ClientSession {
    /// What a Bind executes may leave something behind, or change what names stand for.
    private mutating func noteBind(
        _ facts: StatementFacts, _ actual: ActualStatement, _ bind: BindNames,
        _ piece: FramePiece, server: inout ServerSession, toServer: inout Outgoing,
        _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        note(facts)
        noteRemovals(facts)
        if facts.isAwaited {
            let (changes, _) = makeReady(
                actual.names, server: &server, toServer: &toServer, bytes, store)
            for case .prepared(_, let statement) in changes { store.retain(statement) }
            let portal = bytes.extracting(bind.portal).hash64()
            let old = awaitedPortals.updateValue((changes, actual.names.text), forKey: portal)
            for case .prepared(_, let statement) in old?.changes ?? [] { store.release(statement) }
        } else if !actual.names.uses.isEmpty || actual.names.runsUnknown {
            _ = makeReady(actual.names, server: &server, toServer: &toServer, bytes, store)
        }
        guard facts.namesInValues else { return }
        guard piece.closes,
            let values = BoundValues(
                bytes, in: bind.statement.upperBound + 1..<piece.body.upperBound)
        else { return traces.suspectAnyParameter() }
        for number in facts.boundNames {
            guard let name = values.text(number, of: bytes) else {
                traces.suspectAnyParameter()
                continue
            }
            traces.touch(name.lowercased())
        }
        for number in facts.boundLocalNames {
            if let name = values.text(number, of: bytes) {
                traces.touchLocally(name.lowercased())
            } else {
                TextMeaning.otherSettings.forEach { traces.touchLocally($0) }
            }
        }
    }

    /// Where the two names in a Bind stand.
    private struct BindNames {
        let portal: Range<Int>
        let statement: Range<Int>
    }

    mutating func handleBind(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard let portalEnd = bytes.firstOffset(of: 0, in: piece.body),
            let nameEnd = bytes.firstOffset(of: 0, in: portalEnd + 1..<piece.body.upperBound)
        else {
            try requireAtMost(HeldMessage.namesByteCountMax, ClientTag.bind, piece.body.count)
            guard piece.closes else { return .incomplete }
            server.expect(Expectation(.bind))
            return .pass
        }
        let bind = BindNames(
            portal: piece.body.lowerBound..<portalEnd, statement: portalEnd + 1..<nameEnd)
        guard !bind.statement.isEmpty else {
            return bindUnnamed(
                piece, bind, of: bytes, server: &server, toServer: &toServer, store: store)
        }
        let name = bytes.extracting(bind.statement)
        // Nearly always there is nothing to follow.
        if functions == nil, let known = names.found(name), !known.hasFacts,
            known.meaning.path == parameters.path,
            known.meaning.isFixed
                || known.meaning.literals == parameters.literals && !isReadingInDoubt(server)
        {
            guard !known.isInDoubt, !server.statements.isInDoubt(known.statement) else {
                return .stalled
            }
            send(
                known.statement, piece, bind, of: bytes, server: &server, toServer: &toServer,
                store)
            return .replaced(passesRest: true)
        }
        if isInDoubt(name, server) { return .stalled }
        guard let found = names.entry(name) else {
            // No server knows a client's name, so this one answers 26000 as PostgreSQL would.
            server.expect(Expectation(.bind))
            return .pass
        }
        let known = reread(found, server, store)
        let facts = facts(of: known.statement, known.facts, store)
        if let facts {
            guard !isHeldForValues(facts.facts, piece) else { return .incomplete }
            if mustAwaitHandover(facts.facts, server) { return .stalled }
        }
        guard
            let actual = provideUses(
                of: known.statement, facts, server: &server, toServer: &toServer, bytes, store)
        else { return .stalled }
        defer { actual.release(store) }
        if let facts = facts?.facts {
            forgetSequences(facts, server: &server, toServer: &toServer, bytes, store)
            announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
            noteBind(
                facts, actual, bind, piece, server: &server, toServer: &toServer, bytes, store)
        }
        if actual.statement != known.statement {
            server.replacedNames[actual.statement] = known.name
        }
        send(
            actual.statement, piece, bind, of: bytes, server: &server, toServer: &toServer, store)
        return .replaced(passesRest: true)
    }

    /// A Bind of the statement without a name.
    private mutating func bindUnnamed(
        _ piece: FramePiece, _ bind: BindNames, of bytes: borrowing RawSpan,
        server: inout ServerSession, toServer: inout Outgoing, store: any StatementStore
    ) -> Handling {
        if isUnnamedInDoubt(server) { return .stalled }
        rereadUnnamed(server, store)
        // Nearly always there is nothing to follow.
        if functions == nil, unnamed.isPlain {
            if server.statements.isInDoubt(unnamed.current) { return .stalled }
            provideUnnamed(
                unnamed.current, server: &server, toServer: &toServer, bytes: bytes,
                store: store)
            server.expect(Expectation(.bind))
            return .pass
        }
        let facts = facts(of: unnamed.current, unnamedFacts(store), store)
        if let facts {
            guard !isHeldForValues(facts.facts, piece) else { return .incomplete }
            if mustAwaitHandover(facts.facts, server) { return .stalled }
        }
        guard
            let actual = provideUses(
                of: unnamed.current, facts, server: &server, toServer: &toServer, bytes, store)
        else { return .stalled }
        defer { actual.release(store) }
        if let facts {
            announceRemovals(
                facts.facts, server: &server, toServer: &toServer, bytes, store)
            noteBind(
                facts.facts, actual, bind, piece, server: &server, toServer: &toServer, bytes,
                store)
        }
        provideUnnamed(
            actual.statement, server: &server, toServer: &toServer, bytes: bytes, store: store)
        server.expect(Expectation(.bind))
        return .pass
    }

    /// Passes a Bind of a named statement on, for what the server has as `statement`.
    private func send(
        _ statement: UInt64, _ piece: FramePiece, _ bind: BindNames, of bytes: borrowing RawSpan,
        server: inout ServerSession, toServer: inout Outgoing, _ store: any StatementStore
    ) {
        let wasThere = server.provide(statement, toServer: &toServer, bytes: bytes, store: store)
        toServer.spill(bytes)
        if wasThere { server.noteUse(of: statement, written: toServer.buffer.count) }
        writeBind(piece, bind.statement, statement, of: bytes, to: &toServer)
        server.expect(Expectation(.bind))
    }

    /// Writes a Bind with our name of `statement` where `range` has the client's.
    private func writeBind(
        _ piece: FramePiece, _ range: Range<Int>, _ statement: UInt64,
        of bytes: borrowing RawSpan, to toServer: inout Outgoing
    ) {
        let length = piece.body.count + scanner.bodyByteCountLeft + 4
        toServer.spill(bytes)
        toServer.buffer.append(ClientTag.bind)
        let lengthOffset = toServer.buffer.count
        toServer.buffer.append(bigEndian: UInt32(0))
        toServer.buffer.append(bytes.extracting(piece.body.lowerBound..<range.lowerBound))
        let nameCount = ServerStatements.appendName(of: statement, to: &toServer.buffer)
        toServer.buffer.replace(
            at: lengthOffset, bigEndian: UInt32(length - range.count + nameCount))
        toServer.buffer.append(bytes.extracting(range.upperBound..<piece.body.upperBound))
    }

    /// The values of a Bind name a parameter: it is looked at whole, if it is not too long.
    private func isHeldForValues(_ facts: StatementFacts, _ piece: FramePiece) -> Bool {
        !piece.closes && facts.namesInValues
            && piece.body.count + scanner.bodyByteCountLeft <= HeldMessage.queryByteCountMax
    }
}
