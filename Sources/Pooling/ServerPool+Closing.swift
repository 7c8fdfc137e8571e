// Servers leave the pool: they died, are too old or too many, or an administrator said so.
// Whatever is returned here the pool has forgotten; the caller closes it.

public import Bytes
internal import DequeModule

extension ServerPool {
    /// A server that a client held, or that was reset or checked for the pool, is gone.
    public mutating func linkedClosed(_ server: ServerID) {
        precondition(linkedCount > 0, "a server died that was not linked")
        linkedCount -= 1
    }

    /// An idle server died or must go. False: it is not idle any more, somebody has just got it.
    /// O(idle servers).
    public mutating func removeIdle(_ server: ServerID) -> Bool {
        guard let index = idle.firstIndex(where: { $0.server == server }) else { return false }
        idle.remove(at: index)
        return true
    }

    /// Appends to `closing` the idle servers that leave: those too many for the settings, those
    /// over the idle timeout, and at most one over its lifetime. Called now and then; O(idle).
    ///
    /// While clients are connected `serversMin` stay. Two that are too old leave `serverLifetime /
    /// serversMax` apart at least, so that a pool does not lose all its servers at once.
    public mutating func expire(at now: Instant, into closing: inout [ServerID]) {
        while serverCount > serversLimit, let server = evictOldestIdle() {
            closing.append(server)
        }
        while timing.idleTimeout > 0, mayShrink, let oldest = idle.first,
            now.nanoseconds &- oldest.since.nanoseconds >= timing.idleTimeout
        {
            idle.removeFirst()
            closing.append(oldest.server)
        }
        // Lifetime zero means one use, and those here either had none or will close after it.
        guard timing.lifetime > 0, mayShrink else { return }
        let gap = timing.lifetime / Int64(max(1, settings.serversMax))
        if let last = lifetimeClosedAt, now.nanoseconds &- last.nanoseconds < gap { return }
        let tooOld = idle.firstIndex {
            isOverLifetime($0.server, openedAt: $0.openedAt, at: now)
        }
        guard let tooOld else { return }
        closing.append(idle.remove(at: tooOld).server)
        lifetimeClosedAt = now
    }

    /// All idle servers, for PAUSE, KILL and shutdown.
    public mutating func takeAllIdle() -> [ServerID] {
        let servers = idle.map(\.server)
        idle.removeAll(keepingCapacity: true)
        return servers
    }

    /// The server that is idle longest, to make room in a budget shared with other pools.
    /// Only those that `isWanted`. O(number of idle servers).
    public mutating func evictOldestIdle(
        where isWanted: (ServerID) -> Bool = { _ in true }
    ) -> ServerID? {
        guard let index = idle.firstIndex(where: { isWanted($0.server) }) else { return nil }
        return idle.remove(at: index).server
    }

    /// All waiting clients, worker by worker, first come first: nobody will serve them, and the
    /// caller tells each.
    public mutating func takeAllWaiting() -> [ClientID] {
        var clients: [ClientID] = []
        clients.reserveCapacity(waitingCount)
        for index in queues.indices { queues[index].removeAll(into: &clients) }
        waitingCount = 0
        return clients
    }

    /// All idle servers leave now; those opened before `now` that are linked or opening are closed
    /// when they come (back). For RECONNECT and for settings of the connection that changed.
    public mutating func reconnect(at now: Instant) -> [ServerID] {
        epoch += 1
        reconnectedAt = reconnectedAt.map { max($0, now) } ?? now
        return takeAllIdle()
    }

    /// A statement is on its way that wants the database to be without connections: the idle
    /// servers that are `isMeant` leave now. Until `end`, or `endVacating`, nobody's server is
    /// kept: what comes back while no client waits is closed, and `serversMin` does not hold.
    public mutating func vacate(
        until end: Instant, where isMeant: (ServerID) -> Bool
    ) -> [ServerID] {
        vacatedUntil = end
        var leaving: [ServerID] = []
        while let server = evictOldestIdle(where: isMeant) { leaving.append(server) }
        return leaving
    }

    /// The statement for which `vacate(until:)` was called is over.
    public mutating func endVacating(until end: Instant) {
        // Another statement may have come meanwhile.
        if vacatedUntil == end { vacatedUntil = nil }
    }

    func isVacated(at now: Instant) -> Bool { vacatedUntil.map { now < $0 } ?? false }

    /// Whether a server was opened before the last `reconnect(at:)`: it closes when it comes back.
    @inline(__always) public func isOutdated(openedAt: Instant) -> Bool {
        reconnectedAt.map { openedAt < $0 } ?? false
    }

    /// Whether a server that was used is too old to keep. Each server's limit lies 0 to 10 % below
    /// `serverLifetime`; where follows from its name.
    @inline(__always) func isOverLifetime(_ server: ServerID, openedAt: Instant, at now: Instant)
        -> Bool
    {
        guard timing.lifetime > 0 else { return true }
        let age = now.nanoseconds &- openedAt.nanoseconds
        // The limit is at least nine tenths: most servers are younger, and need no hash.
        let share = timing.lifetime / 10
        guard age >= timing.lifetime - share else { return false }
        var hash = SeededRandom(seed: UInt64(server.slot) << 32 | UInt64(server.generation))
        let jitter = share / 1024 * Int64(hash.next() % 1024)
        return age >= timing.lifetime - jitter
    }

    /// Whether an idle server may leave without harm to `serversMin`.
    private var mayShrink: Bool {
        clientCount == 0 || idle.count + linkedCount > settings.serversMin
    }
}
