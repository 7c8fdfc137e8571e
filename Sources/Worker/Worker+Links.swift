internal import Bytes
internal import EventLoop
internal import Pooling
internal import Routing
internal import SQL
internal import Session
internal import Wire

// Clients and servers meet and part: checkout, grant, and what happens when a server is free.

extension Worker where Loop: ~Copyable {
    /// The client in `slot` needs a server. Returns whether it has one now.
    mutating func checkout(_ slot: Int) -> Bool {
        guard let pool = clients[slot].pool else { return false }
        let id = clients[slot].id
        let now = now
        while true {
            let answer = pool.state.withLock { state in
                let answer = state.machine.checkout(for: id, at: now, waitsForNothing: false)
                guard case .refused(.failing) = answer, state.lastFailure == nil else {
                    return answer
                }
                return state.machine.checkout(for: id, at: now)
            }
            switch answer {
            case .granted(let server, let idleSince):
                guard takeIdle(server, idleSince: idleSince) else { continue }
                return link(Int(server.slot), to: slot, since: now)
            case .queued(let ticket):
                if clients[slot].login == nil {
                    clients[slot].phase = .waiting(ticket: ticket, since: now)
                } else {
                    clients[slot].phase = .greeting(ticket: ticket, since: now)
                }
                clients[slot].wasNotifiedOfWait = false
                openServers(of: pool)
                guard isClient(slot, id.generation) else { return false }
                if case .waiting = clients[slot].phase { updateTimer(ofClient: slot) }
                if case .greeting = clients[slot].phase { updateTimer(ofClient: slot) }
                return clients[slot].phase == .idle || isLinked(slot)
            case .refused(.failing):
                // Another worker may have opened one since.
                guard let failure = pool.state.withLock({ $0.lastFailure }) else { continue }
                closeClient(slot, failure)
                return false
            case .refused(.queueFull(let waitingMax)):
                closeClient(
                    slot,
                    .fatal(
                        .tooManyConnections, "too many clients wait for a server",
                        detail: "The queue holds \(waitingMax)."))
                return false
            }
        }
    }

    private func isLinked(_ slot: Int) -> Bool {
        if case .linked = clients[slot].phase { true } else { false }
    }

    /// A server comes from the idle list to this worker. false = it was dead and is closed.
    private mutating func takeIdle(_ server: ServerID, idleSince: Instant) -> Bool {
        let slot = Int(server.slot)
        servers[slot].worker = index
        servers[slot].phase = .held
        // One that has rested may have been closed by PostgreSQL; who has just been busy has not.
        let idleTime = now.nanoseconds &- idleSince.nanoseconds
        guard idleTime > 2_000_000 else { return !beginCheck(slot, after: idleTime) }
        switch Sockets.hasUnreadBytes(servers[slot].socket) {
        case .clean:
            return !beginCheck(slot, after: idleTime)
        case .unread, .closed:
            // Whatever it says was not meant for a client of ours.
            closeServer(slot, "closed while idle")
            return false
        }
    }

    /// A server that was idle for long must answer before a client gets it; it comes back to the
    /// pool then. Returns false when no check is due.
    private mutating func beginCheck(_ slot: Int, after idleTime: Int64) -> Bool {
        let servers = servers
        guard let limits = limits(of: servers[slot].poolName, servers[slot].pool),
            idleTime >= limits.checkDelay,
            let query = servers[slot].pool.state.withLock({ $0.profile.session.checkQuery })
        else { return false }
        servers[slot].phase = .checking
        servers[slot].deadline = Limit(settings.serverConnectTimeout).end(from: now)
        updateTimer(ofServer: slot)
        runOwnQuery(slot, query, sendsNow: true)
        return true
    }

    /// A grant that came by mail: `server` is this worker's now.
    mutating func granted(_ server: ServerID, to client: ClientID) {
        let serverSlot = Int(server.slot)
        guard servers.isTaken(serverSlot), servers[serverSlot].id == server else { return }
        servers[serverSlot].worker = index
        servers[serverSlot].phase = .held
        give(serverSlot, to: client)
    }

    /// Links `server` to a client of this worker that waited, if it still does.
    private mutating func give(_ serverSlot: Int, to client: ClientID) {
        let slot = Int(client.slot)
        guard isClient(slot, client.generation) else { return checkin(serverSlot) }
        switch clients[slot].phase {
        case .waiting where hasMoved(slot) && !isInTransactionNowhere(slot):
            clients[slot].phase = .idle
            checkin(serverSlot)
            if isClient(slot, client.generation) { useHeld(slot) }
        case .waiting(_, let since):
            servers[serverSlot].tally.waitTime += now.nanoseconds &- since.nanoseconds
            if link(serverSlot, to: slot, since: since) { useHeld(slot) }
        case .greeting:
            clients[slot].phase = .login
            if admit(slot, on: serverSlot) { useHeld(slot) }
        case .login, .proving, .idle, .asking, .linked, .console, .closing:
            checkin(serverSlot)
        }
        if isClient(slot, client.generation), !mustPause(slot) { armClientReceive(slot) }
    }

