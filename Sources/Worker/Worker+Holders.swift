internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import Wire

// Why nobody gave a client a server: each worker names those of its clients that hold the pool's.

/// A client that has held a server for long.
struct Holder: Sendable {
    let since: Instant
    let text: String
}

/// Where workers name the holders of one pool's servers; the last one refuses the client.
public final class HolderDesk: Sendable {
    private struct List: Sendable {
        var holders: [Holder] = []
        var missing: Int
    }

    let pool: Pool
    let client: ClientID
    let ticket: UInt64
    let message: String
    private let list: Guarded<List>

    init(pool: Pool, client: ClientID, ticket: UInt64, message: String, workerCount: Int) {
        self.pool = pool
        self.client = client
        self.ticket = ticket
        self.message = message
        list = Guarded(List(missing: workerCount))
    }

    /// Returns all, the longest first, to whoever adds the last; nil to the others.
    func add(_ holders: [Holder]) -> [Holder]? {
        let all = list.withLock { list -> [Holder]? in
            list.holders += holders
            list.missing -= 1
            return list.missing == 0 ? list.holders : nil
        }
        return all?.sorted { $0.since < $1.since }
    }
}

extension Worker where Loop: ~Copyable {
    /// The client has waited for too long. It is refused as soon as all workers have said who
    /// holds the servers; should it get one meanwhile, all the better.
    mutating func refuseWaiting(_ slot: Int, _ message: String) {
        guard let pool = clients[slot].pool, case .waiting(let ticket, _) = clients[slot].phase
        else { return }
        let known = pool.state.withLock { $0.holders }
        if let known, now - known.at < .seconds(1) {
            return closeClient(slot, waitRefusal(message, pool, known.text))
        }
        let desk = HolderDesk(
            pool: pool, client: clients[slot].id, ticket: ticket, message: message,
            workerCount: service.workerCount)
        service.postToAll { _ in .holders(desk) }
    }

    /// A client of some worker is about to be refused.
    mutating func nameHolders(_ desk: HolderDesk) {
        guard let all = desk.add(longestHolders(of: desk.pool)) else { return }
        let text =
            all.isEmpty
            ? "" : " Held by: " + all.prefix(3).map(\.text).joined(separator: "; ") + "."
        let now = now
        desk.pool.state.withLock { $0.holders = (text, now) }
        let reply = waitRefusal(desk.message, desk.pool, text)
        service.post(.refused(desk.client, ticket: desk.ticket, reply), to: desk.client.worker)
    }

    private func waitRefusal(_ message: String, _ pool: Pool, _ holders: String) -> ErrorReply {
        let (counts, max) = pool.state.withLock {
            ($0.machine.counts, $0.machine.settings.serversMax)
        }
        return .fatal(
            .tooManyConnections, message,
            detail:
                "Pool \(pool.shownName)/\(pool.user): pool_size \(max), \(counts.linked) servers "
                + "in use, \(counts.opening) being opened, \(counts.idle) idle, "
                + "\(counts.waiting) clients waiting.\(holders)",
            hint: "Look at SHOW CLIENTS for who holds the servers; raise pool_size or shorten "
                + "transactions.")
    }

    /// The three clients of this worker that have held a server of `pool` for the longest.
    private func longestHolders(of pool: Pool) -> [Holder] {
        var found: [(since: Instant, slot: Int)] = []
        for slot in 0..<clientSlots.highestCount where clients.isTaken(slot) {
            guard clients[slot].pool === pool, case .linked = clients[slot].phase else { continue }
            found.append((clients[slot].transactionAt, slot))
        }
        return found.sorted { $0.since < $1.since }.prefix(3).map { since, slot in
            let address = Sockets.peerAddress(clients[slot].socket).map { "\($0)" } ?? "unix"
            let milliseconds = (now - since).microseconds / 1000
            return Holder(
                since: since,
                text: "client \(clients[slot].id.processID) \(clients[slot].user) from \(address) "
                    + "for \(milliseconds) ms")
        }
    }
}
