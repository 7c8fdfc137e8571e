internal import Bytes
internal import DequeModule
internal import Wire

// What a server sends: matched with the ledger frame by frame, forwarded, swallowed or refused.

extension ServerSession {
    /// Takes what came from the server; writes what `client` is to get. Bytes from `offset` on are
    /// an incomplete message that must be held. Without a client, the caller brings one that is
    /// nobody's and throws away what it is to get.
    public mutating func received(
        _ bytes: borrowing RawSpan, from offset: inout Int, client: inout ClientSession,
        toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) {
        while true {
            passRows(bytes, from: &offset, toClient: &toClient)
            let before = scanner
            let piece: FramePiece?
            do throws(WireError) {
                piece = try scanner.next(in: bytes, from: &offset)
            } catch { throw .serverMalformed(error) }
            guard let piece else { return }
            guard let tag = piece.opens else {
                if passesRest { toClient.pass(piece.start..<piece.body.upperBound, of: bytes) }
                settleBehind(piece, bytes, client: &client, toClient: &toClient, store: store)
                continue
            }
            if !piece.closes, mustBeWhole(tag, length: piece.body.count + scanner.bodyByteCountLeft)
            {
                guard piece.body.count < Self.heldByteCountMax else {
                    throw .serverUnexpected(tag: tag)
                }
                scanner = before
                offset = piece.start
                return
            }
            if tag == ServerTag.notificationResponse {
                notified(
                    bytes.extracting(piece.body), client: client, toClient: &toClient,
                    behind: bytes)
                passesRest = false
                continue
            }
            passesRest = try isForwarded(tag, piece, bytes, client: &client, store: store)
            if passesRest, tag == ServerTag.readyForQuery, let channels = client.channels {
                passesRest = readyPasses(channels, client, toClient: &toClient, behind: bytes)
            }
            if passesRest { pass(tag, piece, bytes, client: client, toClient: &toClient) }
            settleBehind(piece, bytes, client: &client, toClient: &toClient, store: store)
        }
    }

    /// Hands on the rows that stand here, or the data of a COPY: most of what there is to hand on,
    /// and nothing follows from it.
    @inline(__always) private func passRows(
        _ bytes: borrowing RawSpan, from offset: inout Int, toClient: inout Outgoing
    ) {
        guard offset < bytes.byteCount else { return }
        let tag = bytes.uint8(at: offset)
        guard tag == ServerTag.dataRow || tag == ServerTag.copyData, let head = ledger.head,
            head.disposition == .forward, head.kind == .execute || head.kind == .query
        else { return }
        let end = scanner.end(ofFramesTagged: tag, in: bytes, from: offset)
        toClient.pass(offset..<end, of: bytes)
        offset = end
    }

    /// Our own answers whose turn it is now follow, if the server's message is whole.
    private mutating func settleBehind(
        _ piece: FramePiece, _ bytes: borrowing RawSpan, client: inout ClientSession,
        toClient: inout Outgoing, store: any StatementStore
    ) {
        guard ledger.hasSynthesised, piece.closes, ledger.head?.disposition == .synthesise else {
            return
        }
        toClient.spill(bytes)
        settleSynthesised(client: &client, toClient: &toClient, store: store)
    }

    /// Hands a message on; in errors and notices, our name of a statement becomes the client's.
    private func pass(
        _ tag: UInt8, _ piece: FramePiece, _ bytes: borrowing RawSpan,
        client: borrowing ClientSession, toClient: inout Outgoing
    ) {
        if tag == ServerTag.errorResponse || isOfRenamedText(tag), piece.closes,
            client.sharesServers,
            let body = asClientKnows(
                bytes.extracting(piece.body), client,
                text: tag == ServerTag.errorResponse ? failedText : renamedTexts.first)
        {
            toClient.spill(bytes)
            toClient.buffer.appendMessage(tag) { $0.append(body) }
            return
        }
        if tag == ServerTag.parameterStatus {
            return passReport(piece, bytes, client: client, toClient: &toClient)
        }
        toClient.pass(piece.start..<piece.body.upperBound, of: bytes)
    }

    /// The body with the client's names, and with places in its `text`; nil = as it is.
    private func asClientKnows(
        _ body: borrowing RawSpan, _ client: borrowing ClientSession, text: RenamedText?
    ) -> [UInt8]? {
        let named = ServerStatements.withClientNames(body, client.names, replacedNames)
        guard let text else { return named }
        guard let named else { return text.inClientsText(body) }
        return named.withRawSpan { text.inClientsText($0) } ?? named
    }

