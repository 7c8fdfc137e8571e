internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import Wire

// The one server connection of a pool that listens for all its clients. It stays with the worker
// that opened it, counts under the limits over several pools, and not in its pool's size.

extension Worker where Loop: ~Copyable {
    /// Does what the pool's listener needs next.
    mutating func follow(_ step: PoolListener.Step, of pool: Pool) {
        switch step {
        case .nothing: break
        case .open: _ = openServer(of: pool, isListener: true)
        case .tell(let worker): service.post(.channelsChanged(pool), to: worker)
        case .close(let worker): service.post(.closeListener(pool), to: worker)
        }
    }

    /// What is due of it because time has passed.
    mutating func seeToListener(of pool: Pool) {
        let (index, now) = (index, now)
        let (step, owner, openedAt) = pool.listener.withLock { listener in
            (listener.due(worker: index, at: now), listener.connection, listener.openedAt)
        }
        follow(step, of: pool)
        // After RECONNECT, and when the database is elsewhere, it is as lost as any server.
        guard case .open(let worker) = owner,
            pool.state.withLock({ $0.machine.isOutdated(openedAt: openedAt) })
        else { return }
        service.post(.closeListener(pool), to: worker)
    }

    /// It is logged in: it listens to a channel of our own first, which nobody else names.
    mutating func startListening(_ slot: Int) {
        let marker = "pgweir_" + nonce().filter { $0 != "+" && $0 != "/" }
        servers[slot].phase = .listening
        servers[slot].marker = marker
        servers[slot].session.isListener = true
        listenerSlots[servers[slot].pool.id] = slot
        askOfListener(slot, "LISTEN \(Channel.quoted(marker))")
    }

    /// Clients may wait for the answer; without one it is as good as lost.
    private mutating func askOfListener(_ slot: Int, _ query: String) {
        servers[slot].deadline = Limit(settings.serverConnectTimeout).end(from: now)
        updateTimer(ofServer: slot)
        runOwnQuery(slot, query, sendsNow: true)
    }

    /// It has answered, or sent notifications.
    mutating func listenerProgressed(_ slot: Int) {
        defer { if servers.isTaken(slot) { armServerReceive(slot) } }
        guard servers[slot].session.isReleasable else { return }
        servers[slot].deadline = .never
        let pool = servers[slot].pool
        var answered: [ClientID] = []
        swap(&answered, &servers[slot].askedNow)
        for client in answered { service.post(.listenerAnswered(client), to: client.worker) }
        let (index, openedAt, marker) = (index, servers[slot].openedAt, servers[slot].marker)
        let workers = pool.listener.withLock { listener in
            if case .opening = listener.connection {
                listener.opened(worker: index, marker: marker, at: openedAt)
            }
            return listener.orderDone()
        }
        post(.channelsHeard(pool), toWorkers: workers)
        giveNextOrder(pool, on: slot)
    }

    /// Somebody of another worker, or of this one, wants something else.
    mutating func giveNextOrder(_ pool: Pool) {
        guard let slot = listenerSlot(of: pool), servers[slot].session.isReleasable else { return }
        giveNextOrder(pool, on: slot)
    }

    /// A client's transaction is over: when the next query is answered, the listener has said all
    /// that it had heard by now.
    mutating func listenerAsked(_ pool: Pool, by client: ClientID) {
        guard let slot = listenerSlot(of: pool) else {
            return service.post(.listenerAnswered(client), to: client.worker)
        }
        servers[slot].askedNext.append(client)
        guard servers[slot].session.isReleasable else { return }
        giveNextOrder(pool, on: slot)
    }

    private mutating func giveNextOrder(_ pool: Pool, on slot: Int) {
        let order = pool.listener.withLock { $0.nextOrder() }
        guard order != nil || !servers[slot].askedNext.isEmpty else { return }
        swap(&servers[slot].askedNow, &servers[slot].askedNext)
        let statements =
            (order?.listen ?? []).map { "LISTEN \(Channel.quoted($0))" }
            + (order?.unlisten ?? []).map { "UNLISTEN \(Channel.quoted($0))" }
        // An empty query will do. PostgreSQL sends what it has heard before it is ready again.
        let query = statements.isEmpty ? "-- pgweir listens" : statements.joined(separator: "; ")
        askOfListener(slot, query)
    }

    /// This worker's listener of `pool`, once it is open.
    private func listenerSlot(of pool: Pool) -> Int? {
        guard let slot = listenerSlots[pool.id], servers.isTaken(slot),
            servers[slot].phase == .listening, servers[slot].pool === pool
        else { return nil }
        return slot
    }

    /// Nobody wants it, or it is outdated.
    mutating func closeUnusedListener(_ pool: Pool) {
        guard let slot = listenerSlot(of: pool) else { return }
        let (index, now) = (index, now)
        let step = pool.listener.withLock { $0.due(worker: index, at: now) }
        let openedAt = servers[slot].openedAt
        let isOutdated = pool.state.withLock { $0.machine.isOutdated(openedAt: openedAt) }
        if case .close = step {
            closeServer(slot, "nobody listens any more")
        } else if isOutdated {
            closeServer(slot, "server connections are made anew")
        }
    }

    /// Passes on what it has received: to each worker what some client there listens to, and
    /// markers to the client who waits for them, in the order in which they came.
    mutating func forwardCaught(_ slot: Int) {
        var caught: [Notification] = []
        swap(&caught, &servers[slot].session.caught)
        let (pool, marker) = (servers[slot].pool, servers[slot].marker)
        let masks = pool.listener.withLock { listener in
            caught.map { listener.workers(of: $0.channel) }
        }
        var batches: [UInt8: [Notification]] = [:]
        for (notification, mask) in zip(caught, masks) {
            if notification.channel == marker {
                guard let (client, number) = Self.markedClient(notification.payload) else {
                    continue
                }
                if let batch = batches.removeValue(forKey: client.worker) {
                    service.post(.notifications(pool.id, batch), to: client.worker)
                }
                service.post(.listenerSawMark(client, number: number), to: client.worker)
                continue
            }
            forEachWorker(mask) { batches[$0, default: []].append(notification) }
        }
        for (worker, batch) in batches { service.post(.notifications(pool.id, batch), to: worker) }
    }

    private static func markedClient(_ payload: String) -> (ClientID, UInt32)? {
        let numbers = payload.split(separator: ".").compactMap { UInt32($0) }
        guard numbers.count == 4, let worker = UInt8(exactly: numbers[0]) else { return nil }
        return (ClientID(worker: worker, slot: numbers[1], generation: numbers[2]), numbers[3])
    }

    private func post(_ mail: Mail, toWorkers mask: UInt128) {
        forEachWorker(mask) { service.post(mail, to: $0) }
    }

    private func forEachWorker(_ mask: UInt128, _ body: (UInt8) -> Void) {
        for worker in 0..<UInt8(service.workerCount) where mask >> UInt128(worker) & 1 == 1 {
            body(worker)
        }
    }

    /// It is gone, or was not opened: who depends on it is told, on all workers.
    mutating func listenerClosed(_ pool: Pool, _ reason: String) {
        listenerSlots[pool.id] = nil
        let now = now
        let retryAt = now + pool.state.withLock { $0.profile.pool.serverLoginRetry }
        let workers = pool.listener.withLock { listener in
            if case .open = listener.connection {
                // Who is told now is gone when the next one is opened.
                return listener.closed(retryAt: now + .milliseconds(100))
            }
            return listener.closed(retryAt: retryAt)
        }
        post(.listenerLost(pool.id, reason: reason), toWorkers: workers)
    }
}
