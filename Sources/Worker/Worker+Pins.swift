internal import Bytes
internal import EventLoop
internal import Pooling
internal import SQL
internal import Session
internal import Wire

// Before a server leaves its client: what is left in its session, and what that keeps.

extension Worker where Loop: ~Copyable {
    /// Asks the server what its client has left, if there is a doubt. Returns whether it stays with
    /// its client, until it has answered or because of what it holds.
    mutating func askBeforeRelease(_ serverSlot: Int, _ slot: Int, _ limits: PoolLimits) -> Bool {
        noteSurprise(serverSlot, slot)
        if readFunctions(serverSlot, slot, limits) { return true }
        let isAudit =
            limits.auditsReleases && !servers[serverSlot].isAudited
            && !servers[serverSlot].session.isTainted
        guard
            isAudit || !clients[slot].session.traces.isClean || clients[slot].isPinned
                || clients[slot].session.channels != nil
        else { return false }
        askListener(slot)
        servers[serverSlot].isAudited = true
        let isAsked = servers[serverSlot].session.ask(
            about: &clients[slot].session, isAudit: isAudit, toServer: &toServer.buffer,
            store: statements)
        if isAsked {
            flushToServer(serverSlot, RawSpan())
            armServerReceive(serverSlot)
            return true
        }
        registerChannels(slot, limits)
        let pins = clients[slot].session.traces.pins
        countPin(slot, !pins.isEmpty)
        // Until the client has its ReadyForQuery, who notifies by this server is this client.
        guard
            !pins.isEmpty || !servers[serverSlot].session.hears.isEmpty
                || clients[slot].session.channels?.isReadyHeld ?? false
        else { return false }
        if let refusal = refusal(of: pins, slot, limits) {
            closeClient(slot, refusal)
        } else {
            stay(serverSlot, slot)
        }
        return true
    }

    /// The client keeps its server, and goes on with what it has sent meanwhile.
    private mutating func stay(_ serverSlot: Int, _ slot: Int) {
        let id = clients[slot].id
        notifyClient(slot)
        guard isClient(slot, id.generation) else { return }
        armServerReceive(serverSlot)
        if servers[serverSlot].session.parameters !== clients[slot].session.parameters {
            guard fitParameters(serverSlot, to: slot) else { return }
            // Nothing of the client's follows for sure: it must not wait in the worker's buffer.
            flushToServer(serverSlot, RawSpan())
            guard servers.isTaken(serverSlot) else { return }
        }
        handChannelsOver(serverSlot, slot)
        guard clients[slot].isStalled else { return }
        clients[slot].isStalled = false
        useHeld(slot)
    }

    private mutating func noteSurprise(_ serverSlot: Int, _ slot: Int) {
        guard let surprise = servers[serverSlot].session.surprise else { return }
        servers[serverSlot].session.surprise = nil
        service.log(
            .warning, "\(name(ofClient: slot)) audit: no text showed what it left: \(surprise)")
    }

    /// Counts the client in its pool while it keeps a server.
    mutating func countPin(_ slot: Int, _ isPinned: Bool) {
        guard clients[slot].isPinned != isPinned, let pool = clients[slot].pool else { return }
        clients[slot].isPinned = isPinned
        pool.state.withLock { $0.pinnedCount += isPinned ? 1 : -1 }
    }

    private func refusal(
        of pins: Suspicions, _ slot: Int, _ limits: PoolLimits
    ) -> ErrorReply? {
        guard !pins.isEmpty else { return nil }
        if limits.pinPolicy == .refuse {
            return .fatal(
                .featureNotSupported, "session state that outlives a transaction is refused",
                detail: "The session holds: \(pins). pin_policy is refuse.",
                hint: "Use pool_mode = session for this database or user, or pin_policy = pin.")
        }
        guard limits.pinnedMax > 0,
            let count = clients[slot].pool?.state.withLock({ $0.pinnedCount }),
            count > limits.pinnedMax
        else { return nil }
        return .fatal(
            .tooManyConnections, "too many clients keep a server (max_pinned_servers)",
            detail: "The session holds: \(pins). max_pinned_servers is \(limits.pinnedMax).",
            hint: "SHOW CLIENTS has in pinned_by who keeps a server and why.")
    }
}
