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
        _ slot: Int, _ serverSlot: Int, _ shards: Box<ClientShards>
    ) -> Bool {
        let isFresh = shards.value.isFresh
        if isFresh {
            shards.value.isFresh = false
            servers[serverSlot].session.lastEnd = nil
            shards.value.hasFlushed = false
            shards.value.route.linked(errorCount: servers[serverSlot].session.errorCount)
        } else if servers[serverSlot].session.isReleasable {
            endRoutedTransaction(slot, serverSlot)
        }
        if shards.value.route.isOfEarlierBatch, servers[serverSlot].session.status == .idle,
            !servers[serverSlot].session.ledger.hasEnd
        {
            endRoutedTransaction(slot, serverSlot)
        }
        if !isFresh, servers[serverSlot].session.ledger.isEmpty {
            shards.value.hasFlushed = false
            noteAnswers(serverSlot, shards)
        }
        if shards.value.route.isBegunNowhere { beginHere(slot, serverSlot, shards) }
        return true
    }

    /// The transaction that no server has begun goes on: its new server does what was done so far.
    private mutating func beginHere(
        _ slot: Int, _ serverSlot: Int, _ shards: Box<ClientShards>
    ) {
        guard let replay = shards.value.route.takeReplay() else { return }
        runOwnQuery(serverSlot, replay.text, sendsNow: false)
        if replay.fails {
            servers[serverSlot].session.failTransaction(&toServer.buffer)
        }
        clients[slot].session.statusUnlinked = .idle
    }

    /// The server of a routed client is in no transaction any more.
    mutating func endRoutedTransaction(_ slot: Int, _ serverSlot: Int) {
        guard let shards = clients[slot].shards else { return }
        noteAnswers(serverSlot, shards)
        shards.value.route.endTransaction(
            isUndone: servers[serverSlot].session.lastEnd == .rolledBack)
        servers[serverSlot].session.lastEnd = nil
    }

    private mutating func noteAnswers(_ serverSlot: Int, _ shards: Box<ClientShards>) {
        let lastEnd = servers[serverSlot].session.lastEnd
        shards.value.route.answered(
            errorCount: servers[serverSlot].session.errorCount,
            isUndone: lastEnd.map { $0 == .rolledBack })
    }

    /// The next message depends on what the server says to those before it.
    mutating func awaitAnswers(
        _ serverSlot: Int, _ shards: Box<ClientShards>, _ bytes: borrowing RawSpan
    ) -> ClientStep {
        if !servers[serverSlot].session.ledger.hasEnd, !shards.value.hasFlushed {
            shards.value.hasFlushed = true
            toServer.spill(bytes)
            ClientMessages.flush(to: &toServer.buffer)
        }
        return .stalled
    }

    /// A request of a client without a server was cancelled: so is the transaction that it was in.
    mutating func failTransaction(ofUnlinked slot: Int) {
        guard let shards = clients[slot].shards, shards.value.route.isBegunNowhere else { return }
        shards.value.route.failNowhere()
        clients[slot].session.statusUnlinked = .failed
    }
}
