/// How a server reads a text that a session sends: two clients share a prepared statement only if
/// its text means the same to both.
public enum Reading: Equatable, Sendable {
    /// Under these settings: `ParameterState.reading`.
    case settings(UInt64)
    /// Nobody knows, because a SET is under way.
    case inDoubt
}

/// A statement in the store, as a client uses it.
public struct InternedStatement: Sendable {
    public let statement: UInt64
    public let facts: SharedFacts?
    /// What its text's meaning depends on.
    public let meaning: StatementMeaning

    public init(_ statement: UInt64, _ facts: SharedFacts?, _ meaning: StatementMeaning) {
        self.statement = statement
        self.facts = facts
        self.meaning = meaning
    }
}

/// For which sessions a statement means what it says; as a number, because it is compared with
/// every Bind.
public struct StatementMeaning: Equatable, Sendable {
    public let number: UInt64

    /// The same for all.
    public static let constant = StatementMeaning(number: 0)
    /// That of the Parse alone: nobody shares it.
    public static let ofMoment = StatementMeaning(number: 1)
    /// The same, until it is known which settings held.
    public static let inDoubt = StatementMeaning(number: 2)

    private init(number: UInt64) { self.number = number }

    /// Its text depends on settings, and is read so.
    public init(_ reading: Reading) {
        switch reading {
        case .settings(let number): self.number = number
        case .inDoubt: self = .inDoubt
        }
    }

    /// Whether it is never another, whatever settings hold.
    @inline(__always) public var isFixed: Bool { number < 2 }
    /// Whether all who read as `self` says may use one statement.
    public var isShared: Bool { self == .constant || number > 2 }
}
