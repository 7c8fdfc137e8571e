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

    /// Adds a use of the statement, if there is one. See `StatementStore`.
    func use(
        _ definition: borrowing RawSpan, isFromSQL: Bool
    ) -> (statement: UInt64, facts: SharedFacts?)? {
        let hash = definition.hash64()
        return table.withLock { table in
            guard let place = table.use(definition, isFromSQL, hash) else { return nil }
            return (table.number(of: place), table.places[place].facts)
        }
    }

    /// The same for a statement that was not there, and has these facts. Another worker may have
    /// been faster.
    func add(
        _ definition: borrowing RawSpan, isFromSQL: Bool, _ facts: SharedFacts?
    ) -> UInt64 {
        let hash = definition.hash64()
        let bytes = definition.array()
        return table.withLock { table in
            let known = bytes.withRawSpan { table.use($0, isFromSQL, hash) }
            let place = known ?? table.add(bytes, isFromSQL, hash, facts)
            return table.number(of: place)
        }
    }

    func facts(of statement: UInt64) -> SharedFacts? {
        table.withLock { table in
            table.place(of: statement).flatMap { table.places[$0].facts }
        }
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
        if let known = shared.use(definition, isFromSQL: isFromSQL) { return known.statement }
        // Read outside of the lock.
        return shared.add(definition, isFromSQL: isFromSQL, read(definition))
    }

    func internWithFacts(
        _ definition: borrowing RawSpan
    ) -> (statement: UInt64, facts: SharedFacts?) {
        if let known = shared.use(definition, isFromSQL: false) { return known }
        let facts = read(definition)
        return (shared.add(definition, isFromSQL: false, facts), facts)
    }

    private func read(_ definition: borrowing RawSpan) -> SharedFacts? {
        let end = definition.firstOffset(of: 0, in: 0..<definition.byteCount)
        let text = 0..<(end ?? definition.byteCount)
        if let known = reader.value.remembered(definition, in: text) {
            return known.isPlain ? nil : SharedFacts(StatementFacts(known))
        }
        let facts = reader.value.facts(of: definition, in: text)
        return facts.isPlain ? nil : SharedFacts(facts)
    }

    func rememberedFacts(
        of text: borrowing RawSpan, in range: Range<Int>, names: SuspectNames?
    ) -> ShortFacts? {
        reader.value.remembered(text, in: range, names: names)
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
