/// Which rule of a map placed a key. For EXPLAIN (SHARDS) and SHOW ROUTE.
public enum PlacementRule: Equatable, Sendable, CustomStringConvertible {
    /// `[[sharding.NAME.place]]`, from 0.
    case place(Int)
    case remainder(Int, modulus: Int)
    /// A hint named the shard.
    case hint
    /// `unkeyed_reads` or `unkeyed_writes` of the map.
    case unkeyed

    public var description: String {
        switch self {
        case .place(let index): "place \(index + 1)"
        case .remainder(let remainder, let modulus): "remainder \(remainder) of \(modulus)"
        case .hint: "hint"
        case .unkeyed: "no key"
        }
    }
}

/// Where a key is.
public enum PlacementAnswer: Equatable, Sendable {
    /// Index in `ShardingMap.shards`.
    case shard(Int, PlacementRule)
    /// Ask by `lookup_query`; then `shard(named:for:)`.
    case lookup(LookupSettings)
    case refused(Refusal)
}

/// Answers where a key is. Pure; the map decides. Shared by the workers: a map is large.
public final class Router: Sendable, Equatable {
    public let map: ShardingMap
    /// Of the map, to be had without a copy of it.
    public let isBySchema: Bool
    public let shardCount: Int
    /// The shard of each remainder, if the key has one column and its hash decides alone.
    let shardsByHash: [Int]?

    public init(_ map: ShardingMap) {
        self.map = map
        isBySchema = map.isBySchema
        shardCount = map.shards.count
        if case .hash(let shards) = map.placement, map.keyTypes.count == 1, map.listed.isEmpty,
            map.ranges.isEmpty
        {
            shardsByHash = shards
        } else {
            shardsByHash = nil
        }
    }

    public static func == (one: Router, other: Router) -> Bool {
        one === other || one.map == other.map
    }

    /// The shard of `key`: a value per column, nil = NULL, typed by `ShardingMap.keyTypes`.
    ///
    /// Exceptions come first: values, then ranges. O(log ranges).
    public func place(_ key: [KeyValue?]) -> PlacementAnswer {
        guard key.count == map.keyTypes.count else {
            return .refused(
                Refusal(
                    "the sharding key has \(map.keyTypes.count) columns",
                    detail: "\(key.count) values were given for map \(map.name).",
                    hint: hint("Give one value for each column.")))
        }
        if !map.listed.isEmpty || !map.ranges.isEmpty {
            let known = key.compactMap(\.self)
            if known.count == key.count, let found = exception(known) { return found }
        }
        switch map.placement {
        case .hash(let shards):
            var hash = PartitionHash()
            for column in key { hash.combine(column) }
            let remainder = hash.remainder(of: shards.count)
            return .shard(shards[remainder], .remainder(remainder, modulus: shards.count))
        case .lookup(let settings):
            return key.contains(nil) ? .refused(notPlaced(key)) : .lookup(settings)
        case .exceptions:
            return .refused(notPlaced(key))
        }
    }

    /// The shard that a look-up named; nil = there was no row.
    public func shard(named name: String?, for key: [KeyValue?]) -> Result<Int, Refusal> {
        guard let name else { return .failure(notPlaced(key)) }
        guard let shard = map.shards.firstIndex(of: name) else {
            return .failure(
                Refusal(
                    "lookup_query named a shard that does not exist",
                    detail: "\(shown(key)) is on \"\(name)\"; the shards of map \(map.name) are "
                        + map.shards.joined(separator: ", ") + "."))
        }
        return .success(shard)
    }

    private func exception(_ key: [KeyValue]) -> PlacementAnswer? {
        if let found = map.listed[key] { return .shard(found.shard, .place(found.place)) }
        // The last range that does not begin above the key.
        var low = 0
        var high = map.ranges.count
        while low < high {
            let middle = (low + high) / 2
            let isAbove = map.ranges[middle].from.map { key.lexicographicallyPrecedes($0) } ?? false
            if isAbove { high = middle } else { low = middle + 1 }
        }
        guard low > 0, map.ranges[low - 1].contains(key) else { return nil }
        return .shard(map.ranges[low - 1].shard, .place(map.ranges[low - 1].place))
    }

    private func notPlaced(_ key: [KeyValue?]) -> Refusal {
        switch map.placement {
        case .lookup:
            Refusal(
                "no shard is known for this key",
                detail: "lookup_query of map \(map.name) has no row for \(shown(key)).",
                hint: "Add the row.")
        case .hash, .exceptions:
            Refusal(
                "no shard is known for this key",
                detail: "No place of map \(map.name) has \(shown(key)).",
                hint: "Add it to a [[sharding.\(map.name).place]] and RELOAD.")
        }
    }

    private func hint(_ text: String) -> String {
        text + " The key is (\(map.keyTypes.map(\.rawValue).joined(separator: ", ")))."
    }

    /// The key as PostgreSQL would show it, "(42, 'eu')" if it has several columns.
    public func shown(_ key: [KeyValue?]) -> String {
        let columns = zip(key, map.keyTypes).map { value, type in
            value?.described(as: type) ?? "NULL"
        }
        return columns.count == 1 ? columns[0] : "(\(columns.joined(separator: ", ")))"
    }
}
