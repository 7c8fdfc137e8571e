internal import Bytes
internal import EventLoop
internal import Routing
internal import Session
internal import Sharding
internal import Wire

// What a routed client's server has answered, and what follows from it for the next statement.

extension Worker where Loop: ~Copyable {
    /// Longest batch that is held while nobody knows where it belongs.
    static var openBatchByteCountMax: Int { 64 << 10 }

    /// The client goes on with its server: takes in what was answered since. Returns false if it
    /// must have another one.
    mutating func prepareRoute(
        _ slot: Int, _ serverSlot: Int, _ shards: ClientShards
    ) -> Bool {
        if shards.isFresh {
            shards.isFresh = false
            if !shards.route.isBegunNowhere, takesMapInForce(shards) {
                // The map has changed while it waited.
                shards.isMoving = true
                return false
            }
            servers[serverSlot].session.lastEnd = nil
            shards.route.linked(errorCount: servers[serverSlot].session.errorCount)
        } else if servers[serverSlot].session.isReleasable {
            endRoutedTransaction(slot, serverSlot)
            // A client that keeps its server comes by no other place.
            if takesMapInForce(shards) { shards.keep(servers[serverSlot].pool) }
        }
        if shards.route.isOfEarlierBatch, servers[serverSlot].session.status == .idle,
            !servers[serverSlot].session.ledger.hasEnd
        {
            endRoutedTransaction(slot, serverSlot)
        }
        if servers[serverSlot].session.ledger.isEmpty {
            shards.hasFlushed = false
            noteAnswers(serverSlot, shards)
        }
        if let replay = shards.route.takeReplay() {
            runOwnQuery(serverSlot, replay.text, sendsNow: false)
            if replay.fails {
                servers[serverSlot].session.failTransaction(&toServer.buffer)
            }
            clients[slot].session.statusUnlinked = .idle
        }
        return true
    }

    /// Whether the map has changed since the client's last transaction.
    mutating func takesMapInForce(_ shards: ClientShards) -> Bool {
        refreshSharding()
        guard shards.version != settings.sharding.version,
            let router = messageRouter(shards.map)
        else { return false }
        shards.version = settings.sharding.version
        guard router !== shards.route.router else { return false }
        shards.use(router)
        return true
    }

    /// The server of a routed client is in no transaction any more.
    mutating func endRoutedTransaction(_ slot: Int, _ serverSlot: Int) {
        guard let shards = clients[slot].shards else { return }
        noteAnswers(serverSlot, shards)
        shards.route.endTransaction(isUndone: servers[serverSlot].session.lastEnd == .rolledBack)
        servers[serverSlot].session.lastEnd = nil
    }

    private mutating func noteAnswers(_ serverSlot: Int, _ shards: ClientShards) {
        let lastEnd = servers[serverSlot].session.lastEnd
        shards.route.answered(
            errorCount: servers[serverSlot].session.errorCount,
            isUndone: lastEnd.map { $0 == .rolledBack })
    }

    /// The next message depends on what the server says to those before it.
    mutating func awaitAnswers(
        _ serverSlot: Int, _ shards: ClientShards, _ bytes: borrowing RawSpan
    ) -> ClientStep {
        if !servers[serverSlot].session.ledger.hasEnd, !shards.hasFlushed {
            shards.hasFlushed = true
            toServer.spill(bytes)
            ClientMessages.flush(to: &toServer.buffer)
        }
        return .stalled
    }

    /// A request of a client without a server was cancelled: so is the transaction that it was in.
    mutating func failTransaction(ofUnlinked slot: Int) {
        guard let shards = clients[slot].shards, shards.route.isBegunNowhere else { return }
        shards.route.failNowhere()
        clients[slot].session.statusUnlinked = .failed
    }
}
