internal import Bytes
internal import EventLoop
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
                var copy = state.machine
                for server in copy.takeAllIdle() where servers.isTaken(Int(server.slot)) {
                    reports.append(report(ofServer: Int(server.slot), state: "idle", link: nil))
                }
            }
        }
        return reports
    }

    /// Whoever calls owns the server in `slot`.
    func report(ofServer slot: Int, state: String, link: ClientID?) -> ServerReport {
        let address = servers[slot].address
        let local = servers[slot].socket < 0 ? nil : Sockets.localAddress(servers[slot].socket)
        let pool = servers[slot].pool
        return ServerReport(
            id: servers[slot].id, user: pool.user, database: pool.database, state: state,
            address: address?.host ?? servers[slot].host, port: servers[slot].port,
            localAddress: local?.host ?? "", localPort: local?.port ?? 0,
            connectedAt: servers[slot].openedAt, requestedAt: servers[slot].requestedAt,
            link: link, processID: servers[slot].welcome.processID,
            tls: servers[slot].tls?.protocolVersion ?? "",
            applicationName: servers[slot].session.parameters.reported["application_name"] ?? "",
            statementCount: servers[slot].session.statements.count)
    }
}
