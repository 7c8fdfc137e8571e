internal import Bytes
internal import EventLoop
internal import Pooling
internal import SQL
internal import Session
internal import Wire

// Clients that listen: their channels go to their pool's listener, its notifications to them.

extension Worker where Loop: ~Copyable {
    /// The transaction is over and the server was asked what it listens to, and it is to be
    /// kept until the pool's listener hears all of that: the next step.
    mutating func handChannelsOver(_ serverSlot: Int, _ slot: Int) {
        // One query of ours at a time.
        guard let channels = clients[slot].session.channels, !channels.isReadyHeld,
            servers[serverSlot].session.isReleasable, !servers[serverSlot].session.hears.isEmpty
        else { return }
        switch servers[serverSlot].session.handover {
        case .marking, .leaving:
            break
        case .marked where channels.joining.isEmpty:
            leaveServersChannels(serverSlot)
        case .none, .marked:
            // After a failure it is tried again when the client has changed its channels.
            guard !clients[slot].session.traces.pins.contains(.channels) else { return }
            beginHandover(serverSlot, slot, channels)
        }
    }

    /// Names and payloads come in the encoding of the connection, and the listener has its own.
    private func canHandOver(
        _ channels: ClientChannels, _ slot: Int, _ limits: PoolLimits
    ) -> Bool {
        guard channels.wanted.count <= limits.channelsMax, let pool = clients[slot].pool,
            !channels.wanted.contains(where: { $0.unicodeScalars.contains("\u{fffd}") })
        else { return false }
        let encoding = pool.state.withLock { $0.welcomeParameters.reported["client_encoding"] }
        return encoding == clients[slot].session.parameters.reported["client_encoding"]
    }

    private mutating func beginHandover(
        _ serverSlot: Int, _ slot: Int, _ channels: ClientChannels
    ) {
        let joining = channels.joining
        guard !joining.isEmpty else { return leaveServersChannels(serverSlot) }
        guard let pool = clients[slot].pool else { return }
        let marker = pool.listener.withLock { $0.hears(joining) ? $0.marker : nil }
        guard let marker else {
            channelTables[pool.id, default: ChannelTable()].waiting.insert(UInt32(slot))
            return
        }
        let id = clients[slot].id
        let payload = "\(id.worker).\(id.slot).\(id.generation).\(channels.beginMark())"
        servers[serverSlot].session.beginMark(
            marker, payload: payload, toServer: &toServer.buffer, store: statements)
        flushToServer(serverSlot, RawSpan())
    }

    private mutating func leaveServersChannels(_ serverSlot: Int) {
        servers[serverSlot].session.beginUnlisten(
            toServer: &toServer.buffer, store: statements)
        flushToServer(serverSlot, RawSpan())
    }

    /// A query of ours for the handing over failed: the client keeps its server.
    mutating func handoverFailed(_ serverSlot: Int, of slot: Int, _ fields: ErrorFields) {
        service.log(
            .warning,
            "\(name(ofServer: serverSlot)): kept for its client, because its channels cannot be "
                + "handed over: \(fields.message)")
        if servers[serverSlot].session.handover != .leaving {
            clients[slot].session.channels?.endMark()
            clients[slot].session.traces.pins.insert(.channels)
        }
        servers[serverSlot].session.handoverFailed()
    }

    /// The listener hears more: who waited for it may go on.
    mutating func channelsHeard(_ pool: Pool) {
        guard let waiting = channelTables[pool.id]?.waiting, !waiting.isEmpty else { return }
        channelTables[pool.id]?.waiting = []
        for place in waiting {
            let slot = Int(place)
            guard clients.isTaken(slot), case .linked(let server) = clients[slot].phase,
                servers[Int(server.slot)].session.isReleasable
            else { continue }
            settle(Int(server.slot))
        }
    }

    // MARK: Registering

    /// What the client listens to since its last transaction is the pool's listener's to hear; or
    /// else it keeps its server.
    mutating func registerChannels(_ slot: Int, _ limits: PoolLimits) {
        guard let channels = clients[slot].session.channels,
            channels.registered != channels.wanted
        else { return }
        var registered = channels.wanted
        if !canHandOver(channels, slot, limits) {
            registered.formIntersection(channels.registered)
            if registered != channels.wanted {
                clients[slot].session.traces.pins.insert(.channels)
            }
        }
        registerChannels(slot, channels.registered, registered)
        channels.registered = registered
    }

