internal import EventLoop

extension Service {
    /// Clients connected now, on all workers.
    public var clientCount: Int { clientCounts.withLock { $0.reduce(0, +) } }
}
