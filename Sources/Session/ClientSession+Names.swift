internal import Bytes
internal import SQL
internal import Wire

// Texts that name prepared statements: PREPARE, EXECUTE, DEALLOCATE. The client's names in them
// become ours, as in the messages of the extended protocol: both kinds of names are the same ones.

/// What running a text does to its client's names, once the server says that it has run.
enum NameChange: Sendable {
    /// PREPARE. Holds a use of the statement until it has happened.
    case prepared(name: [UInt8], statement: UInt64)
    /// DEALLOCATE.
    case deallocated(name: [UInt8])
}

/// What the names in one text stand for now.
struct ResolvedNames: Sendable {
    struct Use: Sendable {
        enum Kind { case prepare, execute, deallocate }
        let kind: Kind
        let statement: UInt64
        /// The client's.
        let name: [UInt8]
        /// Where the name stands in the text.
        let range: Range<Int>
        /// Whether the text itself has prepared it.
        let isOfThisText: Bool
        let facts: SharedFacts?
    }

    let uses: [Use]
    var text: RenamedText
    /// Whether it executes what nobody has seen being prepared.
    let runsUnknown: Bool

    static let none = ResolvedNames(uses: [], text: RenamedText(), runsUnknown: false)
}

/// What a server is to have for a statement: another one with our names in its text, if the text
/// names statements.
struct ActualStatement: Sendable {
    let statement: UInt64
    /// nil = its text names none.
    let named: ResolvedNames?
    /// Whether it was made for this, so that `statement` is used once.
    let isRenamed: Bool

    /// Ends the uses that the text's reading has added.
    func release(_ store: any StatementStore) {
        guard isRenamed else { return }
        store.release(statement)
        for use in names.uses where use.kind == .prepare { store.release(use.statement) }
    }

    var names: ResolvedNames { named ?? .none }
}

extension ClientSession {
    /// What the names in a text stand for; nil = an answer that is still to come decides it. Adds
    /// a use of each statement that the text prepares.
    mutating func resolve(
        _ uses: [NameUse], in text: Range<Int>, of bytes: borrowing RawSpan,
        _ server: borrowing ServerSession, _ store: any StatementStore
    ) -> ResolvedNames? {
        var found: [ResolvedNames.Use] = []
        var runsUnknown = false
        // What the text itself has done to a name before.
        var ownStatements: [String: (statement: UInt64, facts: SharedFacts?)] = [:]
        var ownRemovals: Set<String> = []
        var removesAll = false
        for use in uses {
            let name = Array(use.name.utf8)
            var known = ownStatements[use.name]
            let isOfThisText = known != nil
            if known == nil, !removesAll, !ownRemovals.contains(use.name) {
                guard !name.withRawSpan({ isInDoubt($0, server) }) else {
                    for use in found where use.kind == .prepare { store.release(use.statement) }
                    return nil
                }
                known = name.withRawSpan { names.entry($0) }.map {
                    (reread($0, server, store).statement, $0.facts)
                }
            }
            func note(_ kind: ResolvedNames.Use.Kind, _ statement: UInt64, _ facts: SharedFacts?) {
                found.append(
                    ResolvedNames.Use(
                        kind: kind, statement: statement, name: name, range: use.range,
                        isOfThisText: isOfThisText, facts: facts))
            }
            switch use.kind {
            case .prepare(let definition):
                // A name in use is PostgreSQL's to refuse: under ours it is in use there as well.
                if let known {
                    note(.execute, known.statement, nil)
                } else {
                    var prepared = bytes.extracting(definition).array()
                    prepared.append(0)
                    let reading = reading(server)
                    let made = prepared.withRawSpan {
                        store.intern($0, isFromSQL: true, reading: reading)
                    }
                    note(.prepare, made.statement, made.facts)
                    ownStatements[use.name] = (made.statement, made.facts)
                }
            case .execute:
                // A statement that names others itself is not looked into: it is not found.
                if let known, known.facts?.namesStatements != true {
                    note(.execute, known.statement, known.facts)
                } else {
                    runsUnknown = true
                }
            case .deallocate:
                guard let known else { continue }
                note(.deallocate, known.statement, nil)
                ownStatements[use.name] = nil
                ownRemovals.insert(use.name)
            case .deallocateAll:
                ownStatements.removeAll()
                removesAll = true
            }
        }
        return ResolvedNames(
            uses: found, text: RenamedText(found, in: text, of: bytes), runsUnknown: runsUnknown)
    }

