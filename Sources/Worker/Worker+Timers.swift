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
                addTimer(.janitor, at: now + .milliseconds(100))
            }
        }
    }

    // MARK: Clients

    /// When something is due for the client, and what it is told then; nil message = a notice.
    private func due(ofClient slot: Int) -> (at: Instant, reply: ErrorReply?) {
        var soonest = (at: Instant.never, reply: ErrorReply?.none)
        func consider(_ at: Instant, _ reply: @autoclosure () -> ErrorReply?) {
            if at < soonest.at { soonest = (at, reply()) }
        }
        let settings = service.settings
        guard let pool = clients[slot].pool else {
            if case .login = clients[slot].phase, settings.clientLoginTimeout > .zero {
                consider(
                    clients[slot].connectedAt + settings.clientLoginTimeout,
                    .fatal(.protocolViolation, "client_login_timeout"))
            }
            return soonest
        }
        let session = pool.state.withLock { $0.profile.session }
        switch clients[slot].phase {
        case .login, .greeting:
            if settings.clientLoginTimeout > .zero {
                consider(
                    clients[slot].connectedAt + settings.clientLoginTimeout,
                    .fatal(.cannotConnectNow, "client_login_timeout (server down)"))
            }
        case .idle:
            if session.clientIdleTimeout > .zero {
                consider(
                    clients[slot].requestedAt + session.clientIdleTimeout,
                    .fatal(.idleSessionTimeout, "client_idle_timeout"))
            }
        case .waiting(_, let since):
            if session.queryWaitTimeout > .zero {
                consider(
                    since + session.queryWaitTimeout,
                    waitRefusal("query_wait_timeout", pool, since))
            }
            if session.queryTimeout > .zero {
                consider(since + session.queryTimeout, waitRefusal("query_timeout", pool, since))
            }
            if session.queryWaitNotify > .zero, !clients[slot].wasNotifiedOfWait {
                consider(since + session.queryWaitNotify, nil)
            }
        case .linked(let server):
            let serverSlot = Int(server.slot)
            let asked = servers[serverSlot].requestedAt
            if session.queryTimeout > .zero, !servers[serverSlot].session.ledger.isEmpty {
                consider(
                    asked + session.queryTimeout, .fatal(.queryCanceled, "query timeout"))
            }
            if session.idleTransactionTimeout > .zero, servers[serverSlot].session.ledger.isEmpty,
                servers[serverSlot].session.status != .idle
            {
                consider(
                    asked + session.idleTransactionTimeout,
                    .fatal(.idleInTransactionTimeout, "idle transaction timeout"))
            }
            if session.transactionTimeout > .zero, session.mode != .session {
                consider(
                    clients[slot].transactionAt + session.transactionTimeout,
                    .fatal(.transactionTimeout, "transaction timeout"))
            }
        case .console, .closing:
            break
        }
        return soonest
    }

    /// Why nobody gave the client a server: how many there are, and what they do.
    private func waitRefusal(_ text: String, _ pool: Pool, _ since: Instant) -> ErrorReply {
        let (counts, max) = pool.state.withLock {
            ($0.machine.counts, $0.machine.settings.serversMax)
        }
        let holders = longestHolders(of: pool)
        return .fatal(
            .tooManyConnections, text,
            detail: "Pool \(pool.database)/\(pool.user): pool_size \(max), \(counts.linked) servers "
                + "in use, \(counts.opening) being opened, \(counts.idle) idle, "
                + "\(counts.waiting) clients waiting.\(holders)",
            hint: "Look at SHOW CLIENTS for who holds the servers; raise pool_size or shorten "
                + "transactions.")
    }

    /// The clients of this worker that have held a server of `pool` for the longest.
    private func longestHolders(of pool: Pool) -> String {
        var found: [(since: Instant, text: String)] = []
        for slot in 0..<clients.capacity where clients.isTaken(slot) {
            guard found.count < 1000, clients[slot].pool === pool,
                case .linked = clients[slot].phase
            else { continue }
            let age = now - clients[slot].transactionAt
            let address = Sockets.peerAddress(clients[slot].socket).map { "\($0)" } ?? "unix"
            found.append(
                (
                    clients[slot].transactionAt,
                    "client \(processID(ofClient: slot)) \(clients[slot].user) from \(address) for "
                        + "\(age.microseconds / 1000) ms"
                ))
        }
        guard !found.isEmpty else { return "" }
        let oldest = found.sorted { $0.since < $1.since }.prefix(3).map(\.text)
        return " Held by: " + oldest.joined(separator: "; ") + "."
    }

    /// Sees to it that a timer fires no later than what is due for the client.
    mutating func updateTimer(ofClient slot: Int) {
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
        let (at, reply) = due(ofClient: slot)
        guard at <= now else { return updateTimer(ofClient: slot) }
        guard let reply else {
            clients[slot].wasNotifiedOfWait = true
            var notice = ByteBuffer()
            ErrorReply(
                .notice, .successfulCompletion,
                "No server connection available in postgres backend, client being queued"
            ).write(to: &notice)
            send(slot, notice.bytes)
            if isClient(slot, id.generation) { updateTimer(ofClient: slot) }
            return
        }
        closeClient(slot, reply)
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
            pool.state.withLock { $0.machine.expire(at: now, into: &closing) }
            for server in closing { takeOverAndClose(server) }
            openServers(of: pool)
        }
    }
}
