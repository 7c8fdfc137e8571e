// The simulated world's own books: who should have been granted, and what must always hold.

import Bytes
import Pooling

extension PoolWorld {
    struct WaitingClient {
        let client: ClientID
        let ticket: UInt64
        let since: Instant
    }

    /// Who waits, in the order in which they came.
    var waiters: [WaitingClient] {
        clientList.compactMap { client in
            guard case .waiting(let ticket, let since) = clients[client] else { return nil }
            return WaitingClient(client: client, ticket: ticket, since: since)
        }.sorted { $0.ticket < $1.ticket }
    }

    /// Who gets the next server from this worker: found without any queue.
    func expectedGrant(from worker: UInt8?) -> ClientID? {
        var firsts: [UInt8: WaitingClient] = [:]
        for waiter in waiters where firsts[waiter.client.worker] == nil {
            firsts[waiter.client.worker] = waiter
        }
        let longest = firsts.values.min { ($0.since, $0.ticket) < ($1.since, $1.ticket) }
        guard let longest else { return nil }
        guard let worker, let own = firsts[worker] else { return longest.client }
        return own.since - longest.since <= .milliseconds(2) ? own.client : longest.client
    }

    func reasonToClose(openedAt: Instant, isSuperfluous: Bool) -> CloseReason? {
        if isPaused { return .paused }
        if openedAt < reconnectedAt { return .reconnect }
        return isSuperfluous ? .superfluous : nil
    }

    /// Books the pool's answer about `server`, which has no client at this moment. `age`: nil for
    /// a new server.
    mutating func took(
        _ server: ServerID, _ answer: Checkin, reason: CloseReason?, expected: ClientID?,
        worker: UInt8, age: Duration?
    ) throws(PoolFault) {
        if case .close(let given) = answer {
            servers[server] = nil
            let lifetime = pool.settings.serverLifetime
            if given == .lifetime {
                // Zero means one use, even by a clock that lags behind the one of its birth.
                guard reason == nil, let age, lifetime == .zero || age >= lifetime * 9 / 10 else {
                    throw fault("closed as too old at \(String(describing: age))")
                }
            } else if given == .vacated {
                guard reason == nil, expected == nil, clock(worker) < vacatedUntil else {
                    throw fault("closed as vacated without need")
                }
            } else if given != reason {
                throw fault("closed for \(given), not \(String(describing: reason))")
            }
            try askForOpenings(at: clock(worker))
            return
        }
        if let reason { throw fault("not closed for \(reason)") }
        let lifetime = pool.settings.serverLifetime
        if let age, lifetime == .zero || age >= lifetime { throw fault("kept though too old") }
        if case .granted(let client) = answer {
            guard client == expected else { throw fault("wrong client: \(client)") }
            servers[server]?.state = .idle
            try link(server, to: client, from: .idle)
        } else {
            guard expected == nil else { throw fault("idle though a client waits") }
            guard clock(worker) >= vacatedUntil else { throw fault("kept in a vacated pool") }
            servers[server]?.state = .idle
        }
    }

    /// Makes `client` the one owner of `server`.
    mutating func link(
        _ server: ServerID, to client: ClientID, from state: ServerState
    ) throws(PoolFault) {
        guard servers[server]?.state == state else { throw fault("a server has two owners") }
        if case .waiting(let ticket, let since) = clients[client] {
            for other in waiters where other.ticket != ticket {
                if other.client.worker == client.worker, other.ticket < ticket {
                    throw fault("not first in, first out")
                }
                // Each worker's clock lags by the same all the time, so the bound is exact.
                if since - other.since > .milliseconds(2) {
                    throw fault("\(other.client) was passed over by more than the bound")
                }
            }
        } else if clients[client] != .away {
            throw fault("a client has two servers")
        }
        servers[server]?.state = .linked(client)
        clients[client] = .linked(server)
        grantCount += 1
    }

    /// The pool gave these idle servers away; they are closed.
    mutating func forget(_ closing: [ServerID]) throws(PoolFault) {
        for server in closing {
            guard servers[server]?.state == .idle else { throw fault("closed, but not idle") }
            servers[server] = nil
        }
        try askForOpenings(at: now)
    }

    func check() throws(PoolFault) {
        if let broken = pool.brokenInvariant { throw fault(broken) }
        let linkedCount = clientList.count { client in
            if case .linked = clients[client] { true } else { false }
        }
        let expected = PoolCounts(
            idle: idleCount, linked: linkedCount, opening: openings.count,
            waiting: waiters.count, oldestWait: waiters.map(\.since).min())
        if pool.counts != expected { throw fault("the books differ: \(expected)") }
        if servers.count != expected.idle + expected.linked { throw fault("a server is lost") }
        if servers.count + openings.count > 6 + 3 { throw fault("more servers than ever allowed") }
        if !isPaused, expected.idle > 0, expected.waiting > 0 {
            throw fault("an idle server beside a waiter")
        }
    }
}
