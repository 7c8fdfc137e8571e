public import Sharding
internal import Wire

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
    var repeatable: [Repeatable] = []
    /// What the last message changes if it succeeds.
    var effect: RouteEffect?
    /// The last message is read as the session is set, which what was sent before may change.
    var dependsOnAnswers = false
    /// More of its batch is to come before the client expects an answer.
    public internal(set) var isOpenEnded = false

    /// Whether its last message is answered by a ReadyForQuery.
    var endsBatch: Bool {
        tag == ClientTag.query || tag == ClientTag.sync || tag == ClientTag.functionCall
    }

    struct Repeatable: Sendable {
        let text: String
        /// Behind its message.
        var end: Int
        let isBegin: Bool

        init(_ text: String, _ end: Int, isBegin: Bool = false) {
            self.text = text
            self.end = end
            self.isBegin = isBegin
        }
    }

    init(from offset: Int) {
        end = offset
        lastStart = offset
    }

    /// The last message, a Bind, is of a statement that was recognised.
    mutating func take(_ found: RecognisedRoute) {
        if case .shard(let shard) = found { target = .shard(shard) }
    }

    /// What was to be asked is known.
    public mutating func decide(_ target: Target) { self.target = target }

    /// The same bytes have another place.
    public mutating func move(by distance: Int) {
        guard distance != 0 else { return }
        end += distance
        lastStart += distance
        for index in repeatable.indices { repeatable[index].end += distance }
    }
}

/// What a statement changes for those behind it, if the server carries it out.
enum RouteEffect: Sendable {
    indirect case hint(HintChange)
    /// All hints go back to what the login said.
    case resetHints
    indirect case path(ClientRoute.SearchPath)
    /// COMMIT or ROLLBACK: SET LOCAL ends, SET may be taken back.
    case end
    case rollbackTo
}
