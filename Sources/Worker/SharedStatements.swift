internal import Bytes
internal import EventLoop
internal import SQL
internal import Session

/// The texts of prepared statements of all clients and servers, one copy each.
final class SharedStatements: StatementStore, Sendable {
    private struct Entry: Sendable {
        let definition: [UInt8]
        let facts: SharedFacts?
        let hash: UInt64
        var useCount: Int
    }

    private struct Table: Sendable {
        var entries: [UInt64: Entry] = [:]
        /// By hash of the definition; several when hashes collide.
        var byHash: [UInt64: [UInt64]] = [:]
        var last: UInt64 = 0
    }

    private let table = Guarded(Table())
    let parameterStates = ParameterStates()

    var count: Int { table.withLock { $0.entries.count } }

    func intern(_ definition: borrowing RawSpan) -> UInt64 {
        let hash = definition.hash64()
        let bytes = definition.array()
        if let known = table.withLock({ Self.use(bytes, hash, &$0) }) { return known }
        // Read outside of the lock; another worker may be doing the same.
        let facts = Self.facts(of: bytes)
        return table.withLock { table in
            Self.use(bytes, hash, &table) ?? Self.add(bytes, hash, facts, &table)
        }
    }

    private static func facts(of definition: [UInt8]) -> SharedFacts? {
        let facts = definition.withRawSpan { bytes in
            let end = bytes.firstOffset(of: 0, in: 0..<bytes.byteCount) ?? bytes.byteCount
            return StatementScanner.facts(of: bytes, in: 0..<end)
        }
        return facts.isPlain ? nil : SharedFacts(facts)
    }

    private static func use(
        _ definition: [UInt8], _ hash: UInt64, _ table: inout Table
    ) -> UInt64? {
        for statement in table.byHash[hash] ?? [] {
            guard let entry = table.entries[statement], entry.definition == definition else {
                continue
            }
            table.entries[statement]?.useCount += 1
            return statement
        }
        return nil
    }

    private static func add(
        _ definition: [UInt8], _ hash: UInt64, _ facts: SharedFacts?, _ table: inout Table
    ) -> UInt64 {
        table.last += 1
        table.entries[table.last] = Entry(
            definition: definition, facts: facts, hash: hash, useCount: 1)
        table.byHash[hash, default: []].append(table.last)
        return table.last
    }

    func facts(of statement: UInt64) -> SharedFacts? {
        table.withLock { $0.entries[statement]?.facts }
    }

    func canonical(_ state: ParameterState) -> ParameterState { parameterStates.canonical(state) }

    func retain(_ statement: UInt64) {
        table.withLock { $0.entries[statement]?.useCount += 1 }
    }

    func release(_ statement: UInt64) {
        table.withLock { table in
            guard let entry = table.entries[statement] else { return }
            guard entry.useCount == 1 else {
                table.entries[statement]?.useCount -= 1
                return
            }
            table.entries[statement] = nil
            table.byHash[entry.hash]?.removeAll { $0 == statement }
            if table.byHash[entry.hash]?.isEmpty == true { table.byHash[entry.hash] = nil }
        }
    }

    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer) {
        let definition = table.withLock { $0.entries[statement]?.definition }
        if let definition { buffer.append(definition) }
    }
}
