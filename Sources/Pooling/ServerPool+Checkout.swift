// Servers go to clients and come back.

public import Bytes
internal import DequeModule

extension ServerPool {
    /// Gives `client` a server or a place in the queue. O(1).
    ///
    /// Idle servers are taken last in, first out, so that a quiet pool shrinks from its cold end;
    /// first in, first out if `isRoundRobin`. `waitsForNothing`: while nobody can have a server,
    /// the client waits all the same.
    public mutating func checkout(
        for client: ClientID, at now: Instant, waitsForNothing: Bool = true
    ) -> Checkout {
        if !isPaused, waitingCount == 0, !idle.isEmpty {
            let found = takeIdle()
            return .granted(found.server, idleSince: found.since)
        }
        if !waitsForNothing, isFailing(at: now) { return .refused(.failing) }
        guard waitingCount < settings.waitingMax else {
            return .refused(.queueFull(waitingMax: settings.waitingMax))
        }
        let ticket = ticketNext
        ticketNext += 1
        queues[Int(client.worker)].append(Waiter(client: client, ticket: ticket, since: now))
        waitingCount += 1
        return .queued(ticket: ticket)
    }

    /// Takes a client out of the queue that was cancelled, timed out or hung up. False: it did not
    /// wait there any more; it may have been granted a server, and the news is in its mailbox.
    public mutating func leaveQueue(_ client: ClientID, ticket: UInt64) -> Bool {
        guard queues[Int(client.worker)].remove(client, ticket: ticket) else { return false }
        waitingCount -= 1
        return true
    }

    /// A linked server came back clean from a client of `worker`, opened at `openedAt`.
    /// O(1), O(number of workers) when clients of several workers wait.
    public mutating func checkin(
        _ server: ServerID, openedAt: Instant, from worker: UInt8, at now: Instant
    ) -> Checkin {
        precondition(linkedCount > 0, "a server came back to a pool that had lent none")
        let reason = reasonToClose(openedAt: openedAt)
        linkedCount -= 1
        if let reason { return .close(reason) }
        if isOverLifetime(server, openedAt: openedAt, at: now) { return .close(.lifetime) }
        return place(server, openedAt: openedAt, from: worker, at: now)
    }

    /// A new connection of `worker` has logged in. Answers as `checkin` does, except that a new
    /// server is never too old.
    public mutating func opened(
        _ server: ServerID, openedAt: Instant, from worker: UInt8, at now: Instant
    ) -> Checkin {
        precondition(openingCount > 0, "a server was opened that was not counted")
        // One success ends the probing, not the pause: that one may have begun before the failure.
        isProbing = false
        let reason = reasonToClose(openedAt: openedAt)
        openingCount -= 1
        if let reason { return .close(reason) }
        return place(server, openedAt: openedAt, from: worker, at: now)
    }

    /// Links idle servers to waiting clients, the longest wait first. To be called when `isPaused`
    /// has become false; allocates.
    public mutating func grantAfterResume(at now: Instant) -> [(ServerID, ClientID)] {
        var grants: [(ServerID, ClientID)] = []
        while !isPaused, !idle.isEmpty, let waiter = takeWaiter(preferring: nil) {
            grants.append((takeIdle().server, waiter.client))
        }
        return grants
    }

    /// Links the server to a waiting client, or makes it idle. It is not counted at this moment.
    private mutating func place(
        _ server: ServerID, openedAt: Instant, from worker: UInt8, at now: Instant
    ) -> Checkin {
        assert(!idle.contains { $0.server == server }, "a server came back twice")
        if let waiter = takeWaiter(preferring: Int(worker)) {
            linkedCount += 1
            return .granted(to: waiter.client)
        }
        if isVacated(at: now) { return .close(.vacated) }
        idle.append(IdleServer(server: server, openedAt: openedAt, since: now))
        return .idle
    }

    /// Why a server that is still counted as linked or opening has no place here, but for its age.
    @inline(__always) private func reasonToClose(openedAt: Instant) -> CloseReason? {
        if isPaused { return .paused }
        if isOutdated(openedAt: openedAt) { return .reconnect }
        return serverCount > serversLimit ? .superfluous : nil
    }

    /// The next idle server, linked from now on.
    private mutating func takeIdle() -> IdleServer {
        linkedCount += 1
        return settings.isRoundRobin ? idle.removeFirst() : idle.removeLast()
    }

    /// Takes the next client out of the queue: the first of `worker`, unless another worker's
    /// first has waited longer by more than `fairnessBound`; then the longest wait.
    private mutating func takeWaiter(preferring worker: Int?) -> Waiter? {
        guard waitingCount > 0 else { return nil }
        waitingCount -= 1
        if let worker, queues[worker].count > waitingCount { return queues[worker].removeFirst() }

        var chosen = -1
        var longest: Waiter?
        for index in queues.indices {
            guard let first = queues[index].first else { continue }
            if let longest, (longest.since, longest.ticket) <= (first.since, first.ticket) {
                continue
            }
            longest = first
            chosen = index
        }
        if let worker, let own = queues[worker].first, let longest,
            own.since.nanoseconds &- longest.since.nanoseconds <= Self.fairnessBoundNanoseconds
        {
            chosen = worker
        }
        return queues[chosen].removeFirst()
    }
}
