// What can happen in the simulated world, and what the pool must answer.

import Bytes
import Pooling

extension PoolWorld {
    mutating func ask(_ client: ClientID) throws(PoolFault) {
        guard clients[client] == .away else { return }
        let since = clock(client.worker)
        let isFree = !isPaused && idleCount > 0
        switch pool.checkout(for: client, at: since) {
        case .granted(let server, _):
            guard isFree else { throw fault("a server was granted where none was free") }
            try link(server, to: client, from: .idle)
        case .queued(let ticket):
            guard !isFree else { throw fault("a client waits beside an idle server") }
            clients[client] = .waiting(ticket: ticket, since: since)
            try askForOpenings(at: since)
        case .refused(.queueFull(let waitingMax)):
            guard waiters.count >= waitingMax else { throw fault("refused without need") }
        case .refused(.failing):
            throw fault("refused though it would have waited")
        }
    }

    mutating func finish(_ held: (server: ServerID, client: ClientID)) throws(PoolFault) {
        guard let openedAt = servers[held.server]?.openedAt else { throw fault("unknown server") }
        let worker = held.client.worker
        clients[held.client] = .away
        let expected = expectedGrant(from: worker)
        let isSuperfluous = servers.count + openings.count > serversLimit
        let answer = pool.checkin(
            held.server, openedAt: openedAt, from: worker, at: clock(worker))
        let reason = reasonToClose(openedAt: openedAt, isSuperfluous: isSuperfluous)
        try took(
            held.server, answer, reason: reason, expected: expected, worker: worker,
            age: clock(worker) - openedAt)
    }

    mutating func openingArrives() throws(PoolFault) {
        guard !openings.isEmpty else { return }
        let begun = openings.removeFirst()
        let worker = UInt8.random(in: 0..<UInt8(lags.count), using: &random)
        let expected = expectedGrant(from: worker)
        let isSuperfluous = servers.count + openings.count + 1 > serversLimit
        serverNext += 1
        let server = server(serverNext)
        servers[server] = OpenServer(openedAt: begun, state: .idle)
        isProbing = false
        let answer = pool.opened(server, openedAt: begun, from: worker, at: clock(worker))
        let reason = reasonToClose(openedAt: begun, isSuperfluous: isSuperfluous)
        try took(
            server, answer, reason: reason, expected: expected, worker: worker, age: nil)
        try askForOpenings(at: clock(worker))
    }

    mutating func openingFails() throws(PoolFault) {
        guard !openings.isEmpty else { return }
        openings.removeFirst()
        let failures: [OpeningFailure] = [.uncounted, .broken, .refused]
        let failure = failures[Int.random(in: 0..<3, using: &random)]
        let retry = pool.settings.serverLoginRetry
        let isForgiven =
            failure == .broken && !isProbing && retryNotBefore.map { now < $0 } != true
            && forgivenAt.map { now - $0 < retry } != true
        if isForgiven { forgivenAt = now }
        let isPaused = pool.openingFailed(at: now, failure)
        guard isPaused == (failure != .uncounted && !isForgiven) else {
            throw fault("\(failure) made \(isPaused ? "a" : "no") pause")
        }
        if isPaused {
            retryNotBefore = now + pool.settings.serverLoginRetry
            isProbing = true
        }
        try askForOpenings(at: now)
    }

    mutating func leave(_ client: ClientID) throws(PoolFault) {
        switch clients[client] {
        case .waiting(let ticket, _):
            guard pool.leaveQueue(client, ticket: ticket) else { throw fault("lost a waiter") }
            clients[client] = .away
        case .away, .linked, nil:
            let ticket = UInt64.random(in: 0...500, using: &random)
            guard !pool.leaveQueue(client, ticket: ticket) else { throw fault("a ghost waited") }
        }
    }

    mutating func linkedDies() throws(PoolFault) {
        guard let held = someLinked() else { return }
        clients[held.client] = .away
        servers[held.server] = nil
        pool.linkedClosed(held.server)
        try askForOpenings(at: clock(held.client.worker))
    }

    mutating func idleDies() throws(PoolFault) {
        if let held = someLinked(), pool.removeIdle(held.server) {
            throw fault("a linked server was idle")
        }
        guard let server = someIdle() else { return }
        guard pool.removeIdle(server) else { throw fault("an idle server was not idle") }
        try forget([server])
    }

    mutating func evict() throws(PoolFault) {
        let before = idleCount
        if let server = pool.evictOldestIdle() {
            try forget([server])
        } else if before > 0 {
            throw fault("no idle server was found to evict")
        }
    }

