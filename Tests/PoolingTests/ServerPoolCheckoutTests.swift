import Bytes
import Pooling
import Testing

@Suite struct ServerPoolCheckoutTests {
    @Test func `the server that became idle last is granted first`() {
        let fixture = PoolFixture(idle: 1...2)
        #expect(fixture.checkout(client(1), at: at(5)) == .granted(server(2), idleSince: .zero))
        #expect(fixture.checkout(client(2), at: at(5)) == .granted(server(1), idleSince: .zero))
        #expect(fixture.checkin(server(1), at: at(7)) == .idle)
        #expect(fixture.checkin(server(2), at: at(8)) == .idle)
        #expect(fixture.checkout(client(1), at: at(9)) == .granted(server(2), idleSince: at(8)))
    }

    @Test func `round robin grants the server that is idle longest`() {
        let fixture = PoolFixture(idle: 1...2) { $0.isRoundRobin = true }
        #expect(fixture.checkout(client(1), at: at(5)) == .granted(server(1), idleSince: .zero))
        #expect(fixture.checkin(server(1), at: at(6)) == .idle)
        #expect(fixture.checkout(client(1), at: at(7)) == .granted(server(2), idleSince: .zero))
    }

    @Test func `a full queue refuses and names its limit`() {
        let fixture = PoolFixture { $0.waitingMax = 2 }
        let ticket = fixture.queue(client(1), at: .zero)
        _ = fixture.queue(client(2, worker: 1), at: .zero)
        #expect(fixture.checkout(client(3), at: .zero) == .refused(.queueFull(waitingMax: 2)))
        #expect(fixture.leaveQueue(client(1), ticket: ticket))
        #expect(fixture.checkout(client(3), at: .zero) == .queued(ticket: 3))
    }

    @Test func `clients of one worker are served in the order in which they came`() {
        let fixture = PoolFixture(idle: 1...1) { $0.serversMax = 1 }
        _ = fixture.checkout(client(9), at: .zero)
        for slot in UInt32(1)...3 { _ = fixture.queue(client(slot), at: at(Int64(slot))) }
        for slot in UInt32(1)...3 {
            #expect(fixture.checkin(server(1), at: at(10)) == .granted(to: client(slot)))
        }
        #expect(fixture.checkin(server(1), at: at(10)) == .idle)
    }

    @Test(arguments: [0, 1, 2] as [Int64])
    func `the own worker comes first within two milliseconds`(_ later: Int64) {
        let fixture = PoolFixture(idle: 1...1) { $0.serversMax = 1 }
        _ = fixture.checkout(client(9), at: .zero)
        _ = fixture.queue(client(1, worker: 1), at: at(10))
        _ = fixture.queue(client(2, worker: 0), at: at(10 + later))
        #expect(fixture.checkin(server(1), from: 0, at: at(20)) == .granted(to: client(2)))
        let other = client(1, worker: 1)
        #expect(fixture.checkin(server(1), from: 0, at: at(20)) == .granted(to: other))
    }

