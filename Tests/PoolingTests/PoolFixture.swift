// A pool and short names for the events that tests drive it with.

import Bytes
import Pooling

/// Milliseconds since the start.
func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

func client(_ slot: UInt32, worker: UInt8 = 0) -> ClientID {
    ClientID(worker: worker, slot: slot, generation: 1)
}

func server(_ slot: UInt32) -> ServerID { ServerID(slot: slot, generation: 1) }

func settings(_ change: (inout PoolSettings) -> Void) -> PoolSettings {
    var settings = PoolSettings()
    change(&settings)
    return settings
}

/// One pool; checks its invariants after every event of these. A class, because `#expect` cannot
/// call what mutates a value.
final class PoolFixture {
    var pool: ServerPool

    init(workers: Int = 2, _ change: (inout PoolSettings) -> Void = { _ in }) {
        pool = ServerPool(
            id: PoolID(number: 1), settings: settings(change), workerCount: workers)
    }

    /// A pool with these idle servers, all opened at `openedAt` and idle since then.
    convenience init(
        idle servers: ClosedRange<UInt32>, openedAt: Instant = .zero, workers: Int = 2,
        _ change: (inout PoolSettings) -> Void = { _ in }
    ) {
        self.init(workers: workers, change)
        let real = pool.settings
        // An empty pool opens for clients or for serversMin; the latter needs no queue.
        pool.settings.serversMin = servers.count
        pool.settings.openingMax = servers.count
        pool.clientCount = 1
        precondition(pool.openings(at: openedAt) == servers.count)
        for slot in servers {
            let answer = pool.opened(server(slot), openedAt: openedAt, from: 0, at: openedAt)
            precondition(answer == .idle)
        }
        pool.settings = real
        pool.clientCount = 0
    }

    func checkout(_ client: ClientID, at now: Instant) -> Checkout {
        defer { pool.checkInvariants() }
        return pool.checkout(for: client, at: now)
    }

    /// Checks out and gives the ticket; the client must have been queued.
    func queue(_ client: ClientID, at now: Instant) -> UInt64 {
        guard case .queued(let ticket) = checkout(client, at: now) else {
            preconditionFailure("the client was not queued")
        }
        return ticket
    }

    func checkin(
        _ server: ServerID, openedAt: Instant = .zero, from worker: UInt8 = 0, at now: Instant
    ) -> Checkin {
        defer { pool.checkInvariants() }
        return pool.checkin(server, openedAt: openedAt, from: worker, at: now)
    }

    func opened(
        _ server: ServerID, openedAt: Instant = .zero, from worker: UInt8 = 0, at now: Instant
    ) -> Checkin {
        defer { pool.checkInvariants() }
        return pool.opened(server, openedAt: openedAt, from: worker, at: now)
    }

    func openings(at now: Instant) -> Int {
        defer { pool.checkInvariants() }
        return pool.openings(at: now)
    }

    func expire(at now: Instant) -> [ServerID] {
        var closing: [ServerID] = []
        pool.expire(at: now, into: &closing)
        pool.checkInvariants()
        return closing
    }

    func leaveQueue(_ client: ClientID, ticket: UInt64) -> Bool {
        defer { pool.checkInvariants() }
        return pool.leaveQueue(client, ticket: ticket)
    }

    @discardableResult
    func openingFailed(at now: Instant, _ failure: OpeningFailure = .refused) -> Bool {
        defer { pool.checkInvariants() }
        return pool.openingFailed(at: now, failure)
    }

    func grantAfterResume(at now: Instant) -> [(server: ServerID, client: ClientID)] {
        defer { pool.checkInvariants() }
        return pool.grantAfterResume(at: now).map { (server: $0, client: $1) }
    }

    func removeIdle(_ server: ServerID) -> Bool { pool.removeIdle(server) }
    func linkedClosed(_ server: ServerID) { pool.linkedClosed(server) }
    func reconnect(at now: Instant) -> [ServerID] { pool.reconnect(at: now) }
    func takeAllIdle() -> [ServerID] { pool.takeAllIdle() }
    func vacate(until end: Instant, _ meant: ServerID...) -> [ServerID] {
        defer { pool.checkInvariants() }
        return pool.vacate(until: end) { meant.contains($0) }
    }
    func takeAllWaiting() -> [ClientID] { pool.takeAllWaiting() }
    func evictOldestIdle() -> ServerID? { pool.evictOldestIdle() }
}
