internal import Bytes
internal import EventLoop
internal import HeapModule
internal import Pooling
internal import Session
internal import Wire

/// Something that is due at a time. A connection has one entry at most for its next deadline; when
/// it fires early, because the deadline has moved, it is put back.
struct Timer: Comparable {
    enum Purpose: Equatable {
        case client(ClientID)
        case server(ServerID)
        case cancel(Int, UInt32)
        case accept(Int)
        case janitor
    }

    let deadline: Instant
    let purpose: Purpose

    static func < (left: Timer, right: Timer) -> Bool { left.deadline < right.deadline }
}

extension Worker where Loop: ~Copyable {
    mutating func addTimer(_ purpose: Timer.Purpose, at deadline: Instant) {
        timers.insert(Timer(deadline: deadline, purpose: purpose))
    }

    mutating func runTimers() {
        while let first = timers.min, first.deadline <= now {
            _ = timers.popMin()
            switch first.purpose {
            case .client(let id): clientTimer(id)
            case .server(let id): serverTimer(id)
            case .cancel(let slot, let generation):
                if cancelSlots.isCurrent(slot: slot, generation: generation),
                    cancels.isTaken(slot)
                {
                    endCancel(slot)
                }
            case .accept(let listener):
                if listener < listeners.count { armAccept(listener) }
            case .janitor:
                cleanPools()
                service.functions.check(
                    interval: settings.session.functionCheckInterval, at: now)
                addTimer(.janitor, at: now + .milliseconds(100))
            }
        }
    }

    // MARK: Clients

    /// What is due of a client at a time.
    private enum ClientDue {
        case login, serverForLogin, idle, queueTime, queryTimeWaiting, notice
        case queryTime, idleTransaction, transaction
    }

    /// What is due of the client next, and when.
    private mutating func due(ofClient slot: Int) -> (at: Instant, what: ClientDue) {
        let clients = clients
        guard let limits = limits(of: clients[slot].poolName, clients[slot].pool) else {
            if case .login = clients[slot].phase { return (loginEnd(slot), .login) }
            return (.never, .login)
        }
        switch clients[slot].phase {
        case .login, .greeting, .proving:
            return (loginEnd(slot), .serverForLogin)
        case .idle:
            return (limits.clientIdleTimeout.end(from: clients[slot].requestedAt), .idle)
        case .waiting(_, let since), .asking(let since):
            return due(ofWaitingSince: since, limits, wasNotified: clients[slot].wasNotifiedOfWait)
        case .linked(let server):
            guard limits.watchesLinked else { return (.never, .queryTime) }
            return due(ofClient: slot, on: Int(server.slot), limits)
        case .console, .closing:
            return (.never, .idle)
        }
    }

    private func loginEnd(_ slot: Int) -> Instant {
        Limit(settings.clientLoginTimeout).end(from: clients[slot].connectedAt)
    }

    private func due(
        ofWaitingSince since: Instant, _ limits: PoolLimits, wasNotified: Bool
    ) -> (at: Instant, what: ClientDue) {
        var soonest = (at: limits.queryWaitTimeout.end(from: since), what: ClientDue.queueTime)
        let queryEnd = limits.queryTimeout.end(from: since)
        if queryEnd < soonest.at { soonest = (queryEnd, .queryTimeWaiting) }
        let noticeAt = limits.queryWaitNotify.end(from: since)
        if !wasNotified, noticeAt < soonest.at { soonest = (noticeAt, .notice) }
        return soonest
    }

    private func due(
        ofClient slot: Int, on serverSlot: Int, _ limits: PoolLimits
    ) -> (at: Instant, what: ClientDue) {
        let asked = servers[serverSlot].requestedAt
        let isBusy = !servers[serverSlot].session.ledger.isEmpty
        let isInTransaction = servers[serverSlot].session.status != .idle
        guard isBusy || isInTransaction else {
            // It keeps its server, and does nothing.
            return (limits.clientIdleTimeout.end(from: asked), .idle)
        }
        var soonest = (
            at: limits.transactionTimeout.end(from: clients[slot].transactionAt),
            what: ClientDue.transaction
        )
        let end = (isBusy ? limits.queryTimeout : limits.idleTransactionTimeout).end(from: asked)
        if end < soonest.at { soonest = (end, isBusy ? .queryTime : .idleTransaction) }
        return soonest
    }

