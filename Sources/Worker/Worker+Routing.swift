internal import Bytes
internal import EventLoop
internal import Routing
internal import Session
internal import Sharding
internal import Wire

// Clients of a database on several shards: to which server each message goes. What a message is
// about says `MessageRouter`; here is what follows from it.

extension Worker where Loop: ~Copyable {
    // MARK: Without a server

    /// The client has no server, and its message at `offset` needs one. Returns whether its bytes
    /// can go on.
    mutating func routeIdle(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) -> Bool {
        guard let shards = clients[slot].shards else { return false }
        if let batch = shards.value.recognise(bytes, at: offset, &clients[slot].session) {
            shards.value.approve(batch, from: offset)
            return checkout(slot, shards, batch.shard)
        }
        var survey = shards.value.route.router.survey(
            bytes, from: offset, shards.value.route, clients[slot].session, statements)
        let isQuery = survey.tag == ClientTag.query || survey.tag == ClientTag.functionCall
        var shard = shards.value.homeShard
        switch survey.target {
        case .incomplete:
            return false
        case .none where survey.isOpenEnded && survey.end - offset < Self.openBatchByteCountMax:
            // What follows may say where all of it belongs; nobody waits for an answer yet.
            return false
        case .begin(let text, let tag) where !shards.value.route.isBegunNowhere:
            shards.value.route.beginNowhere(text)
            return answer(slot, tag, .inTransaction, bytes, &offset, survey)
        case .end(let tag) where shards.value.route.isBegunNowhere:
            let isUndone = shards.value.route.isFailedNowhere || tag == "ROLLBACK"
            shards.value.route.endTransaction(isUndone: isUndone)
            return answer(slot, isUndone ? "ROLLBACK" : tag, .idle, bytes, &offset, survey)
        case .replaced(_, let change?) where isQuery && !shards.value.route.isFailedNowhere:
            let isInBlock = shards.value.route.isBegunNowhere
            if let refusal = shards.value.route.refusal(of: change) {
                guard isInBlock else { return refuse(slot, refusal, bytes, &offset, survey) }
                break
            }
            if !change.isLocal || isInBlock {
                shards.value.route.change(change, isInTransaction: isInBlock)
            }
            return answer(
                slot, "SET", clients[slot].session.statusUnlinked, bytes, &offset, survey)
        case .refused(let refusal) where isQuery && !shards.value.route.isBegunNowhere:
            return refuse(slot, refusal, bytes, &offset, survey)
        case .shard(let found):
            shard = found
        case .lookup(let settings, let keys):
            switch lookUp(slot, shards, settings, keys) {
            case .shard(let found):
                shard = found
                survey.decide(.shard(found))
            case .refused(let refusal):
                survey.decide(.refused(refusal))
                guard !isQuery || shards.value.route.isBegunNowhere else {
                    return refuse(slot, refusal, bytes, &offset, survey)
                }
            case .asked:
                clients[slot].phase = .asking(since: now)
                updateTimer(ofClient: slot)
                return false
            }
        case .none, .anyShard, .fixed, .begin, .end, .refused, .replaced, .hint:
            break
        }
        shards.value.approve(consume survey, from: offset)
        return checkout(slot, shards, shard)
    }

    /// The client needs a server of `shard`, for what was approved. Returns whether it has one now.
    private mutating func checkout(
        _ slot: Int, _ shards: Box<ClientShards>, _ shard: Int
    ) -> Bool {
        guard let pool = shards.value.pool(of: shard) ?? makePool(of: shard, shards) else {
            closeClient(
                slot,
                .fatal(
                    .cannotConnectNow, "the shard is configured no more", hint: "Connect again."))
            return false
        }
        shards.value.linked = shard
        shards.value.isFresh = true
        if clients[slot].pool !== pool { clients[slot].pool = pool }
        return checkout(slot)
    }

    private func makePool(of shard: Int, _ shards: Box<ClientShards>) -> Pool? {
        shards.value.makePool(of: shard, settings, service)
    }

    /// Answers a Query that no server has to see. Returns whether there are more bytes.
    private mutating func answer(
        _ slot: Int, _ tag: String, _ status: TransactionStatus, _ bytes: borrowing RawSpan,
        _ offset: inout Int, _ survey: borrowing Survey
    ) -> Bool {
        ServerMessages.commandComplete(tag, to: &toClient.buffer)
        return finishAnswer(slot, status, bytes, &offset, survey)
    }

