// The clients of one worker that wait for a server of one pool. Used by `ServerPool` only.

internal import Bytes
internal import DequeModule

/// A client in the queue.
struct Waiter: Sendable {
    let client: ClientID
    /// Left the queue; its entry is skipped, and dropped some time later.
    var isDead = false
    let ticket: UInt64
    let since: Instant
}

/// First in, first out; whoever leaves early leaves a dead entry behind.
///
///     │ live │ dead │ live │ dead │ dead │ live │
///       first: never dead                           tickets grow →
///
/// Keeps its memory, so that appending does not allocate once it has been as long as this.
struct WaitQueue: Sendable {
    private var entries: Deque<Waiter> = []
    private var deadCount = 0

    /// Entries below this number are not worth compacting.
    private static let compactionMin = 32

    /// How many clients wait.
    var count: Int { entries.count - deadCount }
    /// The client that came first.
    var first: Waiter? { entries.first }

    /// `waiter.ticket` is larger than all before it.
    mutating func append(_ waiter: Waiter) { entries.append(waiter) }

    /// Takes the first client out. Amortised O(1).
    mutating func removeFirst() -> Waiter {
        let waiter = entries.removeFirst()
        dropDeadFirst()
        return waiter
    }

    /// Takes `client` out if it still holds `ticket`. O(log n) to find it, amortised O(1) to drop.
    mutating func remove(_ client: ClientID, ticket: UInt64) -> Bool {
        guard let index = index(of: ticket) else { return false }
        guard !entries[index].isDead, entries[index].client == client else { return false }
        entries[index].isDead = true
        deadCount += 1
        dropDeadFirst()
        if entries.count >= Self.compactionMin, deadCount > entries.count / 2 {
            entries.removeAll(where: \.isDead)
            deadCount = 0
        }
        return true
    }

    /// Empties the queue into `clients`, first come first. O(n).
    mutating func removeAll(into clients: inout [ClientID]) {
        for waiter in entries where !waiter.isDead { clients.append(waiter.client) }
        entries.removeAll(keepingCapacity: true)
        deadCount = 0
    }

    /// What is wrong with this queue, or nil. O(n).
    var brokenInvariant: String? {
        if let first, first.isDead { return "a dead entry stands first" }
        if entries.count(where: \.isDead) != deadCount { return "dead entries are miscounted" }
        for (left, right) in zip(entries, entries.dropFirst()) where left.ticket >= right.ticket {
            return "ticket \(right.ticket) stands behind \(left.ticket)"
        }
        return nil
    }

    private mutating func dropDeadFirst() {
        while let first = entries.first, first.isDead {
            entries.removeFirst()
            deadCount -= 1
        }
    }

    private func index(of ticket: UInt64) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].ticket < ticket { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].ticket == ticket ? low : nil
    }
}
