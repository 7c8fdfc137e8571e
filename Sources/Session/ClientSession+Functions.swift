internal import Bytes
public import SQL

// Names that leave something behind a text's back: functions, tables with triggers, views. Texts of
// statements are shared by all databases, so what those names make of them is found by each client.

extension ClientSession {
    /// Most statements whose facts are remembered.
    private static let factsCountMax = 2_000

    /// The names that leave something in its database are these from now on; nil = there are none.
    public mutating func know(_ functions: SuspectNames?) {
        guard self.functions !== functions else { return }
        self.functions = functions
        factsByStatement.removeAll()
    }

    /// What its texts have left may be more than what they showed.
    public mutating func suspectEverything() { traces.suspectAll(of: functions?.all) }

    /// What executing `statement` may leave. `shown`: what its text says to who knows no function.
    mutating func facts(
        of statement: UInt64, _ shown: SharedFacts?, _ store: any StatementStore
    ) -> SharedFacts? {
        guard let functions, statement != 0 else { return shown }
        // Where a backslash means something else, the same text may say something else.
        guard hasConformingStrings else { return facts(of: statement, shown, functions, store) }
        if let known = factsByStatement[statement] { return known }
        if factsByStatement.count >= Self.factsCountMax { factsByStatement.removeAll() }
        let facts = facts(of: statement, shown, functions, store)
        factsByStatement[statement] = .some(facts)
        return facts
    }

    private func facts(
        of statement: UInt64, _ shown: SharedFacts?, _ functions: SuspectNames,
        _ store: any StatementStore
    ) -> SharedFacts? {
        var definition = ByteBuffer()
        store.appendDefinition(of: statement, to: &definition)
        let bytes = definition.bytes
        let end = bytes.firstOffset(of: 0, in: 0..<bytes.byteCount) ?? bytes.byteCount
        let read = StatementScanner.facts(
            of: bytes, in: 0..<end, standardConformingStrings: hasConformingStrings,
            names: functions)
        var facts = shown?.facts ?? StatementFacts()
        facts.suspicions.formUnion(read.suspicions)
        facts.parameters = read.parameters
        facts.resetsAll = facts.resetsAll || read.resetsAll
        if facts.isPlain || facts == shown?.facts { return shown }
        return SharedFacts(facts)
    }
}
