/// The type of a key's column: those whose hash is the same on every PostgreSQL.
public enum KeyType: String, Sendable, Hashable, CaseIterable {
    case smallint
    case integer
    case bigint
    case text
    /// With or without a length.
    case varchar
    case uuid
    case date
    case timestamp
    case timestamptz
    case boolean
    case bytea
    case oid

    /// By one of PostgreSQL's names for it, in lower case; nil for every other type.
    public init?(name: String) {
        switch name {
        case "int2": self = .smallint
        case "int", "int4": self = .integer
        case "int8": self = .bigint
        case "character varying": self = .varchar
        case "timestamp without time zone": self = .timestamp
        case "timestamp with time zone": self = .timestamptz
        case "bool": self = .boolean
        default: self.init(rawValue: name)
        }
    }

    /// By its number in pg_type. Source: PostgreSQL, pg_type.dat.
    public init?(oid: UInt32) {
        switch oid {
        case 16: self = .boolean
        case 17: self = .bytea
        case 20: self = .bigint
        case 21: self = .smallint
        case 23: self = .integer
        case 25: self = .text
        case 26: self = .oid
        case 1043: self = .varchar
        case 1082: self = .date
        case 1114: self = .timestamp
        case 1184: self = .timestamptz
        case 2950: self = .uuid
        default: return nil
        }
    }

    public var isInteger: Bool { integerRange != nil }

    /// What the type can hold; nil if it is not an integer.
    public var integerRange: ClosedRange<Int64>? {
        switch self {
        case .smallint: Int64(Int16.min)...Int64(Int16.max)
        case .integer: Int64(Int32.min)...Int64(Int32.max)
        case .bigint: Int64.min...Int64.max
        case .text, .varchar, .uuid, .date, .timestamp, .timestamptz, .boolean, .bytea, .oid: nil
        }
    }

    /// Whether a value of `other` that equals a value of this type hashes like it.
    public func isComparable(to other: KeyType) -> Bool {
        switch (self, other) {
        case (.text, .varchar), (.varchar, .text): true
        case _: self == other || (isInteger && other.isInteger)
        }
    }
}