    @Test func `another worker's client that waited longer than the bound comes first`() {
        let fixture = PoolFixture(idle: 1...1, workers: 4) { $0.serversMax = 1 }
        _ = fixture.checkout(client(9), at: .zero)
        let own = Instant(nanoseconds: at(12).nanoseconds + 1)
        _ = fixture.queue(client(1, worker: 1), at: at(10))
        _ = fixture.queue(client(2, worker: 2), at: at(9))
        _ = fixture.queue(client(3, worker: 0), at: own)
        // Of those beyond the bound the longest wait, not the first worker.
        #expect(
            fixture.checkin(server(1), from: 0, at: at(20)) == .granted(to: client(2, worker: 2)))
        #expect(
            fixture.checkin(server(1), from: 0, at: at(20)) == .granted(to: client(1, worker: 1)))
        #expect(fixture.checkin(server(1), from: 0, at: at(20)) == .granted(to: client(3)))
    }

    @Test func `a worker without waiters serves the longest wait of the others`() {
        let fixture = PoolFixture(idle: 1...1, workers: 3) { $0.serversMax = 1 }
        _ = fixture.checkout(client(9), at: .zero)
        _ = fixture.queue(client(1, worker: 1), at: at(2))
        _ = fixture.queue(client(2, worker: 2), at: at(1))
        #expect(
            fixture.checkin(server(1), from: 0, at: at(3)) == .granted(to: client(2, worker: 2)))
    }

    @Test func `who left the queue is passed over, wherever it stood`() {
        let fixture = PoolFixture(idle: 1...1) { $0.serversMax = 1 }
        _ = fixture.checkout(client(9), at: .zero)
        let tickets = (UInt32(0)..<5).map { fixture.queue(client($0), at: .zero) }
        #expect(fixture.leaveQueue(client(2), ticket: tickets[2]))
        #expect(fixture.leaveQueue(client(0), ticket: tickets[0]))
        #expect(fixture.leaveQueue(client(4), ticket: tickets[4]))
        #expect(fixture.pool.counts.waiting == 2)
        #expect(fixture.checkin(server(1), at: at(1)) == .granted(to: client(1)))
        #expect(fixture.checkin(server(1), at: at(1)) == .granted(to: client(3)))
        #expect(fixture.checkin(server(1), at: at(1)) == .idle)
    }

    @Test func `leaving twice, after a grant, or with another's ticket says false`() {
        let fixture = PoolFixture(idle: 1...1) { $0.serversMax = 1 }
        _ = fixture.checkout(client(9), at: .zero)
        let first = fixture.queue(client(1), at: .zero)
        let second = fixture.queue(client(2), at: .zero)
        #expect(!fixture.leaveQueue(client(1), ticket: second))
        #expect(fixture.checkin(server(1), at: at(1)) == .granted(to: client(1)))
        #expect(!fixture.leaveQueue(client(1), ticket: first))
        #expect(fixture.leaveQueue(client(2), ticket: second))
        #expect(!fixture.leaveQueue(client(2), ticket: second))
        #expect(!fixture.leaveQueue(client(2), ticket: 99))
        #expect(fixture.pool.counts.waiting == 0)
    }

    @Test func `a paused pool queues its clients and wants no server back`() {
        let fixture = PoolFixture(idle: 1...3) { $0.serversMax = 3 }
        _ = fixture.checkout(client(9), at: .zero)
        fixture.pool.isPaused = true
        #expect(fixture.checkout(client(1), at: at(1)) == .queued(ticket: 1))
        #expect(fixture.openings(at: at(1)) == 0)
        #expect(fixture.checkin(server(3), at: at(2)) == .close(.paused))
        #expect(fixture.takeAllIdle() == [server(1), server(2)])
        #expect(fixture.pool.counts.servers == 0)
    }

    @Test func `after a pause idle servers go to the longest waits`() {
        let fixture = PoolFixture(idle: 1...2)
        fixture.pool.isPaused = true
        _ = fixture.queue(client(1, worker: 1), at: at(3))
        _ = fixture.queue(client(2, worker: 0), at: at(1))
        _ = fixture.queue(client(3, worker: 1), at: at(4))
        #expect(fixture.grantAfterResume(at: at(5)).isEmpty)
        fixture.pool.isPaused = false
        let grants = fixture.grantAfterResume(at: at(5))
        #expect(grants.map(\.server) == [server(2), server(1)])
        #expect(grants.map(\.client) == [client(2, worker: 0), client(1, worker: 1)])
        fixture.pool.checkInvariants()
        #expect(fixture.pool.counts.linked == 2)
        #expect(fixture.openings(at: at(5)) == 1)
    }

    @Test func `all waiting clients are handed out once, those who left are not`() {
        let fixture = PoolFixture()
        let ticket = fixture.queue(client(1, worker: 1), at: .zero)
        _ = fixture.queue(client(2, worker: 1), at: .zero)
        _ = fixture.queue(client(3, worker: 0), at: .zero)
        #expect(fixture.leaveQueue(client(1, worker: 1), ticket: ticket))
        #expect(fixture.takeAllWaiting() == [client(3), client(2, worker: 1)])
        #expect(fixture.takeAllWaiting() == [])
        #expect(fixture.pool.counts.waiting == 0)
        #expect(fixture.pool.counts.oldestWait == nil)
    }

    @Test func `counts say what is where and who waits longest`() {
        let fixture = PoolFixture(idle: 1...2) { $0.serversMax = 3 }
        _ = fixture.checkout(client(1), at: .zero)
        _ = fixture.checkout(client(2), at: .zero)
        _ = fixture.queue(client(3, worker: 1), at: at(4))
        _ = fixture.queue(client(4, worker: 0), at: at(5))
        #expect(fixture.openings(at: at(5)) == 1)
        let counts = fixture.pool.counts
        let expected = PoolCounts(
            idle: 0, linked: 2, opening: 1, waiting: 2, oldestWait: at(4))
        #expect(counts == expected)
        #expect(counts.servers == 3)
    }
}
