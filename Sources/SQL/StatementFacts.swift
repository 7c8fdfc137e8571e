/// What a query string may leave behind in the session of the server that runs it, as far as its
/// text shows. A suspicion only says what to ask the server for once the transaction is over.
public struct Suspicions: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Parameters that the text does not name.
    public static let anyParameter = Suspicions(rawValue: 1 << 0)
    /// Parameters that the text names: `StatementFacts.parameters`.
    public static let parameters = Suspicions(rawValue: 1 << 1)
    /// Session-level advisory locks.
    public static let advisoryLocks = Suspicions(rawValue: 1 << 2)
    /// Temporary tables, views, sequences, functions.
    public static let temporaryObjects = Suspicions(rawValue: 1 << 3)
    /// Cursors WITH HOLD.
    public static let heldCursors = Suspicions(rawValue: 1 << 4)
    /// LISTEN, UNLISTEN.
    public static let channels = Suspicions(rawValue: 1 << 5)
    /// LOAD.
    public static let libraries = Suspicions(rawValue: 1 << 6)
    /// setseed(), SET SEED.
    public static let seed = Suspicions(rawValue: 1 << 7)
    /// currval(), lastval(): the text reads what an earlier one left.
    public static let sequenceReads = Suspicions(rawValue: 1 << 8)
    /// nextval(), INSERT: the text may leave what they read.
    public static let sequenceWrites = Suspicions(rawValue: 1 << 9)
    /// PREPARE: `StatementFacts.nameUses`.
    public static let preparedStatements = Suspicions(rawValue: 1 << 10)
    /// DROP, DISCARD, CLOSE, unlocking: what held the server may be gone.
    public static let removals = Suspicions(rawValue: 1 << 11)

    /// CREATE: temporary if the search path says so.
    public static let creations = Suspicions(rawValue: 1 << 12)
    /// DROP DATABASE and the like: nothing is left behind, but nobody else may be connected to
    /// `StatementFacts.databases`.
    public static let wholeDatabases = Suspicions(rawValue: 1 << 13)
    /// CREATE FUNCTION and the like: what other texts leave may be more from now on.
    public static let definitions = Suspicions(rawValue: 1 << 14)
    /// SET LOCAL of what decides how literals are read: `StatementFacts.localParameters`. Nothing
    /// of it is left behind the transaction.
    public static let localReadings = Suspicions(rawValue: 1 << 15)

    /// What a text that runs code which it does not show (DO, CALL) may leave behind.
    public static let anything: Suspicions = [
        .anyParameter, .advisoryLocks, .temporaryObjects, .heldCursors, .channels, .removals,
        .preparedStatements,
    ]
}

extension Suspicions: CustomStringConvertible {
    private static let names: [(Suspicions, String)] = [
        (.anyParameter, "parameters that cannot be asked for"), (.parameters, "parameters"),
        (.advisoryLocks, "advisory locks"), (.temporaryObjects, "temporary objects"),
        (.heldCursors, "cursors WITH HOLD"), (.channels, "LISTEN"), (.libraries, "LOAD"),
        (.seed, "setseed"), (.sequenceReads, "sequence reads"),
        (.sequenceWrites, "sequence values"), (.preparedStatements, "PREPARE"),
        (.removals, "removals"), (.creations, "creations"), (.wholeDatabases, "databases"),
        (.definitions, "definitions"), (.localReadings, "SET LOCAL"),
    ]

    /// For users: what keeps a server.
    public var description: String {
        Self.names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
    }
}

/// A session parameter that a text sets or resets for longer than its transaction.
public struct ParameterTouch: Equatable, Sendable {
    /// Lower case.
    public let name: String
    /// RESET, or SET TO DEFAULT.
    public let isReset: Bool

    public init(_ name: String, isReset: Bool = false) {
        self.name = name
        self.isReset = isReset
    }
}

/// A place where a text names a prepared statement.
public struct NameUse: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// PREPARE; its text from the parameter types, or AS, to the statement's end.
        case prepare(definition: Range<Int>)
        case execute
        case deallocate
        /// DEALLOCATE ALL, DISCARD ALL; the range is empty.
        case deallocateAll
    }

    public let kind: Kind
    /// The name, with its quotes.
    public let range: Range<Int>
    /// As PostgreSQL would know it.
    public let name: String

    /// The same in a text that stands `distance` bytes further on.
    public func moved(by distance: Int) -> NameUse {
        var kind = kind
        if case .prepare(let text) = kind {
            kind = .prepare(
                definition: text.lowerBound + distance..<text.upperBound + distance)
        }
        return NameUse(
            kind: kind, range: range.lowerBound + distance..<range.upperBound + distance,
            name: name)
    }
}

