/// A table as a statement or a configuration names it, quotes and case folding done.
public struct TableName: Hashable, Sendable, CustomStringConvertible {
    /// nil = not said.
    public let schema: String?
    public let name: String

    public init(schema: String? = nil, _ name: String) {
        self.schema = schema
        self.name = name
    }

    /// `name` or `schema.name`; nil if it is neither.
    init?(configured text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }), let last = parts.last else {
            return nil
        }
        self.init(schema: parts.count == 2 ? String(parts[0]) : nil, String(last))
    }

    public var description: String { (schema.map { "\($0)." } ?? "") + name }
}

/// What a sharding map knows of a table.
public enum TableKind: Equatable, Sendable {
    /// Its rows lie by these columns, in the order of the key. `isSure`: the table itself is in
    /// the map, so it has them; else it counts as "every table that has the column".
    case keyed(columns: [String], isSure: Bool)
    /// The same rows on every shard.
    case reference
    /// Its name stands for several tables of the map that differ.
    case ambiguous(TableName, TableName)
    case unknown
}

/// The tables of a sharding map.
public struct TableKeys: Equatable, Sendable {
    /// Of every table that is not named and has the columns; nil = such tables are unknown.
    public let anyTable: [String]?
    private var kinds: [String: [(TableName, TableKind)]] = [:]

    init(anyTable: [String]?, keyed: [TableName: [String]], reference: [TableName]) {
        self.anyTable = anyTable
        for (table, columns) in keyed {
            kinds[table.name, default: []].append((table, .keyed(columns: columns, isSure: true)))
        }
        for table in reference {
            kinds[table.name, default: []].append((table, .reference))
        }
        for name in kinds.keys {
            kinds[name]?.sort { $0.0.schema ?? "" < $1.0.schema ?? "" }
        }
    }

    /// What `table` is. A name without a schema may be that of any schema on the search path.
    public func kind(of table: TableName) -> TableKind {
        let rest: TableKind = anyTable.map { .keyed(columns: $0, isSure: false) } ?? .unknown
        guard let known = kinds[table.name] else { return rest }
        let bare = known.first { $0.0.schema == nil }
        if let schema = table.schema {
            return (known.first { $0.0.schema == schema } ?? bare)?.1 ?? rest
        }
        if let first = known.first(where: { !Self.isSame($0.1, known[0].1) }) {
            return .ambiguous(known[0].0, first.0)
        }
        // It may also be a table of a schema that the map does not name.
        if bare == nil, !Self.isSame(known[0].1, rest) {
            return .ambiguous(known[0].0, TableName(table.name))
        }
        return known[0].1
    }

    private static func isSame(_ one: TableKind, _ other: TableKind) -> Bool {
        guard case .keyed(let mine, _) = one, case .keyed(let theirs, _) = other else {
            return one == other
        }
        return mine == theirs
    }

    /// Whether `column` is a key column of any table.
    func isKeyColumn(_ column: String) -> Bool {
        anyTable?.contains(column) == true
            || kinds.values.joined().contains { _, kind in
                if case .keyed(let columns, _) = kind { columns.contains(column) } else { false }
            }
    }

    public static func == (one: TableKeys, other: TableKeys) -> Bool {
        one.anyTable == other.anyTable && one.kinds.keys == other.kinds.keys
            && one.kinds.allSatisfy { name, known in
                known.elementsEqual(other.kinds[name] ?? []) { $0.0 == $1.0 && $0.1 == $1.1 }
            }
    }
}
