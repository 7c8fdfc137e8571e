import Bytes
import Pooling
import Testing

@Suite struct ServerPoolClosingTests {
    private let hour: Int64 = 3_600_000

    @Test func `a server over its lifetime closes when it comes back`() {
        let fixture = PoolFixture(idle: 1...1)
        _ = fixture.checkout(client(1), at: .zero)
        #expect(fixture.checkin(server(1), at: at(hour * 9 / 10 - 1)) == .idle)
        _ = fixture.checkout(client(1), at: at(hour))
        #expect(fixture.checkin(server(1), at: at(hour)) == .close(.lifetime))
        #expect(fixture.pool.counts.servers == 0)
    }

    @Test func `lifetimes are spread over the last tenth, the same at every run`() {
        /// When this server's lifetime ends, in seconds.
        func limit(_ slot: UInt32) -> Int64? {
            (3200...3600).first { second in
                let fixture = PoolFixture(idle: slot...slot)
                _ = fixture.checkout(client(1), at: .zero)
                return fixture.checkin(server(slot), at: at(second * 1000)) == .close(.lifetime)
            }
        }
        let limits = (UInt32(1)...40).map(limit)
        #expect(limits == (UInt32(1)...40).map(limit))
        let found = limits.compactMap { $0 }
        #expect(found.count == 40)
        #expect(found.allSatisfy { (3240...3600).contains($0) })
        #expect(Set(found).count > 20)
    }

    @Test func `lifetime zero means one use`() {
        let fixture = PoolFixture { $0.serverLifetime = .zero }
        _ = fixture.queue(client(1), at: .zero)
        #expect(fixture.openings(at: .zero) == 1)
        let opened = fixture.opened(server(1), openedAt: .zero, at: at(5))
        #expect(opened == .granted(to: client(1)))
        #expect(fixture.checkin(server(1), at: at(6)) == .close(.lifetime))

        let unused = PoolFixture(idle: 1...1) { $0.serverLifetime = .zero }
        #expect(unused.expire(at: at(1000)) == [])
    }

