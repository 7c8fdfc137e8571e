import Bytes
import EventLoop
import Pooling
import TLS
import Testing

@testable import Worker

@Suite struct PoolDirectoryTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func service() throws -> Service {
        var settings = ServiceSettings()
        settings.workers = 1
        settings.serverTLS.mode = .disable
        settings.databases = ["app": DatabaseSettings()]
        settings.wildcardDatabase = DatabaseSettings()
        settings.wildcardIdleTimeout = .seconds(10)
        return try Service(settings: settings) { _, _ in }
    }

    private func pool(
        _ service: Service, _ database: String, countsClient: Bool = false
    ) throws -> Pool {
        service.pool(
            for: try #require(service.settings.profile(database: database, user: "alice")),
            countsClient: countsClient)
    }

    /// What the janitor does with one pool.
    private func look(at pool: Pool, of service: Service, after seconds: Int64) {
        let now = start + .seconds(seconds)
        let timeout = service.settings.wildcardIdleTimeout
        if pool.state.withLock({ $0.isUnused(for: timeout, at: now) }) {
            service.forget(pool, at: now)
        }
    }

    @Test func `a pool of the wildcard is forgotten when it was unused for long enough`() throws {
        let service = try service()
        let unused = try pool(service, "other")
        for seconds: Int64 in [0, 9] { look(at: unused, of: service, after: seconds) }
        #expect(service.pools.count == 1)
        look(at: unused, of: service, after: 10)
        #expect(service.pools.isEmpty)
        #expect(try pool(service, "other") !== unused)
    }

    @Test func `a pool of a database in the configuration stays`() throws {
        let service = try service()
        let named = try pool(service, "app")
        for seconds: Int64 in [0, 100] { look(at: named, of: service, after: seconds) }
        #expect(service.pools.count == 1)
    }

    @Test func `the time begins anew when a client was there`() throws {
        let service = try service()
        let used = try pool(service, "other")
        look(at: used, of: service, after: 0)
        #expect(try pool(service, "other", countsClient: true) === used)
        for seconds: Int64 in [5, 20] { look(at: used, of: service, after: seconds) }
        used.state.withLock { $0.machine.clientCount -= 1 }
        for seconds: Int64 in [21, 30] { look(at: used, of: service, after: seconds) }
        #expect(service.pools.count == 1)
        look(at: used, of: service, after: 31)
        #expect(service.pools.isEmpty)
    }

    @Test func `a client that comes between the look and the forgetting keeps the pool`() throws {
        let service = try service()
        let used = try pool(service, "other")
        look(at: used, of: service, after: 0)
        _ = try pool(service, "other", countsClient: true)
        service.forget(used, at: start + .seconds(100))
        #expect(service.pools.count == 1)
    }

    @Test func `a pool with a server, or paused, stays`() throws {
        let service = try service()
        let opening = try pool(service, "other")
        opening.state.withLock { state in
            _ = state.machine.checkout(
                for: ClientID(worker: 0, slot: 0, generation: 1), at: start)
            #expect(state.machine.openings(at: start) == 1)
        }
        for seconds: Int64 in [0, 100] { look(at: opening, of: service, after: seconds) }
        let held = try pool(service, "held")
        var holds = Holds()
        holds.paused = ["held"]
        service.hold(holds)
        for seconds: Int64 in [0, 100] { look(at: held, of: service, after: seconds) }
        #expect(service.pools.map(\.database) == ["held", "other"])
    }

    @Test func `places are used again, numbers are not`() throws {
        let service = try service()
        let (first, second) = (try pool(service, "one"), try pool(service, "two"))
        for seconds: Int64 in [0, 10] { look(at: first, of: service, after: seconds) }
        let third = try pool(service, "three")
        #expect([first.place, second.place, third.place] == [0, 1, 0])
        #expect(Set([first.id, second.id, third.id]).count == 3)
    }

    @Test func `pools that come later are paused too, until all are resumed`() throws {
        let service = try service()
        let early = try pool(service, "app")
        var holds = Holds()
        holds.paused = ["app", "other"]
        service.hold(holds)
        let late = try pool(service, "other")
        let free = try pool(service, "free")
        func paused() -> [Bool] {
            [early, late, free].map { pool in pool.state.withLock { $0.machine.isPaused } }
        }
        #expect(paused() == [true, true, false])
        try service.reload(service.settings)
        #expect(paused() == [true, true, false])
        holds.isAllPaused = true
        holds.paused = []
        service.hold(holds)
        #expect(paused() == [true, true, true])
        service.hold(Holds())
        #expect(paused() == [false, false, false])
    }

    @Test func `a pool made by a worker that has not heard of a reload has the new settings`()
        throws
    {
        let service = try service()
        let old = try #require(service.settings.profile(database: "app", user: "alice"))
        var changed = service.settings
        changed.pool.serversMax = 3
        try service.reload(changed)
        #expect(service.pool(for: old).state.withLock { $0.machine.settings.serversMax } == 3)
    }
}
