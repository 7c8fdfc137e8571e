import Bytes
import SQL
import Session
import Synchronization

/// The statements' texts and how often each is in use; notes what must not happen.
final class FakeStore: StatementStore {
    private struct Entry {
        let definition: [UInt8]
        let meaning: StatementMeaning
        var useCount: Int
    }

    private struct Table {
        var entries: [UInt64: Entry] = [:]
        var last: UInt64 = 0
        var faults: [String] = []
    }

    private let table = Mutex(Table())

    /// Statements that somebody still uses.
    var count: Int { table.withLock { $0.entries.count } }
    /// Uses of what nobody holds.
    var faults: [String] { table.withLock { $0.faults } }

    func useCount(of statement: UInt64) -> Int {
        table.withLock { $0.entries[statement]?.useCount ?? 0 }
    }

    func intern(
        _ definition: borrowing RawSpan, isFromSQL: Bool, reading: Reading
    ) -> InternedStatement {
        let bytes = definition.array()
        let end = definition.firstOffset(of: 0, in: 0..<definition.byteCount) ?? 0
        let meaning = StatementMeaning(of: definition, in: 0..<end, reading)
        let statement = table.withLock { table in
            let known = table.entries.first {
                $0.value.definition == bytes && ($0.key & 1 == 1) == isFromSQL
                    && $0.value.meaning == meaning && meaning.isShared
            }
            if let known = known?.key {
                table.entries[known]?.useCount += 1
                return known
            }
            table.last += 2
            let statement = isFromSQL ? table.last + 1 : table.last
            table.entries[statement] = Entry(definition: bytes, meaning: meaning, useCount: 1)
            return statement
        }
        return InternedStatement(statement, facts(of: statement), meaning)
    }

    func intern(_ definition: borrowing RawSpan, isFromSQL: Bool) -> UInt64 {
        let reading = Reading(literals: 4, path: 0)
        return intern(definition, isFromSQL: isFromSQL, reading: reading).statement
    }

    func meaning(of statement: UInt64) -> StatementMeaning {
        table.withLock { $0.entries[statement]?.meaning } ?? StatementMeaning(literals: 0, path: 0)
    }

    func facts(of statement: UInt64) -> SharedFacts? {
        guard let definition = table.withLock({ $0.entries[statement]?.definition }) else {
            return nil
        }
        let facts = definition.withRawSpan { bytes in
            let end = bytes.firstOffset(of: 0, in: 0..<bytes.byteCount) ?? 0
            return StatementScanner.facts(of: bytes, in: 0..<end)
        }
        return facts.isPlain ? nil : SharedFacts(facts)
    }

    func retain(_ statement: UInt64) {
        table.withLock { table in
            if table.entries[statement] == nil { table.faults.append("retain of \(statement)") }
            table.entries[statement]?.useCount += 1
        }
    }

    func release(_ statement: UInt64) {
        table.withLock { table in
            guard let entry = table.entries[statement] else {
                table.faults.append("release of \(statement)")
                return
            }
            if entry.useCount == 1 {
                table.entries[statement] = nil
            } else {
                table.entries[statement]?.useCount -= 1
            }
        }
    }

    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer) {
        let definition = table.withLock { table in
            if table.entries[statement] == nil { table.faults.append("text of \(statement)") }
            return table.entries[statement]?.definition
        }
        if let definition { buffer.append(definition) }
    }
}
