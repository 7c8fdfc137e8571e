public import Bytes
public import EventLoop
internal import Pooling
internal import Routing
internal import Session
internal import Sharding
internal import Synchronization
public import TLS
internal import Wire

/// How much a log line matters.
public enum LogSeverity: Sendable {
    case debug, info, warning, error
}

/// Where the data plane's log lines go; called from any worker, must not block for long.
public typealias LogSink = @Sendable (LogSeverity, String) -> Void

/// What all workers share: settings, pools, servers, statements, mailboxes.
public final class Service: Sendable {
    public let workerCount: Int
    public let log: LogSink
    public let startedAt: Instant
    let settingsBox: Guarded<ServiceSettings>
    let servers: Slab<Server>
    let serverSlots: Guarded<SlotAllocator>
    let statements: SharedStatements
    let resolver: Resolver
    let clientTLS: Guarded<TLSContext?>
    let serverTLS: Guarded<TLSContext?>
    let budget = Guarded(Budget())
    /// By host.
    let serverProcesses = Guarded([Budget.Key: ServerProcesses]())
    /// From which stand-in secrets of unknown users are made.
    let mockKey: [UInt8]
    /// Clients of each worker, for the choice where a new one goes.
    let clientCounts: Guarded<[Int]>
    let directory = Guarded(PoolDirectory())
    let functions = FunctionDirectories()
    let lookups = Guarded(LookupCache())
    private let mailboxes: Guarded<[Mailbox<Mail>]>
    private let consoleBox: Guarded<(any ConsoleService)?>
    private let stopping = Atomic<Bool>(false)
    private let shardingNumber = Atomic<UInt64>(0)

    public init(settings: ServiceSettings, log: @escaping LogSink) throws(TLSError) {
        workerCount = max(
            1, min(127, settings.workers > 0 ? settings.workers : Threads.coreCount()))
        self.log = log
        startedAt = MonotonicClock.now()
        settingsBox = Guarded(settings)
        servers = Slab(capacity: 1 << 16)
        serverSlots = Guarded(SlotAllocator(capacity: 1 << 16))
        statements = SharedStatements()
        resolver = Resolver(
            lifetime: settings.dnsLifetime, failureLifetime: settings.dnsFailureLifetime)
        let clientTLS: TLSContext? =
            settings.clientTLS.mode == .disable
            ? nil : try TLSContext(forClients: settings.clientTLS)
        self.clientTLS = Guarded(clientTLS)
        let serverTLS: TLSContext? =
            settings.serverTLS.mode == .disable
            ? nil : try TLSContext(forServers: settings.serverTLS)
        self.serverTLS = Guarded(serverTLS)
        mockKey = Digest.randomBytes(32)
        clientCounts = Guarded(Array(repeating: 0, count: workerCount))
        mailboxes = Guarded([])
        consoleBox = Guarded(nil)
    }

    public var settings: ServiceSettings { settingsBox.withLock { $0 } }

    /// Version of the maps in force. Every worker looks at it when a transaction begins, so that
    /// all of them change to new maps at one moment.
    var shardingVersion: UInt64 { shardingNumber.load(ordering: .acquiring) }

    public var console: (any ConsoleService)? {
        get { consoleBox.withLock { $0 } }
        set { consoleBox.withLock { $0 = newValue } }
    }

    /// Whether new clients are turned away because the process ends.
    public var isStopping: Bool {
        get { stopping.load(ordering: .relaxed) }
        set { stopping.store(newValue, ordering: .relaxed) }
    }

    /// All workers have started; index = worker.
    public func attach(_ boxes: [Mailbox<Mail>]) { mailboxes.withLock { $0 = boxes } }

    /// Puts `mail` into the box of `worker`; dropped before `attach`.
    public func post(_ mail: Mail, to worker: UInt8) {
        let box = mailboxes.withLock { $0.indices.contains(Int(worker)) ? $0[Int(worker)] : nil }
        box?.post(mail)
    }

    public func postToAll(_ make: (UInt8) -> Mail) {
        for worker in 0..<UInt8(workerCount) { post(make(worker), to: worker) }
    }

    /// New settings hold from now on: pools get theirs; databases that are gone take no new client.
    public func reload(_ settings: ServiceSettings) throws(TLSError) {
        let clientContext: TLSContext? =
            settings.clientTLS.mode == .disable
            ? nil : try TLSContext(forClients: settings.clientTLS)
        let serverContext: TLSContext? =
            settings.serverTLS.mode == .disable
            ? nil : try TLSContext(forServers: settings.serverTLS)
        clientTLS.withLock { $0 = clientContext }
        serverTLS.withLock { $0 = serverContext }
        let old = self.settings
        var settings = settings
        settings.sharding.succeed(old.sharding)
        settingsBox.withLock { $0 = settings }
        lookups.withLock { $0.removeAll() }
        shardingNumber.store(settings.sharding.version, ordering: .releasing)
        resolver.setLifetimes(settings.dnsLifetime, failures: settings.dnsFailureLifetime)
        let now = MonotonicClock.now()
        for pool in pools {
            let profile = settings.profile(
                database: pool.database, user: pool.user, shard: pool.shard)
            let closing = pool.state.withLock { state -> [ServerID] in
                guard let profile, profile.shard == pool.shard else {
                    // Whoever has begun a transaction there ends it.
                    state.machine.settings.serversMin = 0
                    return state.machine.reconnect(at: now)
                }
                let isElsewhere =
                    state.profile.hosts != profile.hosts || state.profile.ports != profile.ports
                    || state.profile.serverDatabase != profile.serverDatabase
                    || state.profile.secret != profile.secret
                    || old.serverTLS != settings.serverTLS
                state.profile = profile
                state.machine.settings = profile.pool
                guard isElsewhere else { return [] }
                state.welcome = nil
                return state.machine.reconnect(at: now)
            }
            if !closing.isEmpty { post(.close(closing), to: 0) }
        }
        functions.advance()
        postToAll { _ in .reloaded }
    }
}

/// Servers and clients counted over several pools: limits per database, user, tenant and host.
struct Budget {
    enum Key: Hashable {
        case database(String)
        case user(String)
        case tenant(String)
        case host(String, UInt16)
    }

    private var servers = Counts()
    private var clients = Counts()
    var clientCount = 0

    func serverCount(_ key: Key) -> Int { servers[key] }
    func clientCount(_ key: Key) -> Int { clients[key] }

    /// Counts one server under all `limits` (0 = no limit), or none: then the limit that is full.
    mutating func addServer(_ limits: [(key: Key, max: Int)]) -> Key? { servers.add(limits) }
    mutating func removeServer(_ keys: [Key]) { servers.remove(keys) }
    /// As `addServer`.
    mutating func addClient(_ limits: [(key: Key, max: Int)]) -> Key? { clients.add(limits) }
    mutating func removeClient(_ keys: [Key]) { clients.remove(keys) }

    private struct Counts {
        private var counts: [Key: Int] = [:]

        subscript(_ key: Key) -> Int { counts[key] ?? 0 }

        mutating func add(_ limits: [(key: Key, max: Int)]) -> Key? {
            for limit in limits where limit.max > 0 && self[limit.key] >= limit.max {
                return limit.key
            }
            for limit in limits { counts[limit.key, default: 0] += 1 }
            return nil
        }

        mutating func remove(_ keys: [Key]) {
            for key in keys {
                let count = self[key] - 1
                precondition(count >= 0, "something was counted off twice")
                counts[key] = count == 0 ? nil : count
            }
        }
    }
}
