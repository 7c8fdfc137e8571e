internal import Bytes
internal import SQL
internal import Wire

// Query messages: read for what they leave behind, their names of statements replaced.

extension ClientSession {
    mutating func handleQuery(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) -> Handling {
        guard followsState || replacesNames else {
            server.setUnnamed(0, store)
            server.expect(Expectation(.query))
            return .pass
        }
        let length = piece.body.count + scanner.bodyByteCountLeft
        guard piece.closes || length > HeldMessage.queryByteCountMax else { return .incomplete }
        let text = textRange(piece, bytes)
        let facts = StatementScanner.facts(
            of: bytes, in: text, standardConformingStrings: hasConformingStrings)
        note(facts)
        announceRemovals(facts, server: &server, toServer: &toServer, bytes, store)
        noteRemovals(facts)
        // Of a text that is not there whole, the rest may hold anything.
        if !piece.closes { traces.suspectAnyParameter() }
        var handling = Handling.pass
        if replacesNames, piece.closes, !facts.nameUses.isEmpty {
            waitsForReset = facts.takesStatementsAway
            handling = replaceNames(
                facts.nameUses, in: text, of: bytes, server: &server, toServer: &toServer,
                store: store)
        }
        server.setUnnamed(0, store)
        unnamed.change(to: 0)
        server.expect(Expectation(.query, changesUnnamed: true))
        return handling
    }

    /// The query's text, without the NUL at its end.
    private func textRange(_ piece: FramePiece, _ bytes: borrowing RawSpan) -> Range<Int> {
        let end = bytes.firstOffset(of: 0, in: piece.body) ?? piece.body.upperBound
        return piece.body.lowerBound..<end
    }

    var hasConformingStrings: Bool { parameters.hasConformingStrings }

    /// A text with these facts is on its way to the server.
    mutating func note(_ facts: StatementFacts) {
        guard followsState else { return }
        traces.note(facts)
    }

    /// Writes the query with our names where the client's stand; statements that the server does
    /// not have go ahead of it.
    private mutating func replaceNames(
        _ uses: [NameUse], in text: Range<Int>, of bytes: borrowing RawSpan,
        server: inout ServerSession, toServer: inout Outgoing, store: any StatementStore
    ) -> Handling {
        var replaced: [(range: Range<Int>, name: String)] = []
        var hasProvided = false
        for use in uses {
            guard use.kind == .execute || use.kind == .deallocate,
                let known = Array(use.name.utf8).withRawSpan({ names.entry($0) })
            else { continue }
            if !server.statements.contains(known.statement) { hasProvided = true }
            server.provide(known.statement, toServer: &toServer, bytes: bytes, store: store)
            replaced.append((use.range, ServerStatements.name(of: known.statement)))
            if use.kind == .deallocate { server.deallocations.append(known.name) }
            if let facts = known.facts { note(facts.facts) }
        }
        guard !replaced.isEmpty else { return .pass }
        toServer.spill(bytes)
        if hasProvided {
            // An error in it must not make the server skip the query.
            ClientMessages.sync(to: &toServer.buffer)
            server.expectOwnSync()
        }
        toServer.buffer.appendMessage(ClientTag.query) { body in
            var start = text.lowerBound
            for (range, name) in replaced {
                body.append(bytes.extracting(start..<range.lowerBound))
                body.append(utf8: name)
                start = range.upperBound
            }
            body.append(bytes.extracting(start..<text.upperBound))
            body.append(UInt8(0))
        }
        return .replaced(passesRest: false)
    }
}

extension StatementFacts {
    /// DEALLOCATE or DISCARD ALL: what follows must know how it went.
    var takesStatementsAway: Bool { nameUses.contains { $0.kind != .execute } }
}
