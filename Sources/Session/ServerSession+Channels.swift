public import Bytes
internal import SQL
internal import Wire

// LISTEN in transaction mode: a server that listens for its client hands the channels over to the
// pool's listener before its release.

extension ServerSession {
    /// How far the handing over of what it listens to has come.
    public enum Handover: Equatable, Sendable {
        case none
        /// Our NOTIFY is under way to both servers. To `marked`, `none`.
        case marking
        /// What comes now on those channels comes from the pool's listener too. To `leaving`, or
        /// to `marking` if the client has begun to listen to more meanwhile.
        case marked
        /// UNLISTEN * is under way. To `none`.
        case leaving
    }

    /// The pool's listener hears all that `client` listens to: makes both see the same place in
    /// the stream of notifications, by a NOTIFY of our own.
    public mutating func beginMark(
        _ marker: String, payload: String, toServer: inout ByteBuffer, store: any StatementStore
    ) {
        handover = .marking
        hears.insert(marker)
        self.marker = marker
        markerPayload = payload
        expectOwnQuery(store)
        let name = Channel.quoted(marker)
        ClientMessages.query("LISTEN \(name); NOTIFY \(name), '\(payload)'", to: &toServer)
    }

    /// Nothing of what it hears is needed any more.
    public mutating func beginUnlisten(toServer: inout ByteBuffer, store: any StatementStore) {
        handover = .leaving
        expectOwnQuery(store)
        ClientMessages.query("UNLISTEN *", to: &toServer)
    }

    /// A query of the handing over failed.
    public mutating func handoverFailed() {
        // It listens to who knows what: nobody's next server.
        if handover == .leaving {
            isTainted = true
            hears = []
        }
        handover = .none
    }

    /// A command of ours has succeeded: the last one, if UNLISTEN * was under way.
    mutating func noteHandedOver() {
        guard handover == .leaving, ledger.head?.disposition == .swallow else { return }
        hears = []
        handover = .none
    }

    /// Whether nothing of a client's is under way, so that a query of ours can go ahead of it.
    var isBetweenCommands: Bool {
        !skipsUntilSync && copy == .none && ledger.isOursOnly && (isReady || !ledger.isEmpty)
    }

    /// Whether notifications that wait for `client` can go between its messages now. Before the
    /// marker they would overtake what the server brings.
    public func mayNotify(_ client: borrowing ClientSession) -> Bool {
        status == .idle && handover != .marking && question == nil
            && !client.traces.suspected.contains(.channels)
    }

    // MARK: Notifications

    /// What the server says it listens to, once the client's transaction is over.
    mutating func settleChannels(
        _ heard: [String], _ question: StateQuestion, client: inout ClientSession
    ) {
        hears = Set(heard)
        if handover != .none, !heard.contains(marker) {
            // The client has left all channels, and ours with them.
            handover = .none
            client.channels?.forgetMarks()
        }
        let clients = heard.filter { $0 != marker }
        if client.channels == nil, !clients.isEmpty { client.channels = ClientChannels() }
        client.channels?.settle(serverHears: clients, committed: question.committedWitnesses)
    }

    /// Whether the server may listen for `client`; what it hears otherwise somebody else has left.
    private func mayHear(for client: borrowing ClientSession) -> Bool {
        guard client.sharesServers else { return ledger.head?.disposition != .swallow }
        return !hears.isEmpty || client.traces.mayListen || question?.traces.mayListen ?? false
    }

    /// The server sent a notification. `bytes` are what ranges in `toClient` refer to.
    mutating func notified(
        _ body: borrowing RawSpan, client: borrowing ClientSession, toClient: inout Outgoing,
        behind bytes: borrowing RawSpan
    ) {
        guard let notification = Notification(body: body)?.told(by: processes) else { return }
        if isListener { return caught.append(notification) }
        if notification.channel == marker {
            // Others hand over at the same time, and it hears their markers as well.
            guard handover == .marking, notification.payload == markerPayload else { return }
            handover = .marked
            client.channels?.serverSawMark()
            return
        }
        guard mayHear(for: client) else { return }
        // The pool's listener brings it.
        if let channels = client.channels, channels.owned.contains(notification.channel) { return }
        toClient.spill(bytes)
        notification.write(to: &toClient.buffer)
    }

    /// PostgreSQL sends what has come during a transaction, and what the client has notified itself
    /// of, right before the ReadyForQuery behind it. Returns whether that passes; if not, the
    /// listener has to be asked first whether it has heard more.
    func readyPasses(
        _ channels: ClientChannels, _ client: borrowing ClientSession, toClient: inout Outgoing,
        behind bytes: borrowing RawSpan
    ) -> Bool {
        guard mayNotify(client) else { return true }
        if !channels.owned.isEmpty, ledger.isEmpty {
            channels.holdReady()
            return false
        }
        guard channels.hasQueued else { return true }
        toClient.spill(bytes)
        channels.writeQueued(to: &toClient.buffer)
        return true
    }
}
