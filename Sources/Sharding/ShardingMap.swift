/// Where the rows of a sharded database lie: the key of each table, and a shard for each key.
///
/// Checked when it is made; a value, so that a transaction keeps the map that it began with.
public struct ShardingMap: Sendable, Equatable {
    public enum Placement: Sendable, Equatable {
        /// The shard of each remainder; their count is the modulus.
        case hash(shards: [Int])
        /// Only the exceptions place keys.
        case exceptions(PlacementKind)
        case lookup(LookupSettings)
    }

    /// What becomes of a statement that names no key.
    public enum Unkeyed: Sendable, Equatable {
        case refuse
        /// Reads only: sent to every shard.
        case scatter
        case shard(Int)
    }

    /// A range of keys; half-open.
    struct KeyRange: Sendable, Equatable {
        /// nil = no lower bound.
        let from: [KeyValue]?
        /// nil = no upper bound.
        let to: [KeyValue]?
        let shard: Int
        /// Which of the description's places.
        let place: Int

        func contains(_ key: [KeyValue]) -> Bool {
            if let from, key.lexicographicallyPrecedes(from) { return false }
            guard let to else { return true }
            return key.lexicographicallyPrecedes(to)
        }

        func overlaps(_ other: KeyRange) -> Bool {
            func isBelow(_ from: [KeyValue]?, _ to: [KeyValue]?) -> Bool {
                guard let from, let to else { return true }
                return from.lexicographicallyPrecedes(to)
            }
            return isBelow(from, other.to) && isBelow(other.from, to)
        }
    }

    /// One shard, and the place that says so.
    struct Listed: Sendable, Equatable {
        let shard: Int
        let place: Int
    }

    public let name: String
    /// In the order of the cluster; a shard is named by its index here.
    public let shards: [String]
    public let keyTypes: [KeyType]
    public let tables: TableKeys
    public let placement: Placement
    public let unkeyedReads: Unkeyed
    public let unkeyedWrites: Unkeyed
    /// Whether the key is the schema's name.
    public var isBySchema: Bool { placement == .exceptions(.schema) }
    let listed: [[KeyValue]: Listed]
    /// Disjoint, ascending.
    let ranges: [KeyRange]

    /// Checks `description`; every problem is reported.
    public init(_ description: MapDescription) throws(MapProblems) {
        var reader = MapReader(description)
        reader.read()
        guard reader.problems.isEmpty else { throw MapProblems(problems: reader.problems) }
        name = description.name
        shards = description.shards
        keyTypes = reader.keyTypes
        tables = reader.tables
        placement = reader.placement
        unkeyedReads = reader.unkeyedReads
        unkeyedWrites = reader.unkeyedWrites
        listed = reader.listed
        ranges = reader.ranges
    }
}