    /// Sees to it that the server has what a text names before it gets the text. Returns what
    /// running it will change, and whether anything was written that an error would make the
    /// server skip the text for.
    mutating func makeReady(
        _ resolved: ResolvedNames, server: inout ServerSession, toServer: inout Outgoing,
        _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) -> (changes: [NameChange], hasWritten: Bool) {
        var changes: [NameChange] = []
        var hasWritten = false
        if resolved.runsUnknown { suspectEverything() }
        // Those that the text itself has used before; then it has taken them away, too.
        var used: Set<UInt64> = []
        for use in resolved.uses {
            defer { used.insert(use.statement) }
            server.replacedNames[use.statement] = use.name
            if use.kind == .execute, let facts = facts(of: use.statement, use.facts, store) {
                note(facts.facts)
                noteRemovals(facts.facts)
            }
            let isThere = server.statements.contains(use.statement)
            switch use.kind {
            case .prepare:
                if isThere, !used.contains(use.statement) {
                    server.dropStatement(use.statement, toServer: &toServer, bytes: bytes)
                    hasWritten = true
                }
                changes.append(.prepared(name: use.name, statement: use.statement))
                continue
            case .deallocate:
                changes.append(.deallocated(name: use.name))
            case .execute: break
            }
            // Deallocated meanwhile: the server will say that it is not there.
            guard !use.isOfThisText, isName(use.name, of: use.statement) else { continue }
            if !isThere { hasWritten = true }
            server.provide(use.statement, toServer: &toServer, bytes: bytes, store: store)
        }
        return (changes, hasWritten)
    }

    /// Has the server know what a text executes, so that it can say what comes of it.
    func provideUses(
        of resolved: ResolvedNames, server: inout ServerSession, toServer: inout Outgoing,
        _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        for use in resolved.uses where use.kind == .execute {
            server.replacedNames[use.statement] = use.name
            guard !use.isOfThisText, isName(use.name, of: use.statement) else { continue }
            server.provide(use.statement, toServer: &toServer, bytes: bytes, store: store)
        }
    }

    /// The batch is over: portals that were not executed change nothing.
    mutating func forgetPortals(_ store: any StatementStore) {
        guard !awaitedPortals.isEmpty else { return }
        for (changes, _) in awaitedPortals.values {
            for case .prepared(_, let statement) in changes { store.release(statement) }
        }
        awaitedPortals.removeAll()
    }

    /// The statement that a server is to have for `template`, whose text names statements: one with
    /// our names in it, for as long as they stand for the same. nil = an answer that is still to
    /// come decides what they stand for. Adds a use of it, and of each that the text prepares.
    mutating func actual(
        _ template: UInt64, _ facts: StatementFacts, _ server: borrowing ServerSession,
        _ store: any StatementStore
    ) -> ActualStatement? {
        var definition = ByteBuffer()
        store.appendDefinition(of: template, to: &definition)
        let bytes = definition.bytes
        let all = 0..<bytes.byteCount
        let text = all.lowerBound..<(bytes.firstOffset(of: 0, in: all) ?? all.upperBound)
        guard let resolved = resolve(facts.nameUses, in: text, of: bytes, server, store) else {
            return nil
        }
        guard !resolved.uses.isEmpty else {
            return ActualStatement(statement: template, named: resolved, isRenamed: false)
        }
        var renamed = ByteBuffer()
        appendText(all, of: bytes, with: resolved.uses, to: &renamed)
        let made = store.intern(renamed.bytes, isFromSQL: false, reading: reading(server))
        return ActualStatement(statement: made.statement, named: resolved, isRenamed: true)
    }

    private func isName(_ name: [UInt8], of statement: UInt64) -> Bool {
        name.withRawSpan { names.entry($0) }?.statement == statement
    }

    /// Appends the text with our names where the client's stand.
    func appendText(
        _ text: Range<Int>, of bytes: borrowing RawSpan, with uses: [ResolvedNames.Use],
        to buffer: inout ByteBuffer
    ) {
        var start = text.lowerBound
        for use in uses {
            buffer.append(bytes.extracting(start..<use.range.lowerBound))
            buffer.append(utf8: ServerStatements.name(of: use.statement))
            start = use.range.upperBound
        }
        buffer.append(bytes.extracting(start..<text.upperBound))
    }
}