    @Test func `a server that logged in slowly is not too old when it is new`() {
        let fixture = PoolFixture { $0.serverLifetime = .seconds(1) }
        _ = fixture.queue(client(1), at: .zero)
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.opened(server(1), at: at(3000)) == .granted(to: client(1)))
    }

    @Test func `servers that were idle too long leave, the coldest first`() {
        let fixture = PoolFixture(idle: 1...3)
        _ = fixture.checkout(client(1), at: at(1))
        #expect(fixture.checkin(server(3), at: at(300_000)) == .idle)
        #expect(fixture.expire(at: at(599_999)) == [])
        #expect(fixture.expire(at: at(600_000)) == [server(1), server(2)])
        #expect(fixture.expire(at: at(900_000)) == [server(3)])
    }

    @Test func `an idle timeout of zero is none`() {
        let fixture = PoolFixture(idle: 1...1) {
            $0.serverIdleTimeout = .zero
            $0.serverLifetime = .seconds(1_000_000)
        }
        #expect(fixture.expire(at: at(800_000_000)) == [])
    }

    @Test func `serversMin stay while clients are connected`() {
        let fixture = PoolFixture(idle: 1...4) { $0.serversMin = 2 }
        fixture.pool.clientCount = 1
        _ = fixture.checkout(client(1), at: at(1))
        #expect(fixture.expire(at: at(700_000)) == [server(1), server(2)])
        #expect(fixture.expire(at: at(hour * 2)) == [])
        fixture.pool.clientCount = 0
        #expect(fixture.expire(at: at(hour * 2)) == [server(3)])
    }

    @Test func `idle servers too old leave one by one, a gap apart`() {
        let fixture = PoolFixture(idle: 1...3) {
            $0.serversMax = 4
            $0.serverIdleTimeout = .zero
        }
        #expect(fixture.expire(at: at(hour * 8 / 10)) == [])
        #expect(fixture.expire(at: at(hour)) == [server(1)])
        #expect(fixture.expire(at: at(hour)) == [])
        #expect(fixture.expire(at: at(hour + hour / 4 - 1)) == [])
        #expect(fixture.expire(at: at(hour + hour / 4)) == [server(2)])
        #expect(fixture.expire(at: at(hour * 9)) == [server(3)])
    }

    @Test func `idle servers beyond the new size leave`() {
        let fixture = PoolFixture(idle: 1...4) { $0.serversMax = 4 }
        fixture.pool.settings.serversMax = 1
        fixture.pool.settings.reserveMax = 1
        #expect(fixture.expire(at: at(1)) == [server(1), server(2)])
        fixture.pool.settings.reserveAfter = .zero
        #expect(fixture.expire(at: at(1)) == [server(3)])
    }

    @Test func `reconnect takes the idle servers and refuses the older ones later`() {
        let fixture = PoolFixture(idle: 1...3) { $0.serversMax = 5 }
        _ = fixture.checkout(client(1), at: .zero)
        _ = fixture.checkout(client(2), at: .zero)
        fixture.pool.clientCount = 1
        fixture.pool.settings.serversMin = 5
        #expect(fixture.openings(at: at(5)) == 2)
        #expect(fixture.reconnect(at: at(10)) == [server(1)])
        #expect(fixture.pool.epoch == 1)
        #expect(fixture.checkin(server(3), at: at(11)) == .close(.reconnect))
        // Its connection was begun before, its login ended after.
        #expect(fixture.opened(server(4), openedAt: at(5), at: at(11)) == .close(.reconnect))
        #expect(fixture.opened(server(5), openedAt: at(10), at: at(11)) == .idle)
        #expect(fixture.pool.counts.servers == 2)
    }

    @Test func `a vacated pool keeps no server that nobody needs`() {
        let fixture = PoolFixture(idle: 1...4) { $0.serversMin = 3 }
        fixture.pool.clientCount = 1
        _ = fixture.checkout(client(1), at: .zero)
        let leaving = fixture.vacate(until: at(100), server(1), server(3), server(4))
        #expect(leaving == [server(1), server(3)])
        #expect(fixture.pool.idleServers == [server(2)])
        #expect(fixture.openings(at: at(1)) == 0)
        #expect(fixture.pool.retryAt() == at(100))
        #expect(fixture.checkin(server(4), at: at(99)) == .close(.vacated))
        #expect(fixture.openings(at: at(99)) == 0)
        #expect(fixture.openings(at: at(100)) == 2)
        #expect(fixture.pool.retryAt() == nil)
        #expect(fixture.opened(server(5), at: at(100)) == .idle)
    }

    @Test func `a vacated pool still has servers for clients that wait`() {
        let fixture = PoolFixture(idle: 1...1)
        #expect(fixture.vacate(until: at(100), server(1)) == [server(1)])
        for slot in UInt32(1)...2 { _ = fixture.queue(client(slot), at: at(1)) }
        #expect(fixture.openings(at: at(1)) == 2)
        #expect(fixture.opened(server(2), at: at(2)) == .granted(to: client(1)))
        #expect(fixture.checkin(server(2), at: at(3)) == .granted(to: client(2)))
        #expect(fixture.opened(server(3), at: at(4)) == .close(.vacated))
        #expect(fixture.checkin(server(2), at: at(5)) == .close(.vacated))
    }

    @Test func `what vacates a pool last decides until when`() {
        let fixture = PoolFixture(idle: 1...1)
        fixture.pool.clientCount = 1
        fixture.pool.settings.serversMin = 1
        _ = fixture.vacate(until: at(100), server(1))
        _ = fixture.vacate(until: at(200), server(1))
        fixture.pool.endVacating(until: at(100))
        #expect(fixture.openings(at: at(1)) == 0)
        fixture.pool.endVacating(until: at(200))
        #expect(fixture.openings(at: at(1)) == 1)
    }

    @Test func `a server that was just granted is not idle`() {
        let fixture = PoolFixture(idle: 1...2)
        _ = fixture.checkout(client(1), at: .zero)
        #expect(!fixture.removeIdle(server(2)))
        #expect(fixture.removeIdle(server(1)))
        #expect(!fixture.removeIdle(server(1)))
        #expect(fixture.pool.counts.servers == 1)
    }

    @Test(arguments: [false, true])
    func `the longest idle server makes room for other pools`(_ isRoundRobin: Bool) {
        let fixture = PoolFixture(idle: 1...2) { $0.isRoundRobin = isRoundRobin }
        #expect(fixture.evictOldestIdle() == server(1))
        #expect(fixture.evictOldestIdle() == server(2))
        #expect(fixture.evictOldestIdle() == nil)
        #expect(fixture.pool.counts.servers == 0)
    }
}
