import Bytes
import Pooling
import Testing

@Suite struct WaitQueueTests {
    /// With 100,000 a scan per departure, or a compaction per departure, would take minutes.
    @Test(.timeLimit(.minutes(1)), arguments: [10_000, 100_000] as [UInt32])
    func `many waiters who leave in random order are quickly gone`(_ count: UInt32) {
        var random = SeededRandom(seed: 7)
        var pool = ServerPool(
            id: PoolID(number: 1), settings: settings { $0.serversMax = 1 }, workerCount: 3)
        var waiters: [(client: ClientID, ticket: UInt64)] = []
        for slot in 0..<count {
            let client = client(slot, worker: UInt8(slot % 3))
            guard case .queued(let ticket) = pool.checkout(for: client, at: .zero) else {
                Issue.record("client \(slot) was not queued")
                return
            }
            waiters.append((client, ticket))
        }
        var left = 0
        for (client, ticket) in waiters.shuffled(using: &random)
        where pool.leaveQueue(client, ticket: ticket) {
            left += 1
        }
        #expect(left == Int(count))
        #expect(pool.counts.waiting == 0)
        pool.checkInvariants()
    }

    @Test func `who stays is served in order, whoever else left`() {
        var random = SeededRandom(seed: 8)
        var pool = ServerPool(
            id: PoolID(number: 1), settings: settings { $0.serversMax = 1 }, workerCount: 1)
        var tickets: [UInt32: UInt64] = [:]
        for slot in UInt32(0)..<500 {
            guard case .queued(let ticket) = pool.checkout(for: client(slot), at: .zero) else {
                Issue.record("client \(slot) was not queued")
                return
            }
            tickets[slot] = ticket
        }
        for slot in (UInt32(0)..<500).shuffled(using: &random).prefix(430) {
            guard let ticket = tickets.removeValue(forKey: slot) else { continue }
            let left = pool.leaveQueue(client(slot), ticket: ticket)
            #expect(left)
            pool.checkInvariants()
        }
        let openingCount = pool.openings(at: .zero)
        #expect(openingCount == 1)
        var answer = pool.opened(server(1), openedAt: .zero, from: 0, at: .zero)
        for slot in tickets.keys.sorted() {
            #expect(answer == .granted(to: client(slot)))
            answer = pool.checkin(server(1), openedAt: .zero, from: 0, at: .zero)
        }
        #expect(answer == .idle)
    }
}
