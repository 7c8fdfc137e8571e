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

    /// Adds a use of the statement, if there is one. See `StatementStore` and `StatementTable.use`.
    func use(
        _ definition: borrowing RawSpan, isFromSQL: Bool, _ meaning: StatementMeaning
    ) -> InternedStatement? {
        let hash = definition.hash64()
        return table.withLock { table in
            table.use(definition, isFromSQL, meaning, hash).map { table.interned($0) }
        }
    }

    /// The same for a statement that was not there, and has these facts. Another worker may have
    /// been faster.
    func add(
        _ definition: borrowing RawSpan, isFromSQL: Bool, _ meaning: StatementMeaning,
        _ facts: SharedFacts?
    ) -> InternedStatement {
        let hash = definition.hash64()
        let bytes = definition.array()
        return table.withLock { table in
            let known = bytes.withRawSpan { table.use($0, isFromSQL, meaning, hash) }
            let place = known ?? table.add(bytes, isFromSQL, meaning, hash, facts)
            return table.interned(place)
        }
    }

    func meaning(of statement: UInt64) -> StatementMeaning {
        table.withLock { table in
            table.place(of: statement).map { table.places[$0].meaning }
                ?? StatementMeaning(literals: StatementMeaning.constant, path: 0)
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

    func intern(
        _ definition: borrowing RawSpan, isFromSQL: Bool, reading: Reading
    ) -> InternedStatement {
        let wanted = StatementMeaning(reading)
        if let known = shared.use(definition, isFromSQL: isFromSQL, wanted) { return known }
        // Read outside of the lock.
        let end = definition.firstOffset(of: 0, in: 0..<definition.byteCount)
        let text = 0..<(end ?? definition.byteCount)
        let meaning = StatementMeaning(of: definition, in: text, reading)
        return shared.add(
            definition, isFromSQL: isFromSQL, meaning, read(definition, in: text))
    }

    func meaning(of statement: UInt64) -> StatementMeaning { shared.meaning(of: statement) }

    private func read(_ definition: borrowing RawSpan, in text: Range<Int>) -> SharedFacts? {
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
