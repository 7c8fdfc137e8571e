internal import Bytes
internal import Pooling

enum Servers {
    /// A server that was idle goes to a client and comes back; nobody waits.
    static func checkout(_ count: Int) -> UInt64 {
        let client = ClientID(worker: 0, slot: 1, generation: 1)
        let server = ServerID(slot: 1, generation: 1)
        var pool = ServerPool(id: PoolID(number: 1), settings: PoolSettings(), workerCount: 1)
        _ = pool.checkout(for: client, at: .zero)
        let opened = pool.openings(at: .zero)
        precondition(opened == 1)
        // The client gets it, because it waits.
        _ = pool.opened(server, openedAt: .zero, from: client.worker, at: .zero)
        _ = pool.checkin(server, openedAt: .zero, from: client.worker, at: .zero)
        var sum: UInt64 = 0
        for _ in 0..<count {
            guard case .granted(let server, _) = pool.checkout(for: client, at: .zero) else {
                preconditionFailure("the server is not idle")
            }
            _ = pool.checkin(server, openedAt: .zero, from: client.worker, at: .zero)
            sum &+= UInt64(server.slot)
        }
        return sum
    }
}