    private mutating func refuse(
        _ slot: Int, _ refusal: Refusal, _ bytes: borrowing RawSpan, _ offset: inout Int,
        _ survey: borrowing Survey
    ) -> Bool {
        guard survey.messageCount > 0 else {
            closeClient(slot, ErrorReply(.fatal, refusal))
            return false
        }
        ErrorReply(.error, refusal).write(to: &toClient.buffer)
        return finishAnswer(slot, .idle, bytes, &offset, survey)
    }

    private mutating func finishAnswer(
        _ slot: Int, _ status: TransactionStatus, _ bytes: borrowing RawSpan,
        _ offset: inout Int, _ survey: borrowing Survey
    ) -> Bool {
        ServerMessages.readyForQuery(status, to: &toClient.buffer)
        clients[slot].session.statusUnlinked = status
        let id = clients[slot].id
        flushToClient(slot, bytes)
        guard isClient(slot, id.generation), clients[slot].phase == .idle else { return false }
        offset = survey.end
        return offset < bytes.byteCount
    }

    // MARK: With a server

    /// The client has a server: passes on what belongs there.
    mutating func useRouted(
        _ slot: Int, _ serverSlot: Int, _ shards: Box<ClientShards>, _ bytes: borrowing RawSpan,
        from offset: inout Int
    ) throws(SessionError) -> ClientStep {
        guard prepareRoute(slot, serverSlot, shards) else { return .stalled }
        while offset < bytes.byteCount {
            guard clients[slot].session.scanner.isBetweenFrames else {
                let left = clients[slot].session.scanner.bodyByteCountLeft
                let step = try pass(slot, serverSlot, bytes, &offset, to: offset + left)
                guard step == .consumed else { return step }
                continue
            }
            if let batch = shards.value.takeRecognised(
                bytes, at: offset, &clients[slot].session), batch.shard == shards.value.linked
            {
                let step = try pass(batch, slot, serverSlot, shards, bytes, &offset)
                guard step == .consumed else { return step }
                continue
            }
            if shards.value.route.awaitsAnswer, !servers[serverSlot].session.ledger.isEmpty {
                guard let next = MessageRouter.message(in: bytes, at: offset) else {
                    return .consumed
                }
                guard !next.isStatement else { return awaitAnswers(serverSlot, shards, bytes) }
                let step = try pass(slot, serverSlot, bytes, &offset, to: next.end)
                guard step == .consumed else { return step }
                if next.isSync { shards.value.route.passedSync() }
                continue
            }
            var survey = takeSurvey(slot, shards, bytes, offset)
            if case .incomplete = survey.target { return .consumed }
            let before = offset
            let errorCount = servers[serverSlot].session.errorCount
            var step = ClientStep.consumed
            if shards.value.route.needsQuiet(survey) {
                step = try pass(slot, serverSlot, bytes, &offset, to: survey.lastStart)
                if step == .consumed, !servers[serverSlot].session.ledger.isEmpty {
                    shards.value.route.passed(survey, to: offset, errorCount: errorCount)
                    return awaitAnswers(serverSlot, shards, bytes)
                }
            }
            let isSkipped = servers[serverSlot].session.skipsUntilSync
            if step == .consumed {
                step = try follow(&survey, slot, serverSlot, shards, bytes, &offset)
            }
            if isSkipped {
                shards.value.route.skipped(survey, to: offset)
            } else {
                shards.value.route.passed(
                    survey, to: offset, errorCount: errorCount,
                    isInBlock: servers[serverSlot].session.status != .idle)
                // Whatever ended before, what it sets stands.
                if shards.value.route.awaitsAnswer { servers[serverSlot].session.lastEnd = nil }
            }
            guard step == .consumed, offset > before else { return step }
        }
        return .consumed
    }

    /// Passes a batch on that belongs to this server.
    private mutating func pass(
        _ batch: RecognisedBatch, _ slot: Int, _ serverSlot: Int, _ shards: Box<ClientShards>,
        _ bytes: borrowing RawSpan, _ offset: inout Int
    ) throws(SessionError) -> ClientStep {
        let step = try pass(slot, serverSlot, bytes, &offset, to: batch.end)
        if offset >= batch.keyEnd { shards.value.route.fix() }
        if offset >= batch.end { shards.value.route.passedSync() }
        return step
    }

    /// What the bytes from `offset` on are about: found before there was a server, or now.
    private func takeSurvey(
        _ slot: Int, _ shards: Box<ClientShards>, _ bytes: borrowing RawSpan, _ offset: Int
    ) -> Survey {
        if let approved = shards.value.takeApproved(at: offset) { return approved }
        return shards.value.route.router.survey(
            bytes, from: offset, shards.value.route, clients[slot].session, statements)
    }

