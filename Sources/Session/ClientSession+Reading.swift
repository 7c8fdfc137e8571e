internal import Bytes
internal import SQL
internal import Wire

// What a statement's text means is settled when a server parses it. A client's statement is parsed
// by each server that it meets, so it means what the client's settings say when it is used.

extension ClientSession {
    /// How the server would read a text that is sent now.
    func reading(_ server: borrowing ServerSession) -> Reading {
        Reading(
            literals: isReadingInDoubt(server) ? nil : parameters.literals, path: parameters.path)
    }

    /// Whether something under way may change what literals mean.
    func isReadingInDoubt(_ server: borrowing ServerSession) -> Bool {
        // Nearly always there is none.
        guard traces.hasSetParameters else { return false }
        if traces.suspected.contains(.anyParameter) { return true }
        if traces.mayHaveSet(anyOf: TextMeaning.otherSettings) { return true }
        // What the server reports is known when it has answered.
        return !server.ledger.isEmpty && traces.mayHaveSet(anyOf: TextMeaning.reportedSettings)
    }

    /// What the client's statement is to be now that it is used. It has been acknowledged, or is of
    /// this batch.
    mutating func reread(
        _ known: StatementNames.Entry, _ server: borrowing ServerSession,
        _ store: any StatementStore
    ) -> StatementNames.Entry {
        guard known.serial == 0,
            let made = reread(known.statement, known.meaning, server, store)
        else { return known }
        names.reread(known.name, as: made)
        store.release(known.statement)
        var entry = known
        entry.statement = made.statement
        entry.meaning = made.meaning
        return entry
    }

    /// The same for the statement without a name, if this server is to get it again.
    mutating func rereadUnnamed(
        _ server: borrowing ServerSession, _ store: any StatementStore
    ) {
        let statement = unnamed.current
        guard server.unnamed != statement, statement != 0,
            let made = reread(statement, store.meaning(of: statement), server, store)
        else { return }
        store.release(unnamed.reread(as: made.statement))
    }

    /// nil = it means what it did. Adds a use of what it is now.
    private func reread(
        _ statement: UInt64, _ meaning: StatementMeaning, _ server: borrowing ServerSession,
        _ store: any StatementStore
    ) -> InternedStatement? {
        let isOfPath = meaning.path == parameters.path
        if isOfPath, meaning.isFixed { return nil }
        let reading = reading(server)
        // In doubt, a server that has it knows what it meant.
        let isMeant =
            reading.literals.map { $0 == meaning.literals || meaning.isFixed }
            ?? server.statements.contains(statement)
        if isOfPath, isMeant { return nil }
        var definition = ByteBuffer()
        store.appendDefinition(of: statement, to: &definition)
        return store.intern(
            definition.bytes, isFromSQL: ServerStatements.isFromSQL(statement), reading: reading)
    }
}
