internal import Bytes
internal import EventLoop
internal import Pooling
internal import Routing
internal import Session
internal import Sharding
internal import Wire

// New settings, and the clients that are there already. A client's place is what its database is
// for it: one server, one shard, or a map. It may change under a client: a transaction that has
// begun ends where it is, the next one goes to the new place, and from one moment on all workers
// send it there.

extension Worker where Loop: ~Copyable {
    /// New settings hold from the next event on.
    mutating func reloaded() {
        takeSettings()
        watchesClients = false
        for slot in 0..<clientSlots.highestCount where clients.isTaken(slot) {
            guard clients[slot].pool != nil else { continue }
            follow(slot)
            guard clients.isTaken(slot), let pool = clients[slot].pool else { continue }
            _ = limits(of: pool)
            updateTimer(ofClient: slot)
        }
    }

    private mutating func takeSettings() {
        settings = service.settings
        poolLimits.removeAll(keepingCapacity: true)
        for slot in 0..<clientSlots.highestCount where clients.isTaken(slot) {
            clients[slot].mayHaveMoved = true
        }
    }

    /// Takes the settings in force, if their places are others than those that this worker knows.
    mutating func refreshPlaces() {
        if service.shardingVersion != settings.sharding.version { takeSettings() }
    }

    /// Whether the client's next transaction goes elsewhere than its last one.
    mutating func hasMoved(_ slot: Int) -> Bool {
        refreshPlaces()
        guard clients[slot].mayHaveMoved else { return false }
        clients[slot].mayHaveMoved = !isInPlace(slot)
        return clients[slot].mayHaveMoved
    }

    private func isInPlace(_ slot: Int) -> Bool {
        guard let pool = clients[slot].pool else { return true }
        let destination = settings.destination(
            database: clients[slot].database, user: clients[slot].user)
        switch (destination, clients[slot].shards) {
        case (.map(let name, _)?, let shards?):
            return settings.sharding.routers[name] === shards.value.route.router.router
        case (.shard(let index, let cluster)?, nil):
            return settings.sharding.clusters[cluster]?.shards[index].name == pool.shard
        case (nil, nil):
            return pool.shard == nil
        case (.map?, nil), (.shard?, _?), (nil, _?):
            return false
        }
    }

    /// The settings are new: what can be done at once.
    private mutating func follow(_ slot: Int) {
        guard settings.hasDatabase(clients[slot].database, user: clients[slot].user) else {
            return closeClient(slot, .fatal(.adminShutdown, "database removed"))
        }
        guard hasMoved(slot), !isInTransactionNowhere(slot) else { return }
        switch clients[slot].phase {
        case .idle:
            _ = place(slot)
        case .waiting(let ticket, _):
            // Else a server of the old place is on its way.
            guard leaveQueue(slot, ticket) else { return }
            clients[slot].phase = .idle
            useHeld(slot)
        case .linked(let server):
            if servers[Int(server.slot)].session.isReleasable { _ = staysLinked(slot, server) }
        case .login, .greeting, .proving, .asking, .console, .closing:
            break
        }
    }

    /// The client was told that its transaction has begun, and has no server yet.
    func isInTransactionNowhere(_ slot: Int) -> Bool {
        clients[slot].shards?.value.route.isBegunNowhere ?? false
    }

    /// The client has moved and is between two transactions. Returns whether it goes on with its
    /// server; otherwise it was closed.
    mutating func staysLinked(_ slot: Int, _ server: ServerID) -> Bool {
        // It had no server before: the transaction has begun.
        guard isBound(slot) else { return true }
        // By a new map, it is refused what is not where its server is.
        guard let shards = clients[slot].shards, let (router, map) = router(ofClient: slot) else {
            closeMoved(slot)
            return false
        }
        clients[slot].mayHaveMoved = false
        shards.value.use(router, map: map)
        shards.value.keep(servers[Int(server.slot)].pool)
        return true
    }

    /// Whether the client has something at its old place that it would miss at the new one.
    private func isBound(_ slot: Int) -> Bool {
        if case .linked = clients[slot].phase, !clients[slot].session.sharesServers { return true }
        return !clients[slot].session.traces.pins.isEmpty || clients[slot].session.channels != nil
    }

    private mutating func closeMoved(_ slot: Int) {
        let database = clients[slot].database
        closeClient(
            slot,
            .fatal(
                .adminShutdown, "database \"\(database)\" has moved",
                detail: "RELOAD has given it another shard or map, and the session is bound to a"
                    + " server of the old one.",
                hint: "Connect again."))
    }

    /// The client's map by the settings in force; nil = its statements all go to one server.
    private mutating func router(ofClient slot: Int) -> (MessageRouter, map: String)? {
        guard
            case .map(let map, _)? = settings.destination(
                database: clients[slot].database, user: clients[slot].user),
            let router = messageRouter(map)
        else { return nil }
        return (router, map)
    }

    /// The client has moved and has no server: the next one is of its new place. Returns false if
    /// it was closed instead.
    mutating func place(_ slot: Int) -> Bool {
        let new = router(ofClient: slot)
        guard !isBound(slot), let (profile, shard) = home(slot, new?.0) else {
            closeMoved(slot)
            return false
        }
        let old = clients[slot].shards?.value.home ?? clients[slot].pool
        let pool = service.pool(for: profile, countsClient: true)
        old?.state.withLock { $0.machine.clientCount -= 1 }
        if let (router, map) = new {
            if let shards = clients[slot].shards {
                shards.value.use(router, map: map)
            } else {
                let route = ClientRoute(router, startupHint: startupHint(slot))
                clients[slot].shards = Box(ClientShards(route, map: map))
            }
            clients[slot].shards?.value.settle(in: pool, shard: shard)
        } else {
            clients[slot].shards = nil
        }
        clients[slot].pool = pool
        clients[slot].session.sharesServers = profile.session.mode != .session
        clients[slot].mayHaveMoved = false
        _ = limits(of: pool)
        return true
    }

    /// A hint that PostgreSQL was told at the login, when there was no map.
    private func startupHint(_ slot: Int) -> KeyHint? {
        let given = clients[slot].session.startup.extra.first { ClientShards.isHint($0.key) }
        return given.flatMap { try? ClientShards.hint($0.key, $0.value).get() }
    }

    /// Where the client is counted, and what it asks without a key goes to: of a map, as a rule a
    /// shard that answers. nil = there is none.
    func home(_ slot: Int, _ router: MessageRouter?) -> (profile: PoolProfile, shard: Int)? {
        let (database, user) = (clients[slot].database, clients[slot].user)
        guard let router else {
            return settings.profile(database: database, user: user).map { ($0, 0) }
        }
        let count = router.router.shardCount
        var chosen: (profile: PoolProfile, shard: Int)?
        // Whoever only logs in, or asks for the version, burdens all shards alike.
        for step in 0..<count {
            let shard = (slot + step) % count
            guard
                let profile = settings.profile(
                    database: database, user: user, shard: router.router.map.shards[shard])
            else { continue }
            if chosen == nil { chosen = (profile, shard) }
            let isDown = service.pool(for: profile).state.withLock {
                $0.machine.isFailing(at: now)
            }
            if !isDown { return (profile, shard) }
        }
        return chosen
    }
}
