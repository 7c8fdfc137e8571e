// Clients, servers and time around one pool, all at random from one seed. It keeps its own books
// in the simplest way and compares every answer of the pool with them.

import Bytes
import Pooling

/// What the pool did that it must not do.
struct PoolFault: Error, CustomStringConvertible {
    let description: String
}

struct PoolWorld {
    enum ClientState: Equatable {
        case away
        case waiting(ticket: UInt64, since: Instant)
        case linked(ServerID)
    }

    enum ServerState: Equatable {
        case idle
        case linked(ClientID)
    }

    struct OpenServer {
        let openedAt: Instant
        var state: ServerState
    }

    var pool: ServerPool
    var random: SeededRandom
    var now = at(1000)
    var clients: [ClientID: ClientState] = [:]
    var clientList: [ClientID] = []
    var servers: [ServerID: OpenServer] = [:]
    /// When each connection in the making was begun.
    var openings: [Instant] = []
    /// Each worker's clock lags by this.
    let lags: [Int64]
    var serverNext: UInt32 = 0
    var isPaused = false
    var hasFaults = true
    /// No opening before it, and whether one at a time.
    var retryNotBefore: Instant?
    var isProbing = false
    var forgivenAt: Instant?
    /// The latest instant given to `openings(at:)`.
    var askedAt: Instant = .zero
    var reconnectedAt: Instant = .zero
    /// No server without a client is kept before it.
    var vacatedUntil: Instant = .zero
    var grantCount = 0
    /// A budget over several pools kept the last openings from being started.
    var lacksBudget = false

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        func pick<Value>(_ values: Value...) -> Value {
            values[Int.random(in: values.indices, using: &random)]
        }
        let workers = Int.random(in: 1...8, using: &random)
        let settings = settings {
            $0.serversMax = pick(1, 2, 3, 4, 5, 6)
            $0.serversMin = pick(0, 1, 2, 3)
            $0.reserveMax = pick(0, 1, 2, 3)
            $0.reserveAfter = pick(.zero, .milliseconds(5), .seconds(5))
            $0.openingMax = pick(1, 2, 3, 8)
            $0.waitingMax = pick(5, 1000)
            $0.serverLifetime = pick(.zero, .seconds(2), .seconds(3600))
            $0.serverIdleTimeout = pick(.zero, .seconds(1))
            $0.serverLoginRetry = pick(.zero, .milliseconds(20), .seconds(15))
            $0.isRoundRobin = pick(false, true)
        }
        pool = ServerPool(id: PoolID(number: 1), settings: settings, workerCount: workers)
        lags = (0..<workers).map { _ in Int64.random(in: 0...50_000, using: &random) }
        for slot in 0..<UInt32.random(in: 1...40, using: &random) {
            let worker = UInt8.random(in: 0..<UInt8(workers), using: &random)
            clientList.append(client(slot, worker: worker))
        }
        for client in clientList { clients[client] = .away }
        pool.clientCount = clientList.count
        self.random = random
    }

    /// The time as this worker sees it.
    func clock(_ worker: UInt8) -> Instant {
        Instant(nanoseconds: now.nanoseconds - lags[Int(worker)])
    }

    /// One random event, and the checks after it.
    mutating func step() throws(PoolFault) {
        let client = clientList[Int.random(in: clientList.indices, using: &random)]
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: try ask(client)
        case 30..<52: if let held = someLinked() { try finish(held) }
        case 52..<58: try leave(client)
        case 58..<72: try openingArrives()
        case 72..<76: try openingFails()
        case 76..<79: try linkedDies()
        case 79..<81: try idleDies()
        case 81..<83: try expire()
        case 83: try Bool.random(using: &random) ? evict() : vacate()
        case 84: try Bool.random(using: &random) ? pause() : resume()
        case 85: try resume()
        case 86: if Int.random(in: 0..<4, using: &random) == 0 { try reconnect() }
        case 87: if Int.random(in: 0..<4, using: &random) == 0 { try everyWaiterIsTold() }
        case 88: try reload()
        case 89: try connectedClientsChange()
        case 90..<98: try passTime(Int64.random(in: 1...3_000_000, using: &random))
        default: try passTime(Int64.random(in: 1...8_000_000_000, using: &random))
        }
        try check()
    }

    /// The faults stop: clients finish, connections succeed, and time goes on only when nothing
    /// else can happen, to where the pool asked for it. Everybody who waits must get a server.
    mutating func settle() throws(PoolFault) {
        hasFaults = false
        try resume()
        // Whoever keeps the budget asks again when it has room; only then, so that a lost wake-up
        // is not made good here.
        if lacksBudget { try askForOpenings(at: now) }
        for _ in 0..<5_000 {
            try check()
            if waiters.isEmpty { return }
            if !openings.isEmpty {
                try openingArrives()
            } else if let held = someLinked() {
                try finish(held)
            } else if let retryAt = pool.retryAt() {
                guard retryAt > askedAt else { throw fault("retryAt lies in the past") }
                // The worker whose clock is behind most is the one that wakes.
                now = max(now, Instant(nanoseconds: retryAt.nanoseconds + 50_000))
                try askForOpenings(at: retryAt)
            } else {
                throw fault("clients wait, and nothing will ever happen")
            }
            now = now + .nanoseconds(1000)
        }
        throw fault("clients still wait after 5,000 events without a fault")
    }

    func fault(_ text: String) -> PoolFault {
        PoolFault(description: "\(text) (at \(now.nanoseconds) ns, \(pool.counts))")
    }

    /// A linked server and its client, the same for the same seed.
    mutating func someLinked() -> (server: ServerID, client: ClientID)? {
        clientList.compactMap { client in
            if case .linked(let server) = clients[client] { (server, client) } else { nil }
        }.randomElement(using: &random)
    }

    /// An idle server, the same for the same seed.
    mutating func someIdle() -> ServerID? {
        servers.filter { $0.value.state == .idle }.map(\.key)
            .sorted { $0.slot < $1.slot }.randomElement(using: &random)
    }

    var idleCount: Int { servers.values.count { $0.state == .idle } }
    var serversLimit: Int {
        let settings = pool.settings
        return settings.serversMax + (settings.reserveAfter > .zero ? settings.reserveMax : 0)
    }
}