    /// Whether a message with that tag is a notice about a text with our names in it.
    private func isOfRenamedText(_ tag: UInt8) -> Bool {
        tag == ServerTag.noticeResponse && ledger.head?.isRenamed == true
            && renamedTexts.first?.refusal == nil
    }

    /// A parameter that was reset is for the client what its login said, not the server's default.
    private func passReport(
        _ piece: FramePiece, _ bytes: borrowing RawSpan, client: borrowing ClientSession,
        toClient: inout Outgoing
    ) {
        guard let end = bytes.firstOffset(of: 0, in: piece.body),
            let wanted = client.parameters.reported[
                bytes.string(in: piece.body.lowerBound..<end).lowercased()],
            wanted != bytes.string(in: end + 1..<max(end + 1, piece.body.upperBound - 1))
        else { return toClient.pass(piece.start..<piece.body.upperBound, of: bytes) }
        toClient.spill(bytes)
        ServerMessages.parameterStatus(
            name: bytes.string(in: piece.body.lowerBound..<end), value: wanted,
            to: &toClient.buffer)
    }

    /// Messages that change what we know are looked at whole; all others stream through.
    private func mustBeWhole(_ tag: UInt8, length: Int) -> Bool {
        switch tag {
        case ServerTag.parameterStatus, ServerTag.readyForQuery, ServerTag.notificationResponse:
            true
        case ServerTag.commandComplete: length <= 64
        case ServerTag.errorResponse: length <= 8192 || ledger.head?.disposition == .swallow
        case ServerTag.noticeResponse: length <= 8192 && isOfRenamedText(tag)
        case ServerTag.dataRow: isQuestioned && ledger.head?.disposition == .swallow
        default: false
        }
    }

    /// Matches one message with the ledger. Returns whether the client gets it.
    private mutating func isForwarded(
        _ tag: UInt8, _ piece: FramePiece, _ bytes: borrowing RawSpan,
        client: inout ClientSession, store: any StatementStore
    ) throws(SessionError) -> Bool {
        switch tag {
        case ServerTag.dataRow, ServerTag.copyData, ServerTag.copyDone:
            if tag == ServerTag.dataRow, ledger.head?.disposition == .swallow {
                question?.read(bytes.extracting(piece.body))
                listing?.read(bytes.extracting(piece.body))
            }
            return try headIsForwarded(tag) { $0 == .execute || $0 == .query }
        case ServerTag.noticeResponse:
            return ledger.head?.disposition != .swallow
        case ServerTag.parameterStatus:
            return reportParameter(bytes.extracting(piece.body), client: &client, store: store)
        case ServerTag.readyForQuery:
            return try ready(piece, bytes, &client, store)
        case ServerTag.errorResponse:
            let body = bytes.extracting(piece.body)
            let isFatal = ErrorFields(body: body).isFatal
            errorCount += 1
            lastEnd = .rolledBack
            if isFatal, isReleasable || listing != nil, client.sharesServers, client.traces.isClean,
                hears.isEmpty, handover == .none
            {
                // Its client has all its answers and leaves nothing here: another server will do.
                isTainted = true
                return false
            }
            let isTold = failed(body, client: &client, store: store)
            guard isFatal else { return isTold }
            // Whatever was asked, this is about the connection, and what the client hears last.
            if case .failed = ownQuery { ownQuery = .running }
            saidFatal = true
            return true
        case ServerTag.commandComplete:
            if piece.closes {
                noteReset(bytes.extracting(piece.body), &client, store)
                noteEnd(bytes.extracting(piece.body))
            }
            noteHandedOver()
            copy = .none
            tally.queryCount += 1
            return try complete(tag, store: store, client: &client)
        case ServerTag.emptyQueryResponse, ServerTag.portalSuspended:
            tally.queryCount += 1
            return try complete(tag, store: store, client: &client)
        case ServerTag.parseComplete:
            return try pop(.parse, tag, client: &client, store: store)
        case ServerTag.bindComplete:
            tally.bindCount += 1
            return try pop(.bind, tag, client: &client, store: store)
        case ServerTag.closeComplete:
            return try pop(.close, tag, client: &client, store: store)
        case ServerTag.noData:
            return try pop(.describe, tag, client: &client, store: store)
        case ServerTag.parameterDescription:
            return try headIsForwarded(tag) { $0 == .describe } && !hasParameters()
        case ServerTag.rowDescription:
            if ledger.head?.kind == .query { return try headIsForwarded(tag) { $0 == .query } }
            return try pop(.describe, tag, client: &client, store: store)
        case ServerTag.copyInResponse:
            beginCopy()
            return try headIsForwarded(tag) { $0 == .execute || $0 == .query }
        case ServerTag.copyOutResponse, ServerTag.copyBothResponse:
            copy = .toClient
            return try headIsForwarded(tag) { $0 == .execute || $0 == .query }
        case ServerTag.functionCallResponse:
            return try headIsForwarded(tag) { $0 == .functionCall }
        default:
            throw .serverUnexpected(tag: tag)
        }
    }