    /// The client owns the server from now on. Returns whether its bytes can go on at once.
    private mutating func link(_ serverSlot: Int, to slot: Int, since: Instant) -> Bool {
        if case .login = clients[slot].phase {
            return admit(slot, on: serverSlot)
        }
        servers[serverSlot].phase = .linked(clients[slot].id)
        servers[serverSlot].holder?.hold(clients[slot].id.processID)
        servers[serverSlot].tally.assignmentCount += 1
        servers[serverSlot].requestedAt = now
        servers[serverSlot].deadline = .never
        clients[slot].phase = .linked(servers[serverSlot].id)
        clients[slot].transactionAt = now
        knowFunctions(serverSlot, slot)
        guard servers[serverSlot].session.parameters !== clients[slot].session.parameters else {
            return true
        }
        return fitParameters(serverSlot, to: slot)
    }

    /// Makes the server's parameters the client's, in front of its first message. Values that no
    /// server has accepted yet are waited for, because what follows must not run without them.
    mutating func fitParameters(_ serverSlot: Int, to slot: Int) -> Bool {
        let wanted = clients[slot].session.parameters
        guard let query = servers[serverSlot].session.parameters.change(to: wanted) else {
            clients[slot].session.parameters = servers[serverSlot].session.parameters
            return true
        }
        servers[serverSlot].wantedParameters = wanted
        runOwnQuery(serverSlot, query, sendsNow: !wanted.isProven)
        servers[serverSlot].awaitsOwnQuery = !wanted.isProven
        return wanted.isProven
    }

    /// Writes a query of ours; with `sendsNow` off it waits for what the client sends with it.
    mutating func runOwnQuery(_ serverSlot: Int, _ query: String, sendsNow: Bool) {
        servers[serverSlot].session.expectOwnQuery(statements)
        ClientMessages.query(query, to: &toServer.buffer)
        guard sendsNow else { return }
        flushToServer(serverSlot, RawSpan())
        armServerReceive(serverSlot)
    }

    /// The server of a linked client has answered something: is the client done with it?
    mutating func settle(_ serverSlot: Int) {
        guard case .linked(let client) = servers[serverSlot].phase else { return }
        let slot = Int(client.slot)
        guard servers[serverSlot].session.isReleasable,
            !clients[slot].session.isInsidePassedMessage
        else { return armServerReceive(serverSlot) }
        let servers = servers
        guard
            let limits = limits(of: servers[serverSlot].poolName, servers[serverSlot].pool),
            limits.mode != .session
        else {
            countKept(serverSlot)
            return armServerReceive(serverSlot)
        }
        guard !askBeforeRelease(serverSlot, slot, limits) else { return }
        unlink(serverSlot, slot)
        if limits.resetsAlways {
            beginTidying(serverSlot)
            tidy(serverSlot)
        } else {
            checkin(serverSlot)
        }
        goOn(slot, client)
    }

    /// The client has no server any more: what it has sent meanwhile, and what it is to hear.
    mutating func goOn(_ slot: Int, _ client: ClientID) {
        guard isClient(slot, client.generation) else { return }
        if clients[slot].isStalled || !clients[slot].held.isEmpty {
            clients[slot].isStalled = false
            useHeld(slot)
        }
        guard isClient(slot, client.generation) else { return }
        notifyClient(slot)
        guard isClient(slot, client.generation) else { return }
        if !mustPause(slot) { armClientReceive(slot) }
        updateTimer(ofClient: slot)
    }

    mutating func unlink(_ serverSlot: Int, _ slot: Int) {
        if !servers[serverSlot].vacated.isEmpty { endVacating(for: serverSlot) }
        servers[serverSlot].session.unlinked()
        servers[serverSlot].tally.transactionTime +=
            now.nanoseconds &- clients[slot].transactionAt.nanoseconds
        clients[slot].session.unlinked()
        endRoutedTransaction(slot, serverSlot)
        clients[slot].phase = .idle
        clients[slot].requestedAt = now
        servers[serverSlot].phase = .held
    }

    /// A clean server of this worker goes to the next client, to the idle list, or away.
    mutating func checkin(_ serverSlot: Int) {
        let pool = servers[serverSlot].pool
        servers[serverSlot].phase = .held
        forgetFunctions(serverSlot)
        guard !servers[serverSlot].session.isTainted else {
            return closeServer(serverSlot, "not to be used again")
        }
        // A cancel that is still under way must not meet the next client's query.
        guard servers[serverSlot].cancelCount == 0 else { return }
        // Its next owner may be another worker, which must get all that it says.
        guard !servers[serverSlot].isReceiving else {
            return loop.cancel(token(.serverReceive, ofServer: serverSlot))
        }
        let id = servers[serverSlot].id
        let openedAt = servers[serverSlot].openedAt
        let statistics = takeTally(serverSlot)
        let (index, now) = (index, now)
        servers[serverSlot].idleSince = now
        // Before the lock: afterwards it may be another worker's.
        servers[serverSlot].phase = .idle
        let answer = pool.state.withLock { state in
            state.statistics += statistics
            return state.machine.checkin(id, openedAt: openedAt, from: index, at: now)
        }
        follow(answer, serverSlot, pool)
    }

