public import SQL

/// What one client may have left in the session of its server, and what it is known to have left.
///
/// Texts give suspicions; before the server is released it is asked about them (`StateQuestion`),
/// and what it says pins it to the client, or is the client's from then on.
public struct SessionTraces: Sendable {
    /// To be asked about before the server is released.
    public internal(set) var suspected: Suspicions = []
    /// Parameters to be asked about; true = what the text did to it last was to reset it.
    var touched: [String: Bool] = [:]
    /// Set until the transaction ends, of those that decide how literals are read: a bit for each
    /// of `TextMeaning.numbers`.
    private var localSettings: UInt16 = 0
    /// Everything was reset since the server was linked.
    var wasReset = false
    /// What the server has of this client's that cannot be taken elsewhere.
    public var pins: Suspicions = []
    /// A question is under way; what it finds may pin.
    private var isAsked = false
    /// The search path may have changed since the last answer.
    private(set) var isPathInDoubt = false
    /// The client has read what nextval() left, so that its servers are kept from then on.
    var readsSequences = false
    /// A text may have changed what others leave, since somebody last looked.
    public var definesFunctions = false
    /// It has called nextval() since its server was linked, or inserted something.
    var hasWrittenSequences = false

    public init() {}

    /// Whether the server holds nothing but what the next client's parameters replace.
    public var isClean: Bool { suspected.isEmpty && pins.isEmpty }

    /// A text with these facts is on its way to the server.
    mutating func note(_ facts: StatementFacts, createsTemporary: Bool = false) {
        var suspicions = facts.suspicions
        if createsTemporary || isPathInDoubt, suspicions.contains(.creations) {
            suspicions.insert(.temporaryObjects)
        }
        suspected.formUnion(
            suspicions.subtracting([
                .sequenceReads, .sequenceWrites, .creations, .removals, .wholeDatabases,
                .definitions, .localReadings,
            ]))
        if suspicions.contains(.localReadings) {
            facts.localParameters.forEach { touchLocally($0) }
        }
        if suspicions.contains(.definitions) { definesFunctions = true }
        // What holds the server may be gone now: it is asked again.
        if suspicions.contains(.removals), !pins.isEmpty || isAsked {
            suspected.insert(.removals)
        }
        noteSequences(suspicions)
        if readsSequences, suspicions.contains(.sequenceWrites) { pins.insert(.sequenceWrites) }
        // Ours are routing's, and hold nothing on the server.
        for parameter in facts.parameters where !parameter.name.hasPrefix("pgweir.") {
            touched[parameter.name] = parameter.isReset
            if parameter.name == "search_path" { isPathInDoubt = true }
        }
        if suspicions.contains(.anyParameter) { isPathInDoubt = true }
        if facts.resetsAll { wasReset = true }
    }

    private mutating func noteSequences(_ suspicions: Suspicions) {
        if suspicions.contains(.sequenceWrites) { hasWrittenSequences = true }
        // What it reads was written in a transaction that is over, maybe on another server.
        if suspicions.contains(.sequenceReads), !hasWrittenSequences { readsSequences = true }
    }

    mutating func touch(_ name: String) {
        touched[name] = false
        suspected.insert(.parameters)
    }

    mutating func touchLocally(_ name: String) {
        if let number = TextMeaning.numbers[name] { localSettings |= 1 << number }
    }

    /// The client has no server any more.
    mutating func unlinked(inTransaction: Bool) {
        hasWrittenSequences = false
        if !inTransaction { localSettings = 0 }
    }

    /// Whether any parameter was set whose value is not known.
    var hasSetParameters: Bool {
        !suspected.isDisjoint(with: [.parameters, .anyParameter]) || localSettings != 0
    }

    /// Whether one of `names` is such a parameter.
    func mayHaveSet(anyOf names: [String]) -> Bool {
        names.contains { name in
            touched[name] != nil
                || TextMeaning.numbers[name].map { localSettings >> $0 & 1 == 1 } ?? false
        }
    }

    mutating func suspectAnything() { suspected.formUnion(.anything) }

    /// The client may have used any of `leavings`, and of what nobody knows yet.
    mutating func suspectAll(of leavings: Leavings?) {
        suspectAnything()
        for parameter in leavings?.parameters ?? [] where touched[parameter.name] == nil {
            touch(parameter.name)
        }
    }

    mutating func suspectAnyParameter() { suspected.insert(.anyParameter) }

    /// The server has answered, and the client's parameters are known.
    mutating func answered() {
        isAsked = false
        isPathInDoubt = touched["search_path"] != nil || suspected.contains(.anyParameter)
    }

    /// Whether notifications may be on their way to the client.
    var mayListen: Bool { pins.union(suspected).contains(.channels) }

    /// The server is asked about all of it; what is noted from now on comes after the question.
    mutating func asked() {
        isAsked = true
        suspected = []
        touched.removeAll()
        hasWrittenSequences = false
        wasReset = false
    }
}
