internal import Bytes
internal import Wire

// Prepared statements: the client's names stay with the client, the server gets ours.

extension ClientSession {
    mutating func handleParse(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard replacesNames else {
            server.expect(Expectation(.parse))
            return .pass
        }
        let length = piece.body.count + scanner.bodyByteCountLeft
        guard !piece.body.isEmpty || piece.closes else { return .incomplete }
        let isUnnamed = !piece.body.isEmpty && bytes.uint8(at: piece.body.lowerBound) == 0
        if isUnnamed {
            guard length <= HeldMessage.unnamedParseByteCountMax else {
                // Passed on without being remembered: usable while this server is kept.
                forgetUnnamed(store)
                server.setUnnamed(ServerSession.unnamedUnknown, store)
                server.expect(Expectation(.parse))
                return .pass
            }
            guard piece.closes else { return .incomplete }
            let definition = piece.body.lowerBound + 1..<piece.body.upperBound
            let statement = store.intern(bytes.extracting(definition))
            forgetUnnamed(store)
            unnamed = statement
            server.setUnnamed(statement, store)
            server.expect(Expectation(.parse))
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
        if let known = names.find(name) {
            // Whether the name is free is not known until the server has answered.
            if known.isPending, server.ledger.hasSync { return .stalled }
            return parseAgain(
                piece, server: &server, toServer: &toServer, bytes: bytes)
        }
        let definition = bytes.extracting(nameEnd + 1..<piece.body.upperBound)
        let statement = store.intern(definition)
        names.parsed(name, as: statement)
        if server.statements.useIfThere(statement) {
            server.expect(
                Expectation(.parse, .synthesise, changesNames: true), of: &self,
                toClient: &toClient, bytes: bytes, store: store)
            return .replaced(passesRest: false)
        }
        server.addStatement(statement, toServer: &toServer, bytes: bytes, store: store)
        server.expect(Expectation(.parse, changesNames: true, statement: statement))
        return .replaced(passesRest: false)
    }

    /// The client parses a name that it has in use: PostgreSQL answers 42P05. So that the answer
    /// comes from the server, in its turn and with its effect on the transaction, the server gets
    /// the client's own name twice; it is not used for anybody else afterwards.
    private mutating func parseAgain(
        _ piece: FramePiece, server: inout ServerSession, toServer: inout Outgoing,
        bytes: borrowing RawSpan
    ) -> Handling {
        toServer.pass(piece.start..<piece.body.upperBound, of: bytes)
        toServer.spill(bytes)
        toServer.buffer.append(bytes.extracting(piece.start..<piece.body.upperBound))
        server.isTainted = true
        server.expect(Expectation(.parse, .swallow))
        server.expect(Expectation(.parse))
        return .replaced(passesRest: false)
    }

    mutating func handleBind(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard replacesNames else {
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
            provideUnnamed(server: &server, toServer: &toServer, bytes: bytes, store: store)
            server.expect(Expectation(.bind))
            return .pass
        }
        guard let known = names.find(bytes.extracting(nameRange)) else {
            // No server knows a client's name, so this one answers 26000 as PostgreSQL would.
            server.expect(Expectation(.bind))
            return .pass
        }
        if known.isPending, server.ledger.hasSync { return .stalled }
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

    mutating func handleDescribe(
        _ piece: FramePiece, of bytes: borrowing RawSpan, server: inout ServerSession,
        toServer: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> Handling {
        guard replacesNames else {
            server.expect(Expectation(.describe))
            return .pass
        }
        guard piece.closes else { return try holdNames(piece, ClientTag.describe) }
        guard let nameRange = statementName(in: piece, of: bytes) else {
            server.expect(Expectation(.describe))
            return .pass
        }
        if nameRange.isEmpty {
            provideUnnamed(server: &server, toServer: &toServer, bytes: bytes, store: store)
            server.expect(Expectation(.describe))
            return .pass
        }
        guard let known = names.find(bytes.extracting(nameRange)) else {
            server.expect(Expectation(.describe))
            return .pass
        }
        if known.isPending, server.ledger.hasSync { return .stalled }
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
        guard replacesNames else {
            server.expect(Expectation(.close))
            return .pass
        }
        guard piece.closes else { return try holdNames(piece, ClientTag.close) }
        guard let nameRange = statementName(in: piece, of: bytes) else {
            server.expect(Expectation(.close))
            return .pass
        }
        if nameRange.isEmpty {
            forgetUnnamed(store)
            server.setUnnamed(0, store)
            server.expect(Expectation(.close))
            return .pass
        }
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
        if server.unnamed == unnamed { return }
        if unnamed == 0, server.unnamed == ServerSession.unnamedUnknown,
            server.isUnnamedOfThisLink
        {
            return
        }
        toServer.spill(bytes)
        if unnamed == 0 {
            // The client has none, so it must not meet what another one left behind.
            toServer.buffer.appendMessage(ClientTag.close) {
                $0.append(UInt8(ascii: "S"))
                $0.append(UInt8(0))
            }
            server.expect(Expectation(.close, .swallow))
        } else {
            toServer.buffer.appendMessage(ClientTag.parse) {
                $0.append(UInt8(0))
                store.appendDefinition(of: unnamed, to: &$0)
            }
            server.expect(Expectation(.parse, .swallow))
        }
        server.setUnnamed(unnamed, store)
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

    private func holdNames(_ piece: FramePiece, _ tag: UInt8) throws(SessionError) -> Handling {
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
