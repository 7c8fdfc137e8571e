/// Which clients of one worker listen to which channels of one pool.
///
/// Clients are their places in the worker's slab; who leaves is taken out before its place is
/// used again.
public struct ChannelTable: Sendable {
    private var listeners: [String: Set<UInt32>] = [:]
    /// Clients whose server is kept until the pool's listener hears all their channels.
    public var waiting: Set<UInt32> = []

    public init() {}

    public var isEmpty: Bool { listeners.isEmpty && waiting.isEmpty }

    /// All clients that listen to something.
    public var clients: Set<UInt32> { listeners.values.reduce(into: []) { $0.formUnion($1) } }

    public func clients(of channel: String) -> Set<UInt32> { listeners[channel] ?? [] }

    /// Returns whether `client` is the first one of this worker that listens to `channel`.
    public mutating func add(_ client: UInt32, to channel: String) -> Bool {
        listeners[channel, default: []].insert(client)
        return listeners[channel]?.count == 1
    }

    /// Returns whether nobody of this worker listens to `channel` any more.
    public mutating func remove(_ client: UInt32, from channel: String) -> Bool {
        guard listeners[channel]?.remove(client) != nil else { return false }
        guard listeners[channel]?.isEmpty == true else { return false }
        listeners[channel] = nil
        return true
    }
}
