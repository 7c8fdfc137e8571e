internal import Bytes
internal import SQL

/// How a server reads a text that a session sends: two clients share a prepared statement only if
/// its text means the same to both.
public struct Reading: Equatable, Sendable {
    /// `ParameterState.literals`; nil = nobody knows, because a SET is under way.
    public let literals: UInt64?
    /// `ParameterState.path`.
    public let path: UInt64

    public init(literals: UInt64?, path: UInt64) {
        self.literals = literals
        self.path = path
    }
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

/// For which sessions a statement means what it says; as numbers, because they are compared with
/// every Bind.
public struct StatementMeaning: Equatable, Sendable {
    /// Of what its literals mean; below 3 = `constant`, `ofMoment`, `inDoubt`.
    public let literals: UInt64
    /// Of what its names mean, and so of its parameters' types.
    public let path: UInt64

    /// The same for all.
    public static let constant: UInt64 = 0
    /// That of the Parse alone: nobody shares it.
    public static let ofMoment: UInt64 = 1
    /// The same, until it is known which settings held.
    public static let inDoubt: UInt64 = 2

    public init(literals: UInt64, path: UInt64) {
        self.literals = literals
        self.path = path
    }

    /// That of a text whose literals depend on settings.
    public init(_ reading: Reading) {
        self.init(literals: reading.literals ?? Self.inDoubt, path: reading.path)
    }

    /// That of the text in `range`, which is read so.
    public init(of text: borrowing RawSpan, in range: Range<Int>, _ reading: Reading) {
        switch TextMeaning(text, in: range) {
        case .constant: self.init(literals: Self.constant, path: reading.path)
        case .ofSettings: self.init(reading)
        case .ofMoment: self.init(literals: Self.ofMoment, path: reading.path)
        }
    }

    /// Whether its literals are never others, whatever settings hold.
    @inline(__always) public var isFixed: Bool { literals < 2 }
    /// Whether all who read as `self` says may use one statement.
    public var isShared: Bool { literals == Self.constant || literals > Self.inDoubt }
}