/// How a query string stands to transaction blocks.
public enum BlockEffect: Equatable, Sendable {
    /// Leaves it as it is.
    case none
    /// Ends with a block open.
    case opens
    /// Ends with no block open.
    case ends
}

/// What the text of one query string says, as far as a pooler must know. See `StatementScanner`.
public struct StatementFacts: Equatable, Sendable {
    public var suspicions: Suspicions = []
    public var block = BlockEffect.none
    /// DISCARD ALL, RESET ALL: parameters go back to what the session began with.
    public var resetsAll = false
    public var statementCount = 0

    private var details = Details.none

    public init() {}

    /// Whether there is nothing to follow.
    public var isPlain: Bool {
        suspicions.isEmpty && nameUses.isEmpty && block == .none && !resetsAll
    }
}

/// What the text of a query string says that names nothing.
public struct ShortFacts: Equatable, Sendable {
    public let suspicions: Suspicions
    public let block: BlockEffect
    public let resetsAll: Bool
    public let statementCount: Int

    /// Whether there is nothing to follow.
    public var isPlain: Bool { suspicions.isEmpty && block == .none && !resetsAll }
}

extension StatementFacts {
    public init(_ short: ShortFacts) {
        suspicions = short.suspicions
        block = short.block
        resetsAll = short.resetsAll
        statementCount = short.statementCount
    }

    /// nil = it names something.
    public var short: ShortFacts? {
        guard !hasDetails else { return nil }
        return ShortFacts(
            suspicions: suspicions, block: block, resetsAll: resetsAll,
            statementCount: statementCount)
    }
}

// What few texts have stands apart: a text without costs one empty pointer.
extension StatementFacts {
    private struct Lists: Equatable, Sendable {
        var parameters: [ParameterTouch] = []
        var boundNames: [Int] = []
        var localParameters: [String] = []
        var boundLocalNames: [Int] = []
        var nameUses: [NameUse] = []
        var channelRemovals: [ChannelRemoval] = []
        var databases: [String] = []
    }

    private indirect enum Details: Equatable, Sendable {
        case none
        case some(Lists)
    }

    private var lists: Lists? {
        @inline(__always) get { if case .some(let lists) = details { lists } else { nil } }
    }

    private mutating func set<Value>(_ list: WritableKeyPath<Lists, Value>, _ value: Value) {
        var lists = lists ?? Lists()
        lists[keyPath: list] = value
        details = .some(lists)
    }

    /// Whether anything is in the lists that follow.
    public var hasDetails: Bool {
        if case .none = details { false } else { true }
    }

    /// In the order of the text.
    public var parameters: [ParameterTouch] {
        get { lists?.parameters ?? [] }
        set { set(\.parameters, newValue) }
    }

    /// Numbers of the parameters of the extended protocol that name a parameter in set_config().
    public var boundNames: [Int] {
        get { lists?.boundNames ?? [] }
        set { set(\.boundNames, newValue) }
    }

    /// Those of `TextMeaning` that are set until the transaction ends, in lower case.
    public var localParameters: [String] {
        get { lists?.localParameters ?? [] }
        set { set(\.localParameters, newValue) }
    }

    /// As `boundNames`, until the transaction ends.
    public var boundLocalNames: [Int] {
        get { lists?.boundLocalNames ?? [] }
        set { set(\.boundLocalNames, newValue) }
    }

    /// Whether values of a Bind are names of parameters.
    public var namesInValues: Bool {
        !boundNames.isEmpty || !boundLocalNames.isEmpty
    }

    public var nameUses: [NameUse] {
        get { lists?.nameUses ?? [] }
        set { set(\.nameUses, newValue) }
    }

    /// UNLISTEN, DISCARD ALL.
    public var channelRemovals: [ChannelRemoval] {
        get { lists?.channelRemovals ?? [] }
        set { set(\.channelRemovals, newValue) }
    }

    /// Those that PostgreSQL wants to have for the statement alone, by their names on the server.
    public var databases: [String] {
        get { lists?.databases ?? [] }
        set { set(\.databases, newValue) }
    }
}
