internal import Bytes
internal import DequeModule

/// One client's names for its prepared statements.
///
/// A Parse or a Close changes them at once, so that what is sent behind it is understood; each
/// change waits for its answer, and is taken back if the server has skipped the message.
public struct StatementNames: Sendable {
    struct Entry: Sendable {
        let name: [UInt8]
        var statement: UInt64
        let facts: SharedFacts?
        var meaning: StatementMeaning
        /// Of the change that made it; 0 = the server has acknowledged it.
        var serial: UInt64
    }

    /// By hash of the name; names whose hash is taken stand in `collided`.
    private var byHash: [UInt64: Entry] = [:]
    private var collided: [Entry] = []
    private var changes: Deque<Change> = []
    private var lastSerial: UInt64 = 0
    /// Changes up to this one were sent before the last Sync.
    private var batchSerial: UInt64 = 0
    /// By hash of the name: Closes that are not acknowledged.
    private var closing: [UInt64: Int] = [:]

    private enum Change: Sendable {
        case parsed(name: [UInt8], serial: UInt64)
        /// What the name stood for, if it was in use.
        case closed(name: [UInt8], Entry?)
    }

    public init() {}

    public var count: Int { byHash.count + collided.count }

    /// The statement called `name`, and whether the server has yet to acknowledge it.
    public func find(_ name: borrowing RawSpan) -> (statement: UInt64, isPending: Bool)? {
        entry(name).map { ($0.statement, $0.serial != 0) }
    }

    /// Whether a Close of `name`, or of another of the same hash, waits for its answer.
    public func isClosing(_ name: borrowing RawSpan) -> Bool {
        !closing.isEmpty && closing[name.hash64()] != nil
    }

    /// A name of `statement` that the client gave, or is about to close.
    func name(of statement: UInt64) -> [UInt8]? {
        for entry in byHash.values where entry.statement == statement { return entry.name }
        for entry in collided where entry.statement == statement { return entry.name }
        for case .closed(let name, let entry?) in changes where entry.statement == statement {
            return name
        }
        return nil
    }

    /// A Sync was sent.
    mutating func endBatch() { batchSerial = lastSerial }

    /// What the most frequent question needs of an entry; holds nothing.
    struct Found {
        let statement: UInt64
        /// The Parse that made it may yet be skipped, and what uses it not: it was sent before the
        /// last Sync and is not answered.
        let isInDoubt: Bool
        /// Whether there is anything to follow when it is executed.
        let hasFacts: Bool
        let meaning: StatementMeaning
    }

    func found(_ name: borrowing RawSpan) -> Found? {
        guard let entry = entry(name) else { return nil }
        return Found(
            statement: entry.statement,
            isInDoubt: entry.serial != 0 && entry.serial <= batchSerial,
            hasFacts: entry.facts != nil, meaning: entry.meaning)
    }

    func entry(_ name: borrowing RawSpan) -> Entry? {
        guard let entry = byHash[name.hash64()] else { return nil }
        if entry.name.equals(name) { return entry }
        for entry in collided where entry.name.equals(name) { return entry }
        return nil
    }

    /// A Parse of `name`, which is free, was sent or stands in for one.
    public mutating func parsed(
        _ name: borrowing RawSpan, as statement: InternedStatement
    ) {
        let copy = name.array()
        lastSerial += 1
        put(
            Entry(
                name: copy, statement: statement.statement, facts: statement.facts,
                meaning: statement.meaning, serial: lastSerial))
        changes.append(.parsed(name: copy, serial: lastSerial))
    }

    /// A Close of `name` was sent or stands in for one.
    public mutating func closed(_ name: borrowing RawSpan) {
        let copy = name.array()
        changes.append(.closed(name: copy, take(copy)))
        closing[copy.hash64(), default: 0] += 1
    }

    /// The oldest change was acknowledged. Returns the statement that a Close set free.
    public mutating func acknowledge() -> UInt64? {
        guard let change = changes.popFirst() else { return nil }
        switch change {
        case .parsed(let name, let serial):
            acknowledged(name, serial)
            return nil
        case .closed(let name, let entry):
            noLongerClosing(name)
            return entry?.statement
        }
    }

    /// The `count` oldest changes will not happen, because the server skipped them. Returns the
    /// statements whose use ends.
    public mutating func undo(_ count: Int) -> [UInt64] {
        var freed: [UInt64] = []
        let count = min(count, changes.count)
        for change in changes.prefix(count).reversed() {
            switch change {
            case .parsed(let name, let serial):
                if let entry = take(name) {
                    if entry.serial == serial { freed.append(entry.statement) } else { put(entry) }
                }
            case .closed(let name, let entry):
                noLongerClosing(name)
                if let entry { put(entry) }
            }
        }
        changes.removeFirst(count)
        return freed
    }

    /// DEALLOCATE ALL was carried out: forgets the names that the server had acknowledged before
    /// and returns their statements. Those still on their way come after it.
    public mutating func removeAcknowledged() -> [UInt64] {
        var freed: [UInt64] = []
        for entry in Array(byHash.values) + collided where entry.serial == 0 {
            if take(entry.name) != nil { freed.append(entry.statement) }
        }
        return freed
    }

    /// A PREPARE of `name` has run. Returns the statement whose name it takes, if there is one.
    mutating func prepared(
        _ name: [UInt8], as statement: InternedStatement
    ) -> UInt64? {
        let old = take(name)
        put(
            Entry(
                name: name, statement: statement.statement, facts: statement.facts,
                meaning: statement.meaning, serial: 0))
        return old?.statement
    }

    /// The text that `name` stands for is read otherwise now.
    mutating func reread(_ name: [UInt8], as statement: InternedStatement) {
        guard var entry = take(name) else { return }
        entry.statement = statement.statement
        entry.meaning = statement.meaning
        put(entry)
    }

    /// Takes `name` out, because the server has deallocated it. Returns its statement.
    mutating func remove(_ name: [UInt8]) -> UInt64? { take(name)?.statement }

    /// Forgets all names, because the client is gone, and returns their statements.
    public mutating func removeAll() -> [UInt64] {
        var all = byHash.values.map(\.statement) + collided.map(\.statement)
        for case .closed(_, let entry?) in changes { all.append(entry.statement) }
        byHash.removeAll()
        collided.removeAll()
        changes.removeAll()
        closing.removeAll()
        return all
    }

    /// The entry that this change made may have been closed meanwhile, and may yet come back.
    private mutating func acknowledged(_ name: [UInt8], _ serial: UInt64) {
        if var entry = take(name) {
            if entry.serial == serial { entry.serial = 0 }
            put(entry)
        }
        for index in changes.indices {
            guard case .closed(let name, var entry?) = changes[index], entry.serial == serial
            else { continue }
            entry.serial = 0
            changes[index] = .closed(name: name, entry)
        }
    }

    private mutating func noLongerClosing(_ name: [UInt8]) {
        let hash = name.hash64()
        guard let count = closing[hash] else { return }
        closing[hash] = count > 1 ? count - 1 : nil
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
