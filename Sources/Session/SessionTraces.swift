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
    /// Everything was reset since the server was linked.
    var wasReset = false
    /// What the server has of this client's that cannot be taken elsewhere.
    public var pins: Suspicions = []
    /// The client has read what nextval() left, so that its servers are kept from then on.
    var readsSequences = false

    public init() {}

    /// Kinds of state that keep the server with its client.
    static let pinning: Suspicions = [
        .advisoryLocks, .temporaryObjects, .heldCursors, .libraries, .seed, .sequenceWrites,
        .preparedStatements,
    ]

    /// Whether the server holds nothing but what the next client's parameters replace.
    public var isClean: Bool { suspected.isEmpty && pins.isEmpty }

    /// A text with these facts is on its way to the server.
    mutating func note(_ facts: StatementFacts) {
        let suspicions = facts.suspicions
        if suspicions.isEmpty && !facts.resetsAll { return }
        suspected.formUnion(
            suspicions.subtracting([.sequenceReads, .sequenceWrites]))
        // What holds the server may be gone now: it is asked again.
        if !suspicions.contains(.removals) { suspected.remove(.removals) }
        if suspicions.contains(.removals), pins.isEmpty { suspected.remove(.removals) }
        if readsSequences, suspicions.contains(.sequenceWrites) { pins.insert(.sequenceWrites) }
        for parameter in facts.parameters { touched[parameter.name] = parameter.isReset }
        if facts.resetsAll { wasReset = true }
    }

    mutating func touch(_ name: String) {
        touched[name] = false
        suspected.insert(.parameters)
    }

    mutating func suspectAnyParameter() { suspected.insert(.anyParameter) }

    /// The server was asked and has answered.
    mutating func answered() {
        suspected = []
        touched.removeAll()
        wasReset = false
    }
}
