internal import Bytes
internal import SQL
internal import Wire

// Query messages: read for what they leave behind, their names of statements replaced.

extension ClientSession {
    mutating func handleQuery(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) -> Handling {
        guard sharesServers else {
            server.setUnnamed(0, store)
            server.expect(Expectation(.query))
            return .pass
        }
        let length = piece.body.count + scanner.bodyByteCountLeft
        guard piece.closes || length > HeldMessage.queryByteCountMax else { return .incomplete }
        let text = textRange(piece, bytes)
        let remembered = store.rememberedFacts(of: bytes, in: text, names: functions)
        if let remembered, remembered.isPlain, piece.closes {
            waitsForReset = false
            forgetUnnamed(server: &server, store)
            server.expect(Expectation(.query, changesUnnamed: true))
            return .pass
        }
        let facts =
            remembered.map { StatementFacts($0) }
            ?? store.facts(
                of: bytes, in: text, standardConformingStrings: hasConformingStrings,
                names: functions)
        if mustAwaitHandover(facts, server) { return .stalled }
        if piece.closes, facts.hasDetails, !facts.nameUses.isEmpty {
            guard var names = resolve(facts.nameUses, in: text, of: bytes, server, store) else {
                return .stalled
            }
            prepare(for: facts, isWhole: true, server: &server, toServer: &toServer, bytes, store)
            // Behind what goes ahead of it, because it may write the query.
            let handling = replaceNames(
                &names, in: text, of: bytes, server: &server, toServer: &toServer, store: store)
            forgetUnnamed(server: &server, store)
            server.expect(.query, of: names.text, changesUnnamed: true)
            return handling
        }
        prepare(
            for: facts, isWhole: piece.closes, server: &server, toServer: &toServer, bytes, store)
        forgetUnnamed(server: &server, store)
        server.expect(Expectation(.query, changesUnnamed: true))
        return .pass
    }

    /// A query with these facts goes to the server next: sends what must go ahead of it.
    private mutating func prepare(
        for facts: StatementFacts, isWhole: Bool, server: inout ServerSession,
        toServer: inout Outgoing, _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        forgetSequences(facts, server: &server, toServer: &toServer, bytes, store)
        note(facts)
        announceRemovals(
            facts, isWhole: isWhole, server: &server, toServer: &toServer, bytes, store)
        noteRemovals(facts)
        // Of a text that is not there whole, the rest may hold anything.
        if !isWhole { suspectEverything() }
        waitsForReset = facts.isAwaited
    }

    /// A query takes the unnamed statement away.
    private mutating func forgetUnnamed(
        server: inout ServerSession, _ store: any StatementStore
    ) {
        server.setUnnamed(0, store)
        unnamed.change(to: 0)
    }

    /// The query's text, without the NUL at its end.
    private func textRange(_ piece: FramePiece, _ bytes: borrowing RawSpan) -> Range<Int> {
        let end = bytes.firstOffset(of: 0, in: piece.body) ?? piece.body.upperBound
        return piece.body.lowerBound..<end
    }

    var hasConformingStrings: Bool { parameters.hasConformingStrings }

    /// A text with these facts is on its way to the server.
    mutating func note(_ facts: StatementFacts) {
        if facts.suspicions.isEmpty, !facts.resetsAll { return }
        if !facts.databases.isEmpty { databasesToVacate += facts.databases }
        traces.note(
            facts,
            createsTemporary: facts.suspicions.contains(.creations) && hasTemporaryPath)
    }

    /// Whether CREATE without a schema may make something temporary.
    private var hasTemporaryPath: Bool {
        let path = parameters.extra["search_path"] ?? parameters.reported["search_path"]
        return path?.contains("pg_temp") ?? false
    }

    /// A text reads what nextval() left in the session, and this client has left nothing there: it
    /// must not meet what another one left. Only between transactions: inside of one it may.
    func forgetSequences(
        _ facts: StatementFacts, server: inout ServerSession, toServer: inout Outgoing,
        _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        guard facts.suspicions.contains(.sequenceReads),
            !traces.hasWrittenSequences, !traces.pins.contains(.sequenceWrites),
            server.ledger.isEmpty, server.status == .idle
        else { return }
        toServer.spill(bytes)
        ClientMessages.query("DISCARD SEQUENCES", to: &toServer.buffer)
        server.expectOwnQuery(store)
    }

    /// What a parameter is for this client when its server reports `value`: after a RESET, which
    /// gives the server its own default, what the client's login said.
    func value(of name: String, reported value: String, _ base: ParameterState) -> String {
        let key = name.lowercased()
        guard traces.wasReset || traces.touched[key] == true,
            base.reported[key] == value, let own = startup.reported[key]
        else { return value }
        return own
    }

    /// Writes the query with our names where the client's stand; statements that the server does
    /// not have go ahead of it.
    private mutating func replaceNames(
        _ resolved: inout ResolvedNames, in text: Range<Int>, of bytes: borrowing RawSpan,
        server: inout ServerSession, toServer: inout Outgoing, store: any StatementStore
    ) -> Handling {
        let isBatchOpen = server.isBatchOpen
        let ready = makeReady(resolved, server: &server, toServer: &toServer, bytes, store)
        resolved.text.changes = ready.changes
        guard !resolved.uses.isEmpty else { return .pass }
        toServer.spill(bytes)
        if ready.hasWritten, !isBatchOpen {
            // An error in it must not make the server skip the query.
            ClientMessages.sync(to: &toServer.buffer)
            server.expectOwnSync()
        }
        toServer.buffer.appendMessage(ClientTag.query) {
            appendText(text, of: bytes, with: resolved.uses, to: &$0)
            $0.append(UInt8(0))
        }
        return .replaced(passesRest: false)
    }
}

extension StatementFacts {
    /// What follows must know how it went: DEALLOCATE and DISCARD ALL take names away; RESET goes
    /// to the server's values, and the client is to meet its own.
    var isAwaited: Bool {
        guard hasDetails else { return resetsAll }
        return resetsAll || parameters.contains(where: \.isReset)
            || nameUses.contains { $0.kind != .execute }
    }
}
