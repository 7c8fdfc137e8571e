public import Bytes

/// What the listener of a pool is asked next: one query, one transaction.
public struct ListenerOrder: Equatable, Sendable {
    public var listen: [String] = []
    public var unlisten: [String] = []
}

/// The one server connection of a pool that listens for all clients, and the union of their
/// channels, counted by worker. All workers share it. Performs no I/O.
///
/// A channel is *wanted* while a worker has a client that listens to it, and *heard* once the
/// listener's LISTEN has been answered. One order is under way at a time.
public struct PoolListener: Sendable {
    public enum Connection: Equatable, Sendable {
        /// To `opening`.
        case none
        /// `worker` opens it. To `open`, `none`.
        case opening(worker: UInt8)
        /// To `none`.
        case open(worker: UInt8)
    }

    /// What whoever changed something has to do now.
    public enum Step: Equatable, Sendable {
        case nothing
        /// Open the listener, on the worker that asks.
        case open
        /// Tell `worker` that there may be a new order.
        case tell(worker: UInt8)
        /// Tell `worker` to close the listener: nobody has wanted anything for a while.
        case close(worker: UInt8)
    }

    private struct Channel {
        /// One bit for each worker.
        var workers: UInt128 = 0
        var isHeard = false
        var isConsistent: Bool { isHeard == (workers != 0) }
    }

    /// How long the listener is kept when nobody listens any more.
    public static let idleTimeout: Duration = .seconds(10)
    /// Most channels in one order.
    public static let orderMax = 500

    public private(set) var connection = Connection.none
    private var channels: [String: Channel] = [:]
    /// Channels that may be wanted and not heard, or heard and not wanted.
    private var changed: Set<String> = []
    private var order: ListenerOrder?
    private var wantedCount = 0
    private var unusedSince: Instant?
    private var retryNotBefore: Instant?
    /// The channel on which both sides of a hand-over see the same place in the stream.
    public private(set) var marker = ""
    public private(set) var openedAt = Instant.zero

    public init() {}

    /// Nobody wants anything and no connection is there.
    public var isUnused: Bool { wantedCount == 0 && connection == .none }

    // MARK: Workers

    /// `worker` has its first clients for `added`, and lost its last ones for `removed`.
    public mutating func change(
        adding added: [String], removing removed: [String], worker: UInt8, at now: Instant
    ) -> Step {
        let bit = UInt128(1) << UInt128(worker)
        for name in added { update(name) { $0.workers |= bit } }
        for name in removed { update(name) { $0.workers &= ~bit } }
        unusedSince = wantedCount == 0 ? unusedSince ?? now : nil
        switch connection {
        case .none:
            return openNow(worker: worker, at: now)
        case .opening:
            return .nothing
        case .open(let owner):
            return changed.isEmpty || order != nil ? .nothing : .tell(worker: owner)
        }
    }

    private mutating func update(_ name: String, _ change: (inout Channel) -> Void) {
        var channel = channels[name] ?? Channel()
        let wasWanted = channel.workers != 0
        change(&channel)
        wantedCount += (channel.workers != 0 ? 1 : 0) - (wasWanted ? 1 : 0)
        let isForgotten = channel.workers == 0 && !channel.isHeard
        channels[name] = isForgotten ? nil : channel
        if channel.isConsistent { changed.remove(name) } else { changed.insert(name) }
    }

    /// Whether notifications of all `names` come to the listener from now on.
    public func hears(_ names: Set<String>) -> Bool {
        guard case .open = connection else { return false }
        let leaving = order?.unlisten ?? []
        return names.allSatisfy { channels[$0]?.isHeard == true && !leaving.contains($0) }
    }

    /// One bit for each worker with a client that listens to `name`.
    public func workers(of name: String) -> UInt128 { channels[name]?.workers ?? 0 }

    // MARK: The listener

    /// What is due because time has passed; `worker` asks.
    public mutating func due(worker: UInt8, at now: Instant) -> Step {
        switch connection {
        case .none:
            return openNow(worker: worker, at: now)
        case .opening:
            return .nothing
        case .open(let owner):
            guard wantedCount == 0, let unusedSince, now - unusedSince >= Self.idleTimeout else {
                return .nothing
            }
            return .close(worker: owner)
        }
    }

    private mutating func openNow(worker: UInt8, at now: Instant) -> Step {
        guard wantedCount > 0 else { return .nothing }
        if let retryNotBefore, now < retryNotBefore { return .nothing }
        connection = .opening(worker: worker)
        return .open
    }

    /// The listener is logged in and listens to `marker`.
    public mutating func opened(worker: UInt8, marker: String, at now: Instant) {
        connection = .open(worker: worker)
        self.marker = marker
        openedAt = now
        retryNotBefore = nil
    }

    /// The next order, if none is under way. The caller sends it, and calls `orderDone()`.
    public mutating func nextOrder() -> ListenerOrder? {
        guard order == nil, !changed.isEmpty else { return nil }
        var next = ListenerOrder()
        for name in changed.prefix(Self.orderMax) {
            if channels[name]?.isHeard == true {
                next.unlisten.append(name)
            } else {
                next.listen.append(name)
            }
        }
        order = next
        return next
    }

    /// The order has succeeded. Returns the workers whose clients may have waited for it.
    public mutating func orderDone() -> UInt128 {
        guard let done = order else { return 0 }
        order = nil
        var workers: UInt128 = 0
        for name in done.listen {
            // Whoever wanted it may have gone meanwhile: then it is to be left again.
            update(name) { $0.isHeard = true }
            workers |= channels[name]?.workers ?? 0
        }
        for name in done.unlisten { update(name) { $0.isHeard = false } }
        return workers
    }

    /// The connection is gone, or could not be opened; none is begun before `retryAt`. Returns
    /// the workers with clients that it heard for.
    public mutating func closed(retryAt: Instant) -> UInt128 {
        var workers: UInt128 = 0
        order = nil
        connection = .none
        retryNotBefore = retryAt
        for name in Array(channels.keys) {
            workers |= channels[name]?.workers ?? 0
            update(name) { $0.isHeard = false }
        }
        return workers
    }
}
