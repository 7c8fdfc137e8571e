internal import Bytes
internal import EventLoop
internal import Pooling

extension Worker where Loop: ~Copyable {
    /// Servers that are this worker's for sure. Idle ones are the pool's
    /// (`Service.idleServerReports`), those on their way between workers are nobody's.
    func serverReports() -> [ServerReport] {
        var reports: [ServerReport] = []
        let count = service.serverSlots.withLock { $0.highestCount }
        for slot in 0..<count where servers.isTaken(slot) {
            // The phase first: who takes a server over writes the worker before the phase.
            let state: String
            var link: ClientID?
            switch servers[slot].phase {
            case .resolving, .connecting, .askingTLS, .handshake, .loggingIn, .preparing:
                state = "new"
            case .checking: state = "tested"
            case .linked(let client):
                guard client.worker == index else { continue }
                state = "active"
                link = client
            case .listening: state = "listening"
            case .orphaned: state = "being_canceled"
            case .idle, .held: continue
            }
            guard servers[slot].worker == index else { continue }
            let openedAt = servers[slot].openedAt
            let isOutdated =
                openedAt != .zero
                && servers[slot].pool.state.withLock { $0.machine.isOutdated(openedAt: openedAt) }
            reports.append(
                service.report(
                    ofServer: slot, state: state, link: link, isOutdated: isOutdated))
        }
        return reports
    }
}
