public import Bytes

/// The texts of prepared statements, one copy for the whole process, counted by who uses them.
///
/// The machines call it by name only; the worker brings the one that all threads share.
public protocol StatementStore: AnyObject, Sendable {
    /// The number of the statement whose Parse body, without the name, is `definition`: the text,
    /// its NUL, and the parameter types. Adds one use. Never 0, never used again for another.
    func intern(_ definition: borrowing RawSpan) -> UInt64
    /// Adds one use.
    func retain(_ statement: UInt64)
    /// Ends one use; the last one forgets the text.
    func release(_ statement: UInt64)
    /// Appends the definition to `buffer`. The caller holds a use.
    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer)
    /// The one object that stands for all states equal to `state`.
    func canonical(_ state: ParameterState) -> ParameterState
}

extension StatementStore {
    public func canonical(_ state: ParameterState) -> ParameterState { state }
}

/// Which statements one server has, under the names that we gave them.
public struct ServerStatements: Sendable {
    private var lastUse: [UInt64: UInt64] = [:]
    private var clock: UInt64 = 0
    /// Uses since are of the batch that is still open; none of those may be evicted.
    private var batchStart: UInt64 = 0

    public init() {}

    public var count: Int { lastUse.count }
    public func contains(_ statement: UInt64) -> Bool { lastUse[statement] != nil }

    /// The server has, or will have once it reads what was sent, `statement`; or uses it again.
    public mutating func use(_ statement: UInt64) {
        clock += 1
        lastUse[statement] = clock
    }

    /// Whether `statement` is there; notes the use.
    public mutating func useIfThere(_ statement: UInt64) -> Bool {
        guard let index = lastUse.index(forKey: statement) else { return false }
        clock += 1
        lastUse.values[index] = clock
        return true
    }

    public mutating func remove(_ statement: UInt64) -> Bool {
        lastUse.removeValue(forKey: statement) != nil
    }

    /// A Sync was sent: the batch is over.
    public mutating func endBatch() { batchStart = clock }

    /// The least recently used statement if there are more than `max`; never one that the open
    /// batch may still need.
    public func victim(max: Int) -> UInt64? {
        guard lastUse.count > max else { return nil }
        guard let oldest = lastUse.min(by: { $0.value < $1.value }) else { return nil }
        return oldest.value <= batchStart ? oldest.key : nil
    }

    /// Forgets all and returns them.
    public mutating func removeAll() -> [UInt64] {
        let all = Array(lastUse.keys)
        lastUse.removeAll()
        return all
    }

    /// The private name of `statement` on every server.
    public static func name(of statement: UInt64) -> String {
        "pgweir_" + String(statement, radix: 36)
    }
}

/// One client's names for its prepared statements.
public struct StatementNames: Sendable {
    struct Entry: Sendable {
        let name: [UInt8]
        let statement: UInt64
        /// The server has not acknowledged it yet.
        var isPending: Bool
    }

    /// By hash of the name; names whose hash is taken stand in `collided`.
    private var byHash: [UInt64: Entry] = [:]
    private var collided: [Entry] = []
    private var changes: [Change] = []

    private enum Change: Sendable {
        case parsed(name: [UInt8])
        case closed(Entry?)
    }

    public init() {}

    public var count: Int { byHash.count + collided.count }

    /// The statement called `name`, and whether the server has yet to acknowledge it.
    public func find(_ name: borrowing RawSpan) -> (statement: UInt64, isPending: Bool)? {
        guard let entry = byHash[name.hash64()] else { return nil }
        if entry.name.equals(name) { return (entry.statement, entry.isPending) }
        for entry in collided where entry.name.equals(name) {
            return (entry.statement, entry.isPending)
        }
        return nil
    }

    /// A Parse of `name` was sent or stands in for one.
    public mutating func parsed(_ name: borrowing RawSpan, as statement: UInt64) {
        let copy = name.array()
        put(Entry(name: copy, statement: statement, isPending: true))
        changes.append(.parsed(name: copy))
    }

    /// A Close of `name` was sent; returns the statement whose use may end when acknowledged.
    public mutating func closed(_ name: borrowing RawSpan) {
        changes.append(.closed(take(name.array())))
    }

    /// The oldest change was acknowledged. Returns the statement that a Close set free.
    public mutating func acknowledge() -> UInt64? {
        guard !changes.isEmpty else { return nil }
        switch changes.removeFirst() {
        case .parsed(let name):
            if var entry = take(name) {
                entry.isPending = false
                put(entry)
            }
            return nil
        case .closed(let entry):
            return entry?.statement
        }
    }

    /// The `count` oldest changes will not happen, because the server skipped them. Returns the
    /// statements whose use ends.
    public mutating func undo(_ count: Int) -> [UInt64] {
        var freed: [UInt64] = []
        for change in changes.prefix(count).reversed() {
            switch change {
            case .parsed(let name): if let entry = take(name) { freed.append(entry.statement) }
            case .closed(let entry): if let entry { put(entry) }
            }
        }
        changes.removeFirst(min(count, changes.count))
        return freed
    }

    /// DEALLOCATE ALL was carried out: forgets the names that the server had acknowledged before
    /// and returns their statements. Those still on their way come after it.
    public mutating func removeAcknowledged() -> [UInt64] {
        var freed: [UInt64] = []
        for entry in Array(byHash.values) + collided where !entry.isPending {
            if take(entry.name) != nil { freed.append(entry.statement) }
        }
        return freed
    }

    /// Forgets all names, because the client is gone, and returns their statements.
    public mutating func removeAll() -> [UInt64] {
        var all = byHash.values.map(\.statement) + collided.map(\.statement)
        for case .closed(let entry?) in changes { all.append(entry.statement) }
        byHash.removeAll()
        collided.removeAll()
        changes.removeAll()
        return all
    }

    private mutating func put(_ entry: Entry) {
        let hash = entry.name.hash64()
        if let there = byHash[hash], there.name != entry.name {
            collided.removeAll { $0.name == entry.name }
            collided.append(entry)
        } else {
            byHash[hash] = entry
        }
    }

    private mutating func take(_ name: [UInt8]) -> Entry? {
        let hash = name.hash64()
        if let entry = byHash[hash], entry.name == name {
            byHash[hash] = nil
            if let next = collided.firstIndex(where: { $0.name.hash64() == hash }) {
                byHash[hash] = collided.remove(at: next)
            }
            return entry
        }
        guard let index = collided.firstIndex(where: { $0.name == name }) else { return nil }
        return collided.remove(at: index)
    }
}
