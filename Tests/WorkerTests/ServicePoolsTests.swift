import Authentication
import Bytes
import EventLoop
import Pooling
import Session
import TLS
import Testing

@testable import Worker

@Suite struct ServicePoolsTests {
    private func settings() -> ServiceSettings {
        var settings = ServiceSettings()
        settings.workers = 2
        settings.serverTLS.mode = .disable
        settings.databases = ["app": DatabaseSettings(), "shared": DatabaseSettings()]
        settings.databases["app"]?.hosts = ["db1"]
        settings.databases["shared"]?.forcedUser = "service"
        return settings
    }

    private func service(_ settings: ServiceSettings) throws -> Service {
        try Service(settings: settings) { _, _ in }
    }

    private func pool(_ service: Service, _ database: String, _ user: String) throws -> Pool {
        service.pool(
            for: try #require(service.settings.profile(database: database, user: user)))
    }

    /// A server of `pool` that nobody uses.
    private func addIdleServer(to pool: Pool, slot: UInt32) -> ServerID {
        let server = ServerID(slot: slot, generation: 1)
        let client = ClientID(worker: 0, slot: 0, generation: 1)
        pool.state.withLock { state in
            guard case .queued(let ticket) = state.machine.checkout(for: client, at: .zero) else {
                return
            }
            _ = state.machine.openings(at: .zero)
            _ = state.machine.leaveQueue(client, ticket: ticket)
            _ = state.machine.opened(server, openedAt: .zero, from: 0, at: .zero)
        }
        return server
    }

    @Test(arguments: [(1, 1), (2, 2), (127, 127), (128, 127), (10_000, 127)])
    func `there are as many workers as asked for, at most 127`(_ asked: Int, _ count: Int) throws {
        var settings = settings()
        settings.workers = asked
        #expect(try service(settings).workerCount == count)
    }

    @Test func `zero workers is one per core`() throws {
        var settings = settings()
        settings.workers = 0
        #expect(try service(settings).workerCount >= 1)
    }

    @Test func `one database and user is one pool, others have their own`() throws {
        let service = try service(settings())
        let first = try pool(service, "app", "alice")
        #expect(try pool(service, "app", "alice") === first)
        #expect(try pool(service, "app", "bob") !== first)
        #expect(try pool(service, "app", "bob").id != first.id)
        #expect(service.pools.map(\.user) == ["alice", "bob"])
    }

    @Test func `all clients of a database with a forced user share its pool`() throws {
        let service = try service(settings())
        let first = try pool(service, "shared", "alice")
        #expect(try pool(service, "shared", "bob") === first)
        #expect(first.user == "service")
    }

    @Test func `a reload gives each pool its new settings`() throws {
        let service = try service(settings())
        let pool = try pool(service, "app", "alice")
        var changed = settings()
        changed.users["alice"] = UserSettings()
        changed.users["alice"]?.serversMax = 3
        changed.users["alice"]?.mode = .statement
        try service.reload(changed)
        let (size, mode) = pool.state.withLock {
            ($0.machine.settings.serversMax, $0.profile.session.mode)
        }
        #expect(size == 3)
        #expect(mode == .statement)
        #expect(service.settings == changed)
    }

    @Test func `a reload that changes sizes keeps the idle servers`() throws {
        let service = try service(settings())
        let pool = try pool(service, "app", "alice")
        _ = addIdleServer(to: pool, slot: 1)
        var changed = settings()
        changed.pool.serversMax = 5
        try service.reload(changed)
        #expect(pool.state.withLock { $0.machine.counts.idle } == 1)
    }

    @Test(
        arguments: [
            { $0.databases["app"]?.hosts = ["db2"] }, { $0.databases["app"]?.ports = [5433] },
            { $0.databases["app"]?.name = "other" },
            { $0.authentication.secrets["alice"] = .plain("new") },
            { $0.serverTLS.mode = .prefer },
        ] as [@Sendable (inout ServiceSettings) -> Void])
    func `a reload that moves a database takes its idle servers away`(
        _ change: @Sendable (inout ServiceSettings) -> Void
    ) throws {
        let service = try service(settings())
        let pool = try pool(service, "app", "alice")
        _ = addIdleServer(to: pool, slot: 1)
        #expect(pool.state.withLock { $0.machine.counts.idle } == 1)
        var changed = settings()
        change(&changed)
        try service.reload(changed)
        #expect(pool.state.withLock { $0.machine.counts.idle } == 0)
    }

    @Test func `a pool whose database is gone keeps what it had`() throws {
        let service = try service(settings())
        let pool = try pool(service, "app", "alice")
        var changed = settings()
        changed.databases["app"] = nil
        changed.pool.serversMax = 1
        try service.reload(changed)
        #expect(pool.state.withLock { $0.profile.hosts } == ["db1"])
        #expect(service.settings.profile(database: "app", user: "alice") == nil)
    }

    @Test func `settings that TLS refuses leave the old ones`() throws {
        let service = try service(settings())
        var changed = settings()
        changed.clientsMax = 7
        changed.clientTLS.mode = .require
        changed.clientTLS.certificateFile = "/nowhere/server.crt"
        changed.clientTLS.keyFile = "/nowhere/server.key"
        #expect(throws: TLSError.self) { try service.reload(changed) }
        #expect(service.settings == settings())
    }

    @Test func `mail before the workers have started is dropped`() throws {
        let service = try service(settings())
        service.post(.stop, to: 0)
        service.post(.stop, to: 200)
        service.postToAll { _ in .stop }
    }
}

@Suite struct DeskTests {
    private func holder(_ text: String, since nanoseconds: Int64) -> Holder {
        Holder(since: Instant(nanoseconds: nanoseconds), text: text)
    }

    @Test func `a report is there when all workers have left theirs`() {
        let desk = ReportDesk(workerCount: 2)
        #expect(desk.take() == nil)
        desk.add([], [])
        #expect(desk.take() == nil)
        desk.add([], [])
        #expect(desk.take() != nil)
    }

    @Test func `the last worker gets all holders, the longest first`() throws {
        var settings = ServiceSettings()
        settings.serverTLS.mode = .disable
        settings.wildcardDatabase = DatabaseSettings()
        let service = try Service(settings: settings) { _, _ in }
        let pool = service.pool(
            for: try #require(settings.profile(database: "app", user: "alice")))
        let desk = HolderDesk(
            pool: pool, client: ClientID(worker: 0, slot: 0, generation: 1), ticket: 1,
            message: "query_wait_timeout", workerCount: 3)
        #expect(desk.add([holder("second", since: 20)]) == nil)
        #expect(desk.add([]) == nil)
        let all = try #require(desk.add([holder("third", since: 30), holder("first", since: 10)]))
        #expect(all.map(\.text) == ["first", "second", "third"])
    }
}