    private mutating func registerChannels(
        _ slot: Int, _ registered: Set<String>, _ wanted: Set<String>
    ) {
        guard let pool = clients[slot].pool else { return }
        let place = UInt32(slot)
        var table = channelTables.removeValue(forKey: pool.id) ?? ChannelTable()
        let added = wanted.subtracting(registered).filter { table.add(place, to: $0) }
        let removed = registered.subtracting(wanted).filter { table.remove(place, from: $0) }
        channelTables[pool.id] = table.isEmpty ? nil : table
        guard !added.isEmpty || !removed.isEmpty else { return }
        let (index, now) = (index, now)
        let step = pool.listener.withLock {
            $0.change(adding: Array(added), removing: Array(removed), worker: index, at: now)
        }
        follow(step, of: pool)
    }

    /// The client is about to go: what it listened to is not wanted any more for its sake.
    mutating func leaveChannels(_ slot: Int) {
        guard let channels = clients[slot].session.channels, let pool = clients[slot].pool else {
            return
        }
        channelTables[pool.id]?.waiting.remove(UInt32(slot))
        clients[slot].session.channels = nil
        registerChannels(slot, channels.registered, [])
    }

    // MARK: Notifications

    /// The listener of `pool` sent these: each goes to those who listen, now or in its turn.
    mutating func deliver(_ notifications: [Notification], of pool: PoolID) {
        var touched: Set<Int> = []
        for notification in notifications {
            guard let places = channelTables[pool]?.clients(of: notification.channel) else {
                return
            }
            for place in places {
                let slot = Int(place)
                guard clients.isTaken(slot), let channels = clients[slot].session.channels else {
                    continue
                }
                guard let pool = clients[slot].pool else { continue }
                let byteCountMax = limits(of: pool).notificationByteCountMax
                guard channels.enqueue(notification, byteCountMax: byteCountMax) else {
                    closeOverfull(slot, byteCountMax)
                    continue
                }
                touched.insert(slot)
            }
        }
        for slot in touched where clients.isTaken(slot) { notifyClient(slot) }
    }

    private mutating func closeOverfull(_ slot: Int, _ byteCountMax: Int) {
        closeClient(
            slot,
            .fatal(
                .programLimitExceeded, "too many notifications wait for this client",
                detail:
                    "More than \(byteCountMax) bytes (max_waiting_notification_bytes). They are "
                    + "not sent inside of a transaction block, or to who does not read.",
                hint: "End transactions soon, or listen on a connection of its own."))
    }

    /// Sends what waits for a client, if it is between messages and in no transaction block.
    mutating func notifyClient(_ slot: Int) {
        guard let channels = clients[slot].session.channels, channels.hasQueued else { return }
        guard clients[slot].unsent.isEmpty else { return }
        switch clients[slot].phase {
        case .idle, .asking, .waiting:
            break
        case .linked(let server):
            let serverSlot = Int(server.slot)
            guard servers[serverSlot].session.isReleasable,
                servers[serverSlot].session.mayNotify(clients[slot].session)
            else { return }
        case .login, .greeting, .proving, .console, .closing:
            return
        }
        var out = ByteBuffer()
        channels.writeQueued(to: &out)
        send(slot, out.bytes)
    }

    /// If a ReadyForQuery waits for what the listener has heard, asks it.
    mutating func askListener(_ slot: Int) {
        guard let channels = clients[slot].session.channels, channels.takeMustAskListener(),
            let pool = clients[slot].pool
        else { return }
        let id = clients[slot].id
        switch pool.listener.withLock({ $0.connection }) {
        case .open(let worker): service.post(.askListener(pool, id), to: worker)
        case .none, .opening: service.post(.listenerAnswered(id), to: index)
        }
    }

    /// The listener has said what it had heard when the client's transaction was over.
    mutating func listenerAnswered(_ slot: Int) {
        guard let channels = clients[slot].session.channels, channels.isReadyHeld else { return }
        let id = clients[slot].id
        var out = ByteBuffer()
        channels.writeHeldReady(to: &out)
        send(slot, out.bytes)
        guard isClient(slot, id.generation), case .linked(let server) = clients[slot].phase else {
            return
        }
        if !clients[slot].held.isEmpty { clients[slot].isStalled = true }
        linkProgressed(Int(server.slot), id)
        guard isClient(slot, id.generation), !mustPause(slot) else { return }
        armClientReceive(slot)
    }

    // MARK: Loss

    /// The listener is gone: clients that depended on it may have missed something.
    mutating func listenerLost(_ pool: PoolID, _ reason: String) {
        guard let places = channelTables[pool]?.clients else { return }
        for place in places {
            let slot = Int(place)
            guard clients.isTaken(slot), let channels = clients[slot].session.channels,
                channels.dependsOnListener
            else { continue }
            closeClient(
                slot,
                .fatal(
                    .adminShutdown, "terminating connection because the listener was lost",
                    detail: "The server connection that listened for this client has closed: "
                        + "\(reason). Notifications may have been missed.",
                    hint: "Connect again, LISTEN again, and look for what has happened meanwhile."))
        }
    }
}