    /// Sees to it that a timer fires no later than what is due for the client.
    mutating func updateTimer(ofClient slot: Int) {
        guard !isUnwatched(slot) else { return }
        let at = due(ofClient: slot).at
        guard at < clients[slot].timerAt else { return }
        clients[slot].timerAt = at
        addTimer(.client(clients[slot].id), at: at)
    }

    private mutating func clientTimer(_ id: ClientID) {
        let slot = Int(id.slot)
        guard isClient(slot, id.generation) else { return }
        clients[slot].timerAt = .never
        if clients[slot].phase == .closing { return removeClient(slot) }
        let (at, what) = due(ofClient: slot)
        guard at <= now else { return updateTimer(ofClient: slot) }
        switch what {
        case .login:
            closeClient(slot, .fatal(.protocolViolation, "client_login_timeout"))
        case .serverForLogin:
            closeClient(
                slot, .fatal(.cannotConnectNow, "client_login_timeout (server down)"))
        case .idle:
            closeClient(slot, .fatal(.idleSessionTimeout, "client_idle_timeout"))
        case .queueTime:
            refuseWaiting(slot, "query_wait_timeout")
        case .queryTimeWaiting:
            refuseWaiting(slot, "query_timeout")
        case .notice:
            notifyOfWait(slot)
        case .queryTime:
            closeClient(slot, .fatal(.queryCanceled, "query timeout"))
        case .idleTransaction:
            closeClient(slot, .fatal(.idleInTransactionTimeout, "idle transaction timeout"))
        case .transaction:
            closeClient(slot, .fatal(.transactionTimeout, "transaction timeout"))
        }
    }

    private mutating func notifyOfWait(_ slot: Int) {
        let id = clients[slot].id
        clients[slot].wasNotifiedOfWait = true
        var notice = ByteBuffer()
        ErrorReply(
            .notice, .successfulCompletion,
            "No server connection available in postgres backend, client being queued"
        ).write(to: &notice)
        send(slot, notice.bytes)
        if isClient(slot, id.generation) { updateTimer(ofClient: slot) }
    }

    // MARK: Servers

    mutating func updateTimer(ofServer slot: Int) {
        let at = servers[slot].deadline
        guard at < servers[slot].timerAt else { return }
        servers[slot].timerAt = at
        addTimer(.server(servers[slot].id), at: at)
    }

    private mutating func serverTimer(_ id: ServerID) {
        let slot = Int(id.slot)
        guard isServer(slot, id.generation) else { return }
        servers[slot].timerAt = .never
        guard servers[slot].deadline <= now else { return updateTimer(ofServer: slot) }
        switch servers[slot].phase {
        case .resolving, .connecting, .askingTLS, .handshake, .loggingIn, .preparing:
            openingFailed(slot, "no answer within server_connect_timeout")
        case .orphaned:
            closeServer(slot, "its client left and it was not clean in time (cancel_wait_timeout)")
        case .checking:
            closeServer(slot, "no answer to server_check_query")
        case .listening:
            closeServer(slot, "the listener did not answer in time (server_connect_timeout)")
        case .idle, .linked, .held:
            break
        }
    }

    // MARK: Pools

    /// Closes what is too old or too many, and opens what is missing, in every pool.
    private mutating func cleanPools() {
        let now = now
        for pool in service.pools {
            var closing: [ServerID] = []
            let isUnused = pool.state.withLock { state in
                state.machine.expire(at: now, into: &closing)
                return state.isUnused(for: settings.wildcardIdleTimeout, at: now)
            }
            seeToListener(of: pool)
            if isUnused, settings.databases[pool.database] == nil,
                pool.listener.withLock({ $0.isUnused })
            {
                service.forget(pool, at: now)
            }
            for server in closing { takeOverAndClose(server) }
            openServers(of: pool)
        }
    }
}
