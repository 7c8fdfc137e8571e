internal import Bytes
internal import EventLoop
internal import SQL
internal import Session

/// The texts of prepared statements of all clients and servers, one copy each.
///
/// A statement's number is its place in a table and how often that place was taken, so that it is
/// found without a search and never stands for another text:
///
///     generation (31 bits) │ place (32 bits) │ 1 = made by PREPARE
final class SharedStatements: Sendable {
    private let table = Guarded(StatementTable())
    let parameterStates = ParameterStates()

    var count: Int { table.withLock { $0.count } }

    /// See `StatementStore`; `read` gives the facts of a text that is new.
    func intern(
        _ definition: borrowing RawSpan, isFromSQL: Bool,
        _ read: (borrowing RawSpan) -> SharedFacts?
    ) -> UInt64 {
        let hash = definition.hash64()
        let known = table.withLock { $0.use(definition, isFromSQL, hash) }
        if let known { return known }
        // Read outside of the lock; another worker may be doing the same.
        let bytes = definition.array()
        let facts = read(definition)
        return table.withLock { table in
            bytes.withRawSpan { table.use($0, isFromSQL, hash) }
                ?? table.add(bytes, isFromSQL, hash, facts)
        }
    }

    func internWithFacts(
        _ definition: borrowing RawSpan, _ read: (borrowing RawSpan) -> SharedFacts?
    ) -> (statement: UInt64, facts: SharedFacts?) {
        let hash = definition.hash64()
        let known = table.withLock { table in
            table.use(definition, false, hash).map { ($0, Self.facts(of: $0, in: table)) }
        }
        if let known { return known }
        let statement = intern(definition, isFromSQL: false, read)
        return (statement, facts(of: statement))
    }

    func facts(of statement: UInt64) -> SharedFacts? {
        table.withLock { Self.facts(of: statement, in: $0) }
    }

    private static func facts(of statement: UInt64, in table: StatementTable) -> SharedFacts? {
        table.place(of: statement).flatMap { table.places[$0].facts }
    }

    func canonical(_ state: ParameterState) -> ParameterState { parameterStates.canonical(state) }

    func retain(_ statement: UInt64) { table.withLock { $0.retain(statement) } }

    func release(_ statement: UInt64) { table.withLock { $0.release(statement) } }

    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer) {
        let definition = table.withLock { table in
            table.place(of: statement).map { table.places[$0].definition }
        }
        if let definition { buffer.append(definition) }
    }
}

/// The statements as one worker reaches them: with what it remembers of the texts that it has read.
final class WorkerStatements: StatementStore {
    private let shared: SharedStatements
    private let reader = Box(StatementReader())

    init(_ shared: SharedStatements) { self.shared = shared }

    func intern(_ definition: borrowing RawSpan, isFromSQL: Bool) -> UInt64 {
        shared.intern(definition, isFromSQL: isFromSQL, read)
    }

    func internWithFacts(
        _ definition: borrowing RawSpan
    ) -> (statement: UInt64, facts: SharedFacts?) {
        shared.internWithFacts(definition, read)
    }

    private func read(_ definition: borrowing RawSpan) -> SharedFacts? {
        let end = definition.firstOffset(of: 0, in: 0..<definition.byteCount)
        let facts = reader.value.facts(of: definition, in: 0..<(end ?? definition.byteCount))
        return facts.isPlain ? nil : SharedFacts(facts)
    }

    func facts(
        of text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool,
        names: SuspectNames?
    ) -> StatementFacts {
        reader.value.facts(
            of: text, in: range, standardConformingStrings: standardConformingStrings,
            names: names)
    }

    func facts(of statement: UInt64) -> SharedFacts? { shared.facts(of: statement) }

    func canonical(_ state: ParameterState) -> ParameterState { shared.canonical(state) }

    func retain(_ statement: UInt64) { shared.retain(statement) }

    func release(_ statement: UInt64) { shared.release(statement) }

    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer) {
        shared.appendDefinition(of: statement, to: &buffer)
    }
}