    /// A server that stays with its client is counted now and then, not only when it comes back.
    private mutating func countKept(_ serverSlot: Int) {
        let statistics = takeTally(serverSlot)
        servers[serverSlot].pool.state.withLock { $0.statistics += statistics }
    }

    private mutating func takeTally(_ serverSlot: Int) -> PoolStatistics {
        var statistics = servers[serverSlot].tally
        servers[serverSlot].tally = PoolStatistics()
        let tally = servers[serverSlot].session.tally
        servers[serverSlot].session.tally = ServerSession.Tally()
        statistics.queryCount += tally.queryCount
        statistics.transactionCount += tally.transactionCount
        statistics.serverParseCount += tally.parseCount
        statistics.clientParseCount += tally.clientParseCount
        statistics.bindCount += tally.bindCount
        return statistics
    }

    /// Does what the pool decided about a server that was this worker's.
    mutating func follow(_ answer: Checkin, _ serverSlot: Int, _ pool: Pool) {
        switch answer {
        case .idle:
            break
        case .granted(let client):
            servers[serverSlot].phase = .held
            if client.worker == index {
                give(serverSlot, to: client)
            } else {
                service.post(.granted(servers[serverSlot].id, to: client), to: client.worker)
            }
        case .close(let reason):
            servers[serverSlot].phase = .held
            closeServer(serverSlot, "\(reason)", isCounted: false)
            openServers(of: pool)
        }
    }

    /// The client of a linked server is gone: clean the server up, or close it.
    mutating func orphan(_ serverSlot: Int, of slot: Int) {
        guard servers.isTaken(serverSlot) else { return }
        servers[serverSlot].awaitsOwnQuery = false
        servers[serverSlot].session.forgetBatch()
        let wasInsideMessage = clients[slot].session.isInsidePassedMessage
        if clients[slot].session.traces.definesFunctions { noteDefinition(serverSlot, slot) }
        let pins = clients[slot].session.traces.pins
        servers[serverSlot].needsCleaning =
            !clients[slot].session.traces.isClean || servers[serverSlot].session.isQuestioned
            || !servers[serverSlot].session.hears.isEmpty
            || isInDoubtAboutFunctions(serverSlot, slot)
        // No command takes these back.
        if !pins.isDisjoint(with: [.seed, .libraries]) {
            servers[serverSlot].session.isTainted = true
        }
        beginTidying(serverSlot)
        guard !wasInsideMessage, servers[serverSlot].unsent.isEmpty else {
            return closeServer(serverSlot, "client gone in the middle of a message")
        }
        if !servers[serverSlot].session.ledger.isEmpty, !servers[serverSlot].readsFunctions {
            sendCancel(toServer: serverSlot)
        }
        servers[serverSlot].session.finishForOrphan(&toServer)
        flushToServer(serverSlot, RawSpan())
        guard servers.isTaken(serverSlot) else { return }
        tidy(serverSlot)
    }

    /// What a client may have left that nobody asked about: everything goes. The role first: it may
    /// not be allowed to do the rest.
    private mutating func clean(_ serverSlot: Int) {
        servers[serverSlot].needsCleaning = false
        servers[serverSlot].resetsDone = true
        runOwnQuery(serverSlot, "RESET ROLE", sendsNow: false)
        runOwnQuery(serverSlot, "DISCARD ALL", sendsNow: true)
    }

    private mutating func beginTidying(_ serverSlot: Int) {
        servers[serverSlot].phase = .orphaned
        servers[serverSlot].resetsDone = false
        servers[serverSlot].deadline = Limit(settings.cancelWaitTimeout).end(from: now)
        updateTimer(ofServer: serverSlot)
    }

    /// The next step of cleaning up a server whose client is gone.
    mutating func tidy(_ serverSlot: Int) {
        guard servers[serverSlot].phase == .orphaned else { return }
        guard servers[serverSlot].session.ledger.isEmpty,
            servers[serverSlot].session.isReady
        else { return armServerReceive(serverSlot) }
        if servers[serverSlot].session.status != .idle {
            return runOwnQuery(serverSlot, "ROLLBACK", sendsNow: true)
        }
        if servers[serverSlot].needsCleaning {
            return clean(serverSlot)
        }
        let session = servers[serverSlot].pool.state.withLock { $0.profile.session }
        let resets = session.mode == .session || session.resetsAlways
        if resets, !session.resetQuery.isEmpty, !servers[serverSlot].resetsDone {
            servers[serverSlot].resetsDone = true
            return runOwnQuery(serverSlot, session.resetQuery, sendsNow: true)
        }
        guard servers[serverSlot].session.isReleasable else {
            return closeServer(serverSlot, "not clean after its client left")
        }
        servers[serverSlot].session.unlinked()
        servers[serverSlot].deadline = .never
        checkin(serverSlot)
    }
}