    private func headIsForwarded(
        _ tag: UInt8, _ fits: (Expectation.Kind) -> Bool
    ) throws(SessionError) -> Bool {
        guard let head = ledger.head, fits(head.kind) else { throw .serverUnexpected(tag: tag) }
        return head.disposition == .forward
    }

    /// The reply that ends the entry at the head, which must be of `kind`.
    private mutating func pop(
        _ kind: Expectation.Kind, _ tag: UInt8, client: inout ClientSession,
        store: any StatementStore
    ) throws(SessionError) -> Bool {
        guard let head = ledger.head, head.kind == kind else { throw .serverUnexpected(tag: tag) }
        removeHead(store)
        if head.statement != 0 {
            if kind == .close {
                store.release(head.statement)
            } else {
                statements.acknowledge(head.statement)
            }
        }
        acknowledge(head, &client, store)
        return head.disposition == .forward
    }

    private mutating func removeHead(_ store: any StatementStore) {
        if ledger.removeHead()?.isRenamed == true { renamedTexts.removeFirst().release(store) }
    }

    /// CommandComplete, EmptyQueryResponse, PortalSuspended: the end of an Execute; in a simple
    /// query, of one of its statements.
    private mutating func complete(
        _ tag: UInt8, store: any StatementStore, client: inout ClientSession
    ) throws(SessionError) -> Bool {
        if ledger.head?.kind == .execute {
            return try pop(.execute, tag, client: &client, store: store)
        }
        return try headIsForwarded(tag) { $0 == .query }
    }

    private mutating func ready(
        _ piece: FramePiece, _ bytes: borrowing RawSpan, _ client: inout ClientSession,
        _ store: any StatementStore
    ) throws(SessionError) -> Bool {
        guard piece.body.count == 1,
            let status = TransactionStatus(rawValue: bytes.uint8(at: piece.body.lowerBound)),
            let head = ledger.head,
            head.kind == .sync || head.kind == .query || head.kind == .functionCall
        else { throw .serverUnexpected(tag: ServerTag.readyForQuery) }
        removeHead(store)
        acknowledge(head, &client, store)
        self.status = status
        copy = .none
        if replay.phase == .failed { replay.phase = status == .idle ? .due : .off }
        isReady = ledger.isEmpty && !skipsUntilSync && replay.phase != .due
        if !ledger.hasSync, unnamedProvision == .beforeSync { unnamedProvision = .none }
        if isReady {
            hasPassedSinceReady = false
            stopReplay()
        }
        if ledger.isEmpty {
            if !replacedNames.isEmpty { replacedNames.removeAll() }
        }
        if status == .idle { tally.transactionCount += 1 }
        if head.kind == .query, head.disposition == .swallow {
            if case .failed = ownQuery {} else { ownQuery = .succeeded }
        }
        return head.disposition == .forward
    }

    private mutating func failed(
        _ body: borrowing RawSpan, client: inout ClientSession, store: any StatementStore
    ) -> Bool {
        copy = .none
        failedText = nil
        guard let head = ledger.head else { return true }
        if head.isRenamed { failedText = renamedTexts.first }
        switch head.kind {
        case .query, .functionCall, .sync:
            if head.kind == .query, head.disposition == .swallow {
                ownQuery = .failed(ErrorFields(body: body))
            }
            return head.disposition == .forward
        case .parse, .bind, .describe, .execute, .close:
            if willRepair(body) { return false }
            return skipThroughError(head, &client, store)
        case .copyEnd:
            return true
        }
    }