    /// Passes the bytes up to `end` on, as far as they are there.
    private mutating func pass(
        _ slot: Int, _ serverSlot: Int, _ bytes: borrowing RawSpan, _ offset: inout Int, to end: Int
    ) throws(SessionError) -> ClientStep {
        guard end > offset else { return .consumed }
        // What is asked for now is behind the last Flush.
        clients[slot].shards?.value.hasFlushed = false
        return try clients[slot].session.receivedLinked(
            bytes.extracting(0..<min(end, bytes.byteCount)), from: &offset,
            server: &servers[serverSlot].session, toServer: &toServer, toClient: &toClient,
            store: statements)
    }

    private mutating func follow(
        _ survey: inout Survey, _ slot: Int, _ serverSlot: Int, _ shards: Box<ClientShards>,
        _ bytes: borrowing RawSpan, _ offset: inout Int
    ) throws(SessionError) -> ClientStep {
        let end = survey.end
        switch survey.target {
        case .incomplete, .none, .anyShard, .end:
            return try pass(slot, serverSlot, bytes, &offset, to: end)
        case .begin(let text, _):
            if servers[serverSlot].session.ledger.hasEnd { return .stalled }
            if servers[serverSlot].session.isReleasable, !isKept(slot) { return .stalled }
            let step = try pass(slot, serverSlot, bytes, &offset, to: end)
            if step == .consumed, servers[serverSlot].session.status == .idle {
                shards.value.route.noteBegin(text)
            }
            return step
        case .shard(let shard) where shard == shards.value.linked:
            return try passFixed(slot, serverSlot, shards, bytes, &offset, to: end)
        case .shard(let shard):
            return try divert(survey, to: shard, slot, serverSlot, shards, bytes, &offset)
        case .fixed:
            return try passFixed(slot, serverSlot, shards, bytes, &offset, to: end)
        case .lookup(let settings, let keys):
            switch lookUp(slot, shards, settings, keys) {
            case .asked: return .stalled
            case .shard(let shard): survey.decide(.shard(shard))
            case .refused(let refusal): survey.decide(.refused(refusal))
            }
            return try follow(&survey, slot, serverSlot, shards, bytes, &offset)
        case .refused(let refusal):
            return try refuse(refusal, survey, slot, serverSlot, shards, bytes, &offset)
        case .replaced(let message, let change):
            if let change, let refusal = shards.value.route.refusal(of: change) {
                return try refuse(refusal, survey, slot, serverSlot, shards, bytes, &offset)
            }
            return try replace(message, survey, slot, serverSlot, bytes, &offset)
        case .hint(let change):
            if let refusal = shards.value.route.refusal(of: change) {
                return try refuse(refusal, survey, slot, serverSlot, shards, bytes, &offset)
            }
            return try pass(slot, serverSlot, bytes, &offset, to: end)
        }
    }

    /// The client keeps its server behind the transaction, whatever it asks for next.
    private func isKept(_ slot: Int) -> Bool {
        !clients[slot].session.traces.pins.isEmpty && clients[slot].session.traces.suspected.isEmpty
    }

    private mutating func passFixed(
        _ slot: Int, _ serverSlot: Int, _ shards: Box<ClientShards>, _ bytes: borrowing RawSpan,
        _ offset: inout Int, to end: Int
    ) throws(SessionError) -> ClientStep {
        let step = try pass(slot, serverSlot, bytes, &offset, to: end)
        if offset >= min(end, bytes.byteCount) { shards.value.route.fix() }
        return step
    }

    /// Another message goes to the server than the client's.
    private mutating func replace(
        _ message: [UInt8], _ survey: borrowing Survey, _ slot: Int, _ serverSlot: Int,
        _ bytes: borrowing RawSpan, _ offset: inout Int
    ) throws(SessionError) -> ClientStep {
        let step = try pass(slot, serverSlot, bytes, &offset, to: survey.lastStart)
        guard step == .consumed, offset == survey.lastStart else { return step }
        toServer.spill(bytes)
        toClient.spill(bytes)
        var start = 0
        let replaced = try message.withRawSpan { span throws(SessionError) in
            let step = try pass(slot, serverSlot, span, &start, to: message.count)
            toServer.spill(span)
            return step
        }
        if start == message.count { offset = survey.end }
        return replaced
    }

