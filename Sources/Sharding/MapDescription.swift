/// How the values of a key find their shard, if no exception places them.
public enum PlacementKind: String, Sendable, Equatable, CaseIterable {
    /// By PostgreSQL's partition hash.
    case hash
    /// By ranges of the key.
    case range
    /// By lists of values.
    case list
    /// By a query on a database of its own.
    case lookup
    /// By lists of schema names.
    case schema
}

/// A sharding map as somebody wrote it: `[sharding.NAME]`. `ShardingMap` checks it.
public struct MapDescription: Sendable, Equatable {
    /// One column of a key value.
    public struct Column: Sendable, Equatable {
        public let text: String
        /// Written as text, not as a bare number or boolean.
        public let isQuoted: Bool

        public init(_ text: String, isQuoted: Bool) {
            self.text = text
            self.isQuoted = isQuoted
        }
    }

    /// `[[sharding.NAME.place]]`. One of `values`, `remainders`, or a range.
    public struct Place: Sendable, Equatable {
        public var values: [[Column]]?
        /// Included; nil = everything below `to`.
        public var from: [Column]?
        /// Excluded; nil = everything from `from` on.
        public var to: [Column]?
        public var remainders: [Int]?
        public var shard: String

        public init(shard: String) { self.shard = shard }
    }

    public var name: String
    /// Names of the cluster's shards, in their order.
    public var shards: [String]
    /// Names of the key's types.
    public var key: [String] = []
    /// Key columns by table; "*" = every table that has them.
    public var tables: [String: [String]] = [:]
    public var referenceTables: [String] = []
    public var placement = PlacementKind.hash
    /// 0 = the number of shards.
    public var modulus = 0
    /// "refuse", "scatter" or a shard.
    public var unkeyedReads = "refuse"
    /// "refuse" or a shard.
    public var unkeyedWrites = "refuse"
    public var places: [Place] = []
    public var lookup = LookupSettings()

    public init(name: String, shards: [String]) {
        self.name = name
        self.shards = shards
    }
}

/// Where `lookup` placement asks. `lookup_…`.
public struct LookupSettings: Sendable, Equatable {
    /// A database of the configuration that is not sharded itself.
    public var database = ""
    /// Takes the key's columns as $1…, gives the shard's name in one row and column.
    public var query = ""
    /// Answers that are kept.
    public var cacheCountMax = 100_000
    /// Answers are asked for again after; zero = at RELOAD only.
    public var cacheLifetime: Duration = .zero

    public init() {}
}

/// One thing wrong with a map.
public struct MapProblem: Error, Sendable, Equatable {
    /// Which of the places, from 0; nil = the map itself.
    public let place: Int?
    /// The key of the configuration; nil = the place as a whole.
    public let key: String?
    public let message: String
}

/// Everything that is wrong with a map.
public struct MapProblems: Error, Sendable, Equatable {
    public let problems: [MapProblem]
}
