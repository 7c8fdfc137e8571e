// Names of things that another owner holds: a slot, and the generation that was in it.

/// One client, on the worker that holds its socket.
public struct ClientID: Hashable, Sendable {
    /// 0 to 127.
    public let worker: UInt8
    /// Place in that worker's slab, below 2^24.
    public let slot: UInt32
    public let generation: UInt32

    public init(worker: UInt8, slot: UInt32, generation: UInt32) {
        self.worker = worker
        self.slot = slot
        self.generation = generation
    }
}

/// One server connection, in the process-wide table.
public struct ServerID: Hashable, Sendable {
    public let slot: UInt32
    public let generation: UInt32

    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// One pool, in the process-wide directory. Numbers are not used again.
public struct PoolID: Hashable, Sendable, Comparable {
    public let number: UInt32
    public init(number: UInt32) { self.number = number }
    public static func < (left: PoolID, right: PoolID) -> Bool { left.number < right.number }
}
