internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session

// Statements that PostgreSQL runs only while nobody else is connected to a database: the servers
// of it that no client uses are in their way.

/// A pool that keeps no server meanwhile, and until when at most.
struct VacatedPool {
    let pool: Pool
    let until: Instant
}

/// PostgreSQL waits 5 s for the others to go before it refuses, and for locks before that.
private let vacatedDurationMax: Duration = .seconds(10)

extension Worker where Loop: ~Copyable {
    /// The server was sent its client's statements about whole databases; it finds out whether the
    /// client may run them. Closes the idle servers of those databases, whosever pool they are in.
    mutating func vacateDatabases(_ slot: Int, _ serverSlot: Int) {
        let databases = clients[slot].session.databasesToVacate
        clients[slot].session.databasesToVacate = []
        let place = ServerPlace(host: servers[serverSlot].host, port: servers[serverSlot].port)
        let address = servers[serverSlot].address
        let until = now + vacatedDurationMax
        for pool in service.pools {
            let servers = servers
            let leaving = pool.state.withLock { state -> [ServerID]? in
                guard databases.contains(state.profile.serverDatabase) else { return nil }
                // While the lock is held nobody takes an idle server away.
                let isMeant = { (server: ServerID) in
                    let slot = Int(server.slot)
                    return servers[slot].address == address
                        || ServerPlace(host: servers[slot].host, port: servers[slot].port) == place
                }
                guard
                    state.profile.places.contains(place)
                        || state.machine.idleServers.contains(where: isMeant)
                else { return nil }
                return state.machine.vacate(until: until, where: isMeant)
            }
            guard let leaving else { continue }
            self.servers[serverSlot].vacated.append(VacatedPool(pool: pool, until: until))
            for server in leaving {
                takeOverAndClose(server, "a statement about its whole database")
            }
        }
    }

    /// What the server was asked for is done.
    mutating func endVacating(for serverSlot: Int) {
        for vacated in servers[serverSlot].vacated {
            vacated.pool.state.withLock { $0.machine.endVacating(until: vacated.until) }
        }
        servers[serverSlot].vacated = []
    }
}