    /// The server says what the client is told, in its turn and with its effect on the transaction.
    private mutating func refuse(
        _ refusal: Refusal, _ survey: borrowing Survey, _ slot: Int, _ serverSlot: Int,
        _ shards: Box<ClientShards>, _ bytes: borrowing RawSpan, _ offset: inout Int
    ) throws(SessionError) -> ClientStep {
        guard survey.messageCount > 0 else {
            throw .messageTooLong(
                tag: survey.tag, byteCount: bytes.byteCount - offset,
                max: MessageRouter.messageByteCountMax)
        }
        let step = try pass(slot, serverSlot, bytes, &offset, to: survey.lastStart)
        guard step == .consumed, offset == survey.lastStart else { return step }
        guard !servers[serverSlot].session.isQuestioned, !servers[serverSlot].session.isRepairing
        else { return .stalled }
        if !servers[serverSlot].session.skipsUntilSync {
            clients[slot].session.refuse(
                survey.tag, with: ErrorReply(.error, refusal),
                server: &servers[serverSlot].session, toServer: &toServer, bytes: bytes,
                store: statements)
        }
        offset = survey.end
        shards.value.route.fix()
        return .consumed
    }

    // MARK: Another shard

    /// The last message of `survey` is for another shard than the server's.
    private mutating func divert(
        _ survey: borrowing Survey, to shard: Int, _ slot: Int, _ serverSlot: Int,
        _ shards: Box<ClientShards>,
        _ bytes: borrowing RawSpan, _ offset: inout Int
    ) throws(SessionError) -> ClientStep {
        // What was sent before decides whether the transaction goes on.
        if servers[serverSlot].session.ledger.hasEnd { return .stalled }
        let status = servers[serverSlot].session.status
        if status == .failed {
            return try pass(slot, serverSlot, bytes, &offset, to: survey.end)
        }
        if servers[serverSlot].session.isReleasable, !isKept(slot) { return .stalled }
        let mayMove =
            !shards.value.route.isFixed && clients[slot].session.traces.pins.isEmpty
            && (status == .inTransaction || shards.value.route.log.isEmpty
                || shards.value.route.hasBegun)
        if survey.lastStart > offset, !servers[serverSlot].session.isReady {
            // They may be about portals of this server.
            let step = try pass(slot, serverSlot, bytes, &offset, to: survey.lastStart)
            guard step == .consumed, !servers[serverSlot].session.ledger.isEmpty else {
                return step
            }
            return awaitAnswers(serverSlot, shards, bytes)
        }
        guard mayMove else {
            let refusal = elsewhere(shard, slot, shards, inBlock: status == .inTransaction)
            return try refuse(refusal, survey, slot, serverSlot, shards, bytes, &offset)
        }
        guard servers[serverSlot].session.ledger.isEmpty else {
            return awaitAnswers(serverSlot, shards, bytes)
        }
        shards.value.hasFlushed = false
        shards.value.isMoving = true
        return .stalled
    }

    private func elsewhere(
        _ shard: Int, _ slot: Int, _ shards: Box<ClientShards>, inBlock: Bool
    ) -> Refusal {
        let names = shards.value.route.router.router.map.shards
        let linked =
            names.indices.contains(shards.value.linked) ? names[shards.value.linked] : "an old one"
        let pins = clients[slot].session.traces.pins
        if !pins.isEmpty {
            return Refusal(
                "the statement concerns another shard than the server that the client keeps",
                detail: "It is for \(names[shard]); the client keeps a server of "
                    + "\(linked) because of: \(pins).",
                hint: "Give up what keeps the server, or use another connection.")
        }
        return Refusal(
            "the statement concerns another shard than its transaction",
            detail: "It is for \(names[shard]); the transaction is on \(linked).",
            hint: inBlock
                ? "End the transaction first." : "End the batch first, by a Sync message.")
    }

    /// The transaction has not done anything yet that is bound to its server: it goes on elsewhere.
    mutating func leaveShard(_ slot: Int, _ serverSlot: Int) {
        guard let shards = clients[slot].shards else { return }
        let inBlock =
            servers[serverSlot].session.status == .inTransaction || shards.value.route.hasBegun
        shards.value.isMoving = false
        orphan(serverSlot, of: slot)
        clients[slot].session.unlinked(inTransaction: inBlock)
        clients[slot].session.statusUnlinked = inBlock ? .inTransaction : .idle
        clients[slot].phase = .idle
        clients[slot].isStalled = false
        shards.value.route.leaveServer(inBlock: inBlock)
    }
}
