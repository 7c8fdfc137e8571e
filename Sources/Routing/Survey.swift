public import Sharding

/// What the client's next messages are about, up to the one that says it or the end of their batch.
///
///     │ Parse │ Bind BEGIN │ Execute │ Parse │ Bind with a key │ Execute │ Sync │
///     └──────────────── surveyed ──────────────────────────────┘ lastStart, end
public struct Survey: Sendable {
    public enum Target: Sendable {
        /// The first message is not all there.
        case incomplete
        /// Nothing yet that has a place: wherever the client is.
        case none
        /// The same answer everywhere.
        case anyShard
        /// The last message is for this one.
        case shard(Int)
        /// The last message keeps the transaction where it is.
        case fixed
        /// Where these keys are must be asked first.
        indirect case lookup(LookupSettings, [[KeyValue?]])
        /// A Query that begins a transaction; holds text and tag.
        indirect case begin(String, tag: String)
        /// A Query that ends one; holds the tag.
        indirect case end(tag: String)
        /// The last message is to be refused.
        indirect case refused(Refusal)
        /// Another message goes to the server instead of the last one; holds it whole.
        indirect case replaced([UInt8], HintChange?)
        /// The last message, a Bind, executes what was put in the place of a SET.
        indirect case hint(HintChange)
    }

    public internal(set) var target = Target.none
    /// Behind the last message.
    public internal(set) var end: Int
    /// Where the last message begins.
    public internal(set) var lastStart: Int
    public internal(set) var messageCount = 0
    /// The first byte of the last message.
    public internal(set) var tag: UInt8 = 0
    /// Statements to be run again if the transaction moves, and where their messages end.
    public internal(set) var repeatable: [(text: String, end: Int)] = []
    /// All hints go back to what the login said.
    public internal(set) var resetsHints = false
    var path: ClientRoute.SearchPath?

    init(from offset: Int) {
        end = offset
        lastStart = offset
    }

    /// What was to be asked is known.
    public mutating func decide(_ target: Target) { self.target = target }

    /// The same for the same bytes at another place.
    public func moved(by distance: Int) -> Survey {
        guard distance != 0 else { return self }
        var moved = self
        moved.end += distance
        moved.lastStart += distance
        moved.repeatable = repeatable.map { ($0.text, $0.end + distance) }
        return moved
    }
}

extension ClientRoute {
    /// The messages of `survey` up to `offset` have been sent.
    public mutating func passed(_ survey: Survey, to offset: Int) {
        for (text, end) in survey.repeatable where end <= offset { note(text) }
        guard offset >= survey.end else { return }
        if let path = survey.path { pathInTransaction = path }
        if survey.resetsHints { resetHints() }
    }
}
