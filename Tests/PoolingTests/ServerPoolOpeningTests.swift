import Bytes
import Pooling
import Testing

@Suite struct ServerPoolOpeningTests {
    /// `count` clients in the queue since `since`.
    private func waiting(
        _ count: UInt32, since: Instant = .zero, _ change: (inout PoolSettings) -> Void
    ) -> PoolFixture {
        let fixture = PoolFixture(change)
        for slot in 0..<count { _ = fixture.queue(client(slot), at: since) }
        return fixture
    }

    @Test func `no more are opened than clients wait`() {
        let fixture = waiting(2) { $0.serversMax = 9 }
        #expect(fixture.openings(at: .zero) == 2)
        #expect(fixture.openings(at: .zero) == 0)
        _ = fixture.queue(client(5), at: .zero)
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.pool.counts.opening == 3)
    }

    @Test func `a pool without a server is failing from a failure to the end of the pause`() {
        let fixture = waiting(1) { $0.serverLoginRetry = .seconds(15) }
        #expect(!fixture.pool.isFailing(at: .zero))
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.openingFailed(at: at(10)))
        #expect(fixture.pool.isFailing(at: at(11)))
        let answer = fixture.pool.checkout(
            for: client(7), at: at(11), waitsForNothing: false)
        #expect(answer == .refused(.failing))
        #expect(fixture.pool.isFailing(at: at(15_009)))
        #expect(!fixture.pool.isFailing(at: at(15_010)))
        // An attempt is under way.
        #expect(fixture.openings(at: at(15_010)) == 1)
        #expect(!fixture.pool.isFailing(at: at(15_011)))
    }

    @Test func `no more are in the making than openingMax`() {
        let fixture = waiting(6) { $0.openingMax = 2 }
        #expect(fixture.openings(at: .zero) == 2)
        #expect(fixture.opened(server(1), at: at(1)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(1)) == 1)
        #expect(fixture.pool.retryAt() == nil)
    }

    @Test func `no more are opened than serversMax`() {
        let fixture = waiting(6) { $0.serversMax = 4 }
        #expect(fixture.openings(at: .zero) == 4)
        #expect(fixture.opened(server(1), at: at(1)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(1)) == 0)
        fixture.linkedClosed(server(1))
        #expect(fixture.openings(at: at(2)) == 1)
    }

    @Test func `a server that arrives when its client has gone becomes idle`() {
        let fixture = waiting(1) { _ in }
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.leaveQueue(client(0), ticket: 1))
        #expect(fixture.opened(server(1), at: at(1)) == .idle)
    }

    @Test func `the reserve is opened once a client has waited long enough`() {
        let fixture = waiting(5, since: at(100)) {
            $0.serversMax = 1
            $0.reserveMax = 2
            $0.reserveAfter = .milliseconds(50)
        }
        #expect(fixture.openings(at: at(100)) == 1)
        #expect(fixture.opened(server(1), at: at(101)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(101)) == 0)
        #expect(fixture.pool.retryAt() == at(150))
        #expect(fixture.openings(at: at(149)) == 0)
        #expect(fixture.openings(at: at(150)) == 2)
        #expect(fixture.pool.counts.servers == 3)
        #expect(fixture.pool.retryAt() == nil)
    }

    @Test func `a reserve without a wait is not used`() {
        let fixture = waiting(5) {
            $0.serversMax = 1
            $0.reserveMax = 2
            $0.reserveAfter = .zero
        }
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.openings(at: at(1_000_000)) == 0)
        #expect(fixture.pool.retryAt() == nil)
    }

    @Test func `serversMin are opened while clients are connected`() {
        let fixture = PoolFixture { $0.serversMin = 3 }
        #expect(fixture.openings(at: .zero) == 0)
        fixture.pool.clientCount = 1
        #expect(fixture.openings(at: .zero) == 3)
        for slot in UInt32(1)...3 { #expect(fixture.opened(server(slot), at: at(1)) == .idle) }
        #expect(fixture.openings(at: at(1)) == 0)
        #expect(fixture.removeIdle(server(2)))
        #expect(fixture.openings(at: at(2)) == 1)
    }

    @Test func `serversMin above serversMax means serversMax`() {
        let fixture = PoolFixture {
            $0.serversMin = 5
            $0.serversMax = 2
        }
        fixture.pool.clientCount = 1
        #expect(fixture.openings(at: .zero) == 2)
    }

    @Test func `after a failure nothing is opened for a while, then one, then all`() {
        let fixture = waiting(4) { $0.serverLoginRetry = .seconds(15) }
        #expect(fixture.openings(at: .zero) == 4)
        for _ in 0..<4 { fixture.openingFailed(at: at(1000)) }
        #expect(fixture.openings(at: at(1000)) == 0)
        #expect(fixture.pool.retryAt() == at(16_000))
        #expect(fixture.openings(at: at(15_999)) == 0)
        #expect(fixture.openings(at: at(16_000)) == 1)
        #expect(fixture.openings(at: at(16_001)) == 0)
        #expect(fixture.pool.retryAt() == nil)

        fixture.openingFailed(at: at(17_000))
        #expect(fixture.pool.retryAt() == at(32_000))
        #expect(fixture.openings(at: at(32_000)) == 1)
        #expect(fixture.opened(server(1), at: at(32_001)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(32_001)) == 3)
    }

    @Test func `a success that began before the failure does not end the pause`() {
        let fixture = waiting(3) { $0.serverLoginRetry = .seconds(15) }
        #expect(fixture.openings(at: .zero) == 3)
        fixture.openingFailed(at: at(10))
        #expect(fixture.opened(server(1), at: at(11)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(11)) == 0)
        #expect(fixture.pool.retryAt() == at(15_010))
        #expect(fixture.openings(at: at(15_010)) == 1)
    }

    @Test func `one broken login is tried again at once, the second in a row after a pause`() {
        let fixture = waiting(1) { $0.serverLoginRetry = .seconds(15) }
        #expect(fixture.openings(at: .zero) == 1)
        #expect(!fixture.openingFailed(at: at(1), .broken))
        #expect(fixture.openings(at: at(1)) == 1)
        #expect(fixture.openingFailed(at: at(2), .broken))
        #expect(fixture.openings(at: at(2)) == 0)
        #expect(fixture.pool.retryAt() == at(15_002))

        // Long after the first one, but no login has succeeded since.
        #expect(fixture.openings(at: at(15_002)) == 1)
        #expect(fixture.openingFailed(at: at(15_003), .refused))
        #expect(fixture.openings(at: at(30_003)) == 1)
        #expect(fixture.openingFailed(at: at(30_004), .broken))
    }

    @Test func `a broken login is tried again at once only now and then`() {
        let fixture = waiting(4) {
            $0.serverLoginRetry = .seconds(15)
            $0.openingMax = 1
        }
        #expect(fixture.openings(at: .zero) == 1)
        #expect(!fixture.openingFailed(at: at(1000), .broken))
        #expect(fixture.openings(at: at(1000)) == 1)
        #expect(fixture.opened(server(1), at: at(1001)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(1001)) == 1)
        #expect(fixture.openingFailed(at: at(15_999), .broken))
        #expect(fixture.openings(at: at(30_999)) == 1)
        #expect(fixture.opened(server(2), at: at(31_000)) == .granted(to: client(1)))
        #expect(fixture.openings(at: at(31_000)) == 1)
        #expect(!fixture.openingFailed(at: at(31_001), .broken))
    }

    @Test func `a broken login makes no pause shorter`() {
        let fixture = waiting(3) { $0.serverLoginRetry = .seconds(15) }
        #expect(fixture.openings(at: .zero) == 3)
        #expect(fixture.openingFailed(at: at(10), .refused))
        #expect(fixture.opened(server(1), at: at(11)) == .granted(to: client(0)))
        #expect(fixture.openingFailed(at: at(12), .broken))
        #expect(fixture.pool.retryAt() == at(15_012))
    }

    @Test func `an opening that was never started starts no pause and no timer`() {
        let fixture = waiting(2) { _ in }
        #expect(fixture.openings(at: .zero) == 2)
        fixture.openingFailed(at: .zero, .uncounted)
        #expect(fixture.pool.counts.opening == 1)
        // Nothing by time: else a worker without budget would ask for ever.
        #expect(fixture.pool.retryAt() == nil)
        #expect(fixture.openings(at: .zero) == 1)
    }

    @Test func `a reserve that is due and was given back starts no timer`() {
        let fixture = waiting(2) {
            $0.serversMax = 1
            $0.reserveMax = 1
        }
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.openings(at: at(5000)) == 1)
        fixture.openingFailed(at: at(5000), .uncounted)
        #expect(fixture.pool.retryAt() == nil)
    }

    @Test func `a clock that lags does not make the reserve's time be missed`() {
        let fixture = waiting(1) {
            $0.serversMax = 1
            $0.reserveMax = 1
            $0.reserveAfter = .milliseconds(1)
        }
        #expect(fixture.openings(at: .zero) == 1)
        #expect(fixture.opened(server(1), at: at(10)) == .granted(to: client(0)))
        #expect(fixture.openings(at: at(10)) == 0)
        // A worker whose clock is 2 ms behind: the answer is that of the latest clock seen.
        _ = fixture.queue(client(1, worker: 1), at: at(8))
        #expect(fixture.openings(at: at(8)) == 1)
    }

    @Test func `new settings count at once`() {
        let fixture = waiting(6) { $0.serversMax = 2 }
        #expect(fixture.openings(at: .zero) == 2)
        fixture.pool.settings.serversMax = 4
        #expect(fixture.openings(at: .zero) == 2)
    }

    @Test func `a pool that became smaller closes what comes back, even while clients wait`() {
        let fixture = PoolFixture(idle: 1...3) { $0.serversMax = 3 }
        for slot in UInt32(1)...3 { _ = fixture.checkout(client(slot), at: .zero) }
        _ = fixture.queue(client(4), at: .zero)
        fixture.pool.settings.serversMax = 2
        #expect(fixture.checkin(server(1), at: at(1)) == .close(.superfluous))
        #expect(fixture.openings(at: at(1)) == 0)
        #expect(fixture.checkin(server(2), at: at(1)) == .granted(to: client(4)))
    }
}