    mutating func vacate() throws(PoolFault) {
        if Int.random(in: 0..<3, using: &random) == 0 {
            pool.endVacating(until: vacatedUntil)
            vacatedUntil = .zero
            return try askForOpenings(at: now)
        }
        vacatedUntil = now + .nanoseconds(Int64.random(in: 1...3_000_000_000, using: &random))
        let meant = Set(
            servers.keys.sorted { $0.slot < $1.slot }.filter { _ in
                Bool.random(using: &random)
            })
        let leaving = pool.vacate(until: vacatedUntil) { meant.contains($0) }
        guard leaving.allSatisfy(meant.contains) else { throw fault("another one had to leave") }
        try forget(leaving)
        let stays = servers.contains { $0.value.state == .idle && meant.contains($0.key) }
        if stays { throw fault("one that had to leave is idle") }
    }

    mutating func expire() throws(PoolFault) {
        var closing: [ServerID] = []
        let before = servers.count
        let isSuperfluous = before + openings.count > serversLimit
        pool.expire(at: now, into: &closing)
        try forget(closing)
        let stay = min(before, pool.settings.serversMin)
        if !isSuperfluous, pool.clientCount > 0, servers.count < stay {
            throw fault("expire went below serversMin")
        }
    }

    mutating func pause() throws(PoolFault) {
        isPaused = true
        pool.isPaused = true
        // KILL takes the idle ones along; a bare PAUSE may leave them to resume.
        if Bool.random(using: &random) { try forget(pool.takeAllIdle()) }
    }

    mutating func resume() throws(PoolFault) {
        guard isPaused else { return }
        isPaused = false
        pool.isPaused = false
        let pairs = min(idleCount, waiters.count)
        let grants = pool.grantAfterResume(at: now)
        guard grants.count == pairs else { throw fault("resume granted too few or too many") }
        for (server, client) in grants {
            guard client == expectedGrant(from: nil) else { throw fault("resume: wrong client") }
            try link(server, to: client, from: .idle)
        }
        try askForOpenings(at: now)
    }

    mutating func reconnect() throws(PoolFault) {
        reconnectedAt = now
        let before = idleCount
        let closing = pool.reconnect(at: now)
        guard closing.count == before else { throw fault("reconnect left idle servers") }
        try forget(closing)
    }

    mutating func everyWaiterIsTold() throws(PoolFault) {
        let told = pool.takeAllWaiting()
        guard Set(told) == Set(waiters.map(\.client)), told.count == waiters.count else {
            throw fault("not every waiter was told, or one twice")
        }
        for client in told { clients[client] = .away }
    }

    mutating func reload() throws(PoolFault) {
        pool.settings.serversMax = Int.random(in: 1...6, using: &random)
        pool.settings.reserveMax = Int.random(in: 0...3, using: &random)
        try askForOpenings(at: now)
    }

    mutating func connectedClientsChange() throws(PoolFault) {
        pool.clientCount = Bool.random(using: &random) ? 0 : clientList.count
        try askForOpenings(at: now)
    }

    /// Time passes; a timer that the pool asked for rings on the way.
    mutating func passTime(_ nanoseconds: Int64) throws(PoolFault) {
        now = now + .nanoseconds(nanoseconds)
        guard let retryAt = pool.retryAt(), retryAt <= now else { return }
        try askForOpenings(at: now)
        if let again = pool.retryAt(), again <= now { throw fault("a timer rings for ever") }
    }

    /// Begins as many connections as the pool wants, and checks that it may.
    mutating func askForOpenings(at asked: Instant) throws(PoolFault) {
        askedAt = max(askedAt, asked)
        let count = pool.openings(at: asked)
        guard count > 0 else { return }
        lacksBudget = false
        let settings = pool.settings
        if isPaused { throw fault("opened while paused") }
        if let retryNotBefore, askedAt < retryNotBefore { throw fault("opened in the pause") }
        let inMaking = openings.count + count
        if inMaking > (isProbing ? 1 : settings.openingMax) { throw fault("too many at once") }
        let total = servers.count + inMaking
        let isForMin =
            pool.clientCount > 0 && askedAt >= vacatedUntil && total <= settings.serversMin
        if inMaking > waiters.count && !isForMin { throw fault("opened more than clients wait") }
        if total > settings.serversMax {
            let oldest = waiters.map(\.since).min() ?? .never
            if total > serversLimit { throw fault("opened beyond the limit") }
            if oldest + settings.reserveAfter > askedAt { throw fault("reserve too early") }
        }
        for _ in 0..<count {
            // A budget over several pools does not let each of them start.
            if hasFaults, Int.random(in: 0..<10, using: &random) == 0 {
                pool.openingFailed(at: asked, .uncounted)
                lacksBudget = true
            } else {
                openings.append(asked)
            }
        }
    }
}
