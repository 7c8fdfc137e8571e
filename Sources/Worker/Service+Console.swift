internal import Bytes
public import EventLoop
internal import Pooling
internal import Session
internal import TLS

// What the console wants to know and no pool says.

extension Service {
    /// Clients connected now; index = worker.
    public var clientCountsByWorker: [Int] { clientCounts.withLock { $0 } }

    /// Server connections in the making and made, of all pools.
    public var serverCount: Int { serverSlots.withLock { $0.takenCount } }

    /// All servers in idle lists. While the pool's lock is held nobody takes them from there, so
    /// that any thread may look at them.
    public func idleServerReports() -> [ServerReport] {
        var reports: [ServerReport] = []
        for pool in pools {
            pool.state.withLock { state in
                for server in state.machine.idleServers where servers.isTaken(Int(server.slot)) {
                    reports.append(
                        report(
                            ofServer: Int(server.slot), state: "idle", link: nil,
                            isOutdated: false))
                }
            }
        }
        return reports
    }

    /// Whoever calls owns the server in `slot`.
    func report(
        ofServer slot: Int, state: String, link: ClientID?, isOutdated: Bool
    ) -> ServerReport {
        let address = servers[slot].address
        let local = servers[slot].socket < 0 ? nil : Sockets.localAddress(servers[slot].socket)
        let pool = servers[slot].pool
        return ServerReport(
            id: servers[slot].id, user: pool.user, database: pool.shownName, state: state,
            address: address?.host ?? servers[slot].host, port: servers[slot].port,
            localAddress: local?.host ?? "", localPort: local?.port ?? 0,
            connectedAt: servers[slot].openedAt, requestedAt: servers[slot].requestedAt,
            link: link, processID: servers[slot].welcome.processID,
            tls: servers[slot].tls?.protocolVersion ?? "",
            applicationName: servers[slot].session.parameters.reported["application_name"] ?? "",
            statementCount: servers[slot].session.statements.count, isOutdated: isOutdated,
            heldByteCount: servers[slot].held.count, unsentByteCount: servers[slot].unsent.count)
    }

    /// Host names that were looked up, for SHOW DNS_HOSTS.
    public var resolvedNames: [ResolvedName] { resolver.names }

    /// What the larger tables take. `clientPlaceCount`: as the workers reported it.
    public func memoryReports(clientPlaceCount: Int) -> [MemoryReport] {
        let (serverPlaceCount, serverCount) = serverSlots.withLock {
            ($0.highestCount, $0.takenCount)
        }
        let settings = settings
        return [
            MemoryReport(
                name: "client_cache", byteCount: MemoryLayout<Client>.stride,
                usedCount: clientCount, placeCount: clientPlaceCount),
            MemoryReport(
                name: "server_cache", byteCount: MemoryLayout<Server>.stride,
                usedCount: serverCount, placeCount: serverPlaceCount),
            MemoryReport(
                name: "pool_cache", byteCount: MemoryLayout<PoolState>.stride,
                usedCount: pools.count, placeCount: pools.count),
            MemoryReport(
                name: "db_cache", byteCount: MemoryLayout<DatabaseSettings>.stride,
                usedCount: settings.databases.count, placeCount: settings.databases.count),
            MemoryReport(
                name: "user_cache", byteCount: MemoryLayout<UserSettings>.stride,
                usedCount: settings.users.count, placeCount: settings.users.count),
        ]
    }
}

/// One table as SHOW MEM shows it; what its entries point to is not counted.
public struct MemoryReport: Sendable {
    public let name: String
    /// Of one entry.
    public let byteCount: Int
    public let usedCount: Int
    /// Entries there is memory for.
    public let placeCount: Int

    init(name: String, byteCount: Int, usedCount: Int, placeCount: Int) {
        self.name = name
        self.byteCount = byteCount
        self.usedCount = usedCount
        // Clients come while the workers count.
        self.placeCount = max(usedCount, placeCount)
    }
}