    /// The message at the head failed: the server skips those behind it up to the next Sync, and
    /// what they would have changed stays as it was.
    private mutating func skipThroughError(
        _ head: Expectation, _ client: inout ClientSession, _ store: any StatementStore
    ) -> Bool {
        var nameChangeCount = 0
        var unnamedChangeCount = 0
        var renamedCount = 0
        var touchesUnnamed = false
        var undone: [Expectation] = []
        let hasSync = ledger.dropThroughError { entry in
            if entry.changesNames { nameChangeCount += 1 }
            if entry.changesUnnamed { unnamedChangeCount += 1 }
            if entry.isRenamed { renamedCount += 1 }
            if entry.mayTouchUnnamed { touchesUnnamed = true }
            if entry.statement != 0 { undone.append(entry) }
        }
        for _ in 0..<renamedCount { renamedTexts.removeFirst().release(store) }
        // The last one first: what was closed may have been parsed again behind it.
        for entry in undone.reversed() {
            if entry.kind == .parse || entry.kind == .execute, statements.remove(entry.statement) {
                store.release(entry.statement)
            } else if entry.kind == .close {
                statements.use(entry.statement)
            }
        }
        for freed in client.names.undo(nameChangeCount) { store.release(freed) }
        // A Parse without a name takes the old statement away before it looks at the new one.
        let tookUnnamed = head.kind == .parse && head.changesUnnamed
        for freed in client.unnamed.undo(unnamedChangeCount, failed: tookUnnamed)
        where freed != 0 {
            store.release(freed)
        }
        if touchesUnnamed {
            setUnnamed(Self.unnamedUnknown, store)
            isUnnamedOfThisLink = false
        }
        skipsUntilSync = !hasSync
        return ledger.head?.disposition != .swallow
    }

    /// CopyInResponse: what is on its way already is part of the copy, or breaks it off.
    private mutating func beginCopy() {
        switch ledger.beginCopy() {
        case .open:
            copy = .fromClient
        case .ended, .brokenOff:
            copy = .ended
        }
    }

    /// ParameterStatus: the server's state changes, and with it that of the client who asked.
    private mutating func reportParameter(
        _ body: borrowing RawSpan, client: inout ClientSession, store: any StatementStore
    ) -> Bool {
        guard let nameEnd = body.firstOffset(of: 0, in: 0..<body.byteCount),
            let valueEnd = body.firstOffset(of: 0, in: nameEnd + 1..<body.byteCount)
        else { return false }
        let name = body.string(in: 0..<nameEnd)
        let value = body.string(in: nameEnd + 1..<valueEnd)
        parameters = store.canonical(parameters.reporting(name, value))
        if ledger.head?.disposition == .swallow { return false }
        let own = client.value(of: name, reported: value, base)
        // A RESET to what the client began with is no change for it.
        guard client.parameters.reported[name.lowercased()] != own else { return false }
        client.parameters = store.canonical(client.parameters.reporting(name, own))
        return true
    }

    /// COMMIT and ROLLBACK, as CommandComplete tells them.
    private mutating func noteEnd(_ body: borrowing RawSpan) {
        // Nearly every tag begins otherwise.
        guard body.byteCount >= 7, "C"..."R" ~= Unicode.Scalar(body.uint8(at: 0)) else { return }
        switch body.byteCount {
        case 7 where body.hasWord("commit", at: 0): lastEnd = .committed
        case 9 where body.hasWord("rollback", at: 0): lastEnd = .rolledBack
        case 20 where body.hasWord("prepare transaction", at: 0): lastEnd = .committed
        default: break
        }
    }

    /// DISCARD ALL and DEALLOCATE take prepared statements away: the server's are gone, and those
    /// of the client who asked. After DISCARD ALL of ours, the parameters are as at login.
    private mutating func noteReset(
        _ body: borrowing RawSpan, _ client: inout ClientSession, _ store: any StatementStore
    ) {
        let isClients = ledger.head?.disposition == .forward
        switch body.byteCount {
        case 8, 11: if !isClients || ledger.head?.isRenamed != true { return }
        case 12, 15: break
        default: return
        }
        let tag = body.string(in: 0..<body.byteCount - 1)
        if tag == "PREPARE" || tag == "DEALLOCATE" { return changeName(&client, store) }
        guard tag == "DISCARD ALL" || tag == "DEALLOCATE ALL" else { return }
        for statement in statements.removeAll() { store.release(statement) }
        setUnnamed(0, store)
        if isClients {
            for statement in client.names.removeAcknowledged() { store.release(statement) }
        } else if tag == "DISCARD ALL" {
            hears = []
            parameters = store.canonical(
                ParameterState(reported: parameters.reported, extra: [:], isProven: true))
        }
    }

    /// A PREPARE or DEALLOCATE of the client's has run.
    private mutating func changeName(
        _ client: inout ClientSession, _ store: any StatementStore
    ) {
        guard let running = renamedTexts.first, !running.changes.isEmpty else { return }
        switch renamedTexts[0].changes.removeFirst() {
        case .prepared(let name, let statement):
            // The server's use of it begins; the change's becomes the name's.
            store.retain(statement)
            statements.use(statement)
            let made = InternedStatement(
                statement, store.facts(of: statement), store.meaning(of: statement))
            if let old = client.names.prepared(name, as: made) { store.release(old) }
        case .deallocated(let name):
            guard let statement = client.names.remove(name) else { return }
            store.release(statement)
            if statements.remove(statement) { store.release(statement) }
        }
    }
}
