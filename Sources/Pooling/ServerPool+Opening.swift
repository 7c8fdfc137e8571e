// When connections are opened: for clients that wait, for `serversMin`, never in a hurry after a
// failure.

public import Bytes

extension ServerPool {
    /// How many connections are to be opened now. Each is counted as opening already, and ends
    /// with `opened` or `openingFailed`. O(number of workers).
    ///
    /// The caller opens exactly so many, or calls `openingFailed(at:.uncounted)` for
    /// those that it could not start.
    public mutating func openings(at now: Instant) -> Int {
        // Clocks of other workers may be ahead; this one does not go back, or the instant that
        // `retryAt()` leaves out as past would be missed.
        askedAt = max(askedAt, now)
        if let retryNotBefore, askedAt < retryNotBefore { return 0 }
        let wanted = openingsWanted
        guard wanted > 0 else { return 0 }
        var limit = settings.serversMax
        if let due = reserveDueAt, due <= askedAt { limit += settings.reserveMax }
        let count = min(wanted, limit - serverCount)
        guard count > 0 else { return 0 }
        openingCount += count
        return count
    }

    /// When `openings(at:)` is worth calling because time has passed: the pause after a failure is
    /// over, or the reserve is due. Always later than the last call; nil = not by time.
    public func retryAt() -> Instant? {
        guard openingsWanted > 0 else { return isVacated(at: askedAt) ? vacatedUntil : nil }
        var at = retryNotBefore ?? askedAt
        if serverCount >= settings.serversMax {
            guard serverCount < serversLimit, let due = reserveDueAt else { return nil }
            at = max(at, due)
        }
        return at > askedAt ? at : nil
    }

    /// A connection attempt ended without a server. Returns whether a pause has begun: nothing is
    /// opened for `serverLoginRetry`, and then one at a time until one succeeds.
    ///
    /// The first that is broken after a success makes no pause, if the last one that was forgiven
    /// so is `serverLoginRetry` ago.
    @discardableResult
    public mutating func openingFailed(at now: Instant, _ failure: OpeningFailure) -> Bool {
        precondition(openingCount > 0, "an opening failed that was not counted")
        openingCount -= 1
        switch failure {
        case .uncounted: return false
        case .broken where mayForgive(at: now):
            forgivenAt = now
            return false
        case .broken, .refused:
            retryNotBefore = now + settings.serverLoginRetry
            isProbing = true
            return true
        }
    }

    /// Whether there is no server, and none will be asked for before the pause after a failure is
    /// over: who comes now need not wait to be told why.
    public func isFailing(at now: Instant) -> Bool {
        guard isProbing, serverCount == 0, !isPaused, let retryNotBefore else { return false }
        return now < retryNotBefore
    }

    private func mayForgive(at now: Instant) -> Bool {
        if isProbing { return false }
        if let retryNotBefore, now < retryNotBefore { return false }
        guard let forgivenAt else { return true }
        return now - forgivenAt >= settings.serverLoginRetry
    }

    /// How many openings are missing, were there room in the pool and no pause after a failure.
    private var openingsWanted: Int {
        if isPaused { return 0 }
        // No more than clients wait: the rest would arrive to an empty queue.
        var wanted = waitingCount - openingCount
        if clientCount > 0, !isVacated(at: askedAt) {
            wanted = max(wanted, min(settings.serversMin, settings.serversMax) - serverCount)
        }
        let free = (isProbing ? 1 : settings.openingMax) - openingCount
        return max(0, min(wanted, free))
    }

    /// From when on the reserve may be used; nil = not for those who wait now.
    private var reserveDueAt: Instant? {
        guard isReserveUsed, let oldestWait else { return nil }
        return oldestWait + settings.reserveAfter
    }
}
