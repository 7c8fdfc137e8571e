/// Makes the parts of a `ShardingMap` from its description, and finds what is wrong with it.
struct MapReader {
    static let columnCountMax = 32
    static let modulusMax = 65_536

    let description: MapDescription
    var problems: [MapProblem] = []
    var keyTypes: [KeyType] = []
    var tables = TableKeys(anyTable: nil, keyed: [:], reference: [])
    var placement = ShardingMap.Placement.exceptions(.list)
    var unkeyedReads = ShardingMap.Unkeyed.refuse
    var unkeyedWrites = ShardingMap.Unkeyed.refuse
    var listed: [[KeyValue]: ShardingMap.Listed] = [:]
    var ranges: [ShardingMap.KeyRange] = []
    /// Of the hash; nil = not placed by a rule.
    var remainders: [ShardingMap.Listed?] = []

    init(_ description: MapDescription) { self.description = description }

    mutating func read() {
        readKey()
        readTables()
        unkeyedReads = unkeyed("unkeyed_reads", description.unkeyedReads, allowsScatter: true)
        unkeyedWrites = unkeyed("unkeyed_writes", description.unkeyedWrites, allowsScatter: false)
        readModulus()
        // What depends on the types would only repeat what is wrong with them.
        guard !keyTypes.isEmpty else { return }
        for index in description.places.indices { readPlace(index) }
        checkRanges()
        readPlacement()
    }

    mutating func fail(_ key: String?, _ message: String, place: Int? = nil) {
        problems.append(MapProblem(place: place, key: key, message: message))
    }

    func shard(_ name: String) -> Int? { description.shards.firstIndex(of: name) }

    var shardNames: String { description.shards.joined(separator: ", ") }

    // MARK: The key

    private mutating func readKey() {
        if description.placement == .schema {
            if !description.key.isEmpty {
                fail("key", "the schema's name is the key; leave it out")
            }
            keyTypes = [.text]
            return
        }
        guard !description.key.isEmpty else { return fail("key", "required: the key's types") }
        guard description.key.count <= Self.columnCountMax else {
            return fail("key", "\(description.key.count) columns; at most \(Self.columnCountMax)")
        }
        var types: [KeyType] = []
        for name in description.key {
            if let type = KeyType(name: name.lowercased()) {
                types.append(type)
            } else {
                fail("key", Self.complaint(aboutType: name))
            }
        }
        if types.count == description.key.count { keyTypes = types }
    }

    private static func complaint(aboutType name: String) -> String {
        let all = KeyType.allCases.map(\.rawValue).joined(separator: ", ")
        switch name.lowercased() {
        case "enum":
            return "enum has another hash on every server, for it is that of a number in a catalog"
        case "bpchar", "char", "character", "numeric", "decimal", "real", "float4", "float8",
            "double precision", "interval", "time", "timetz", "json", "jsonb", "inet", "cidr",
            "name":
            return "\(name) cannot be a key: equal values can be written in different ways, and "
                + "they would have to be read exactly as PostgreSQL reads them; allowed: \(all)"
        default:
            return "\"\(name)\" is not one of \(all)"
        }
    }

    // MARK: Tables

    private mutating func readTables() {
        if description.placement == .schema, !description.tables.isEmpty {
            fail("tables", "not with placement by schema, where every table of a schema lies")
        } else if description.placement != .schema, description.tables.isEmpty {
            fail("tables", "required: the key columns of each table, or of \"*\"")
        }
        var anyTable: [String]?
        var keyed: [TableName: [String]] = [:]
        for (text, columns) in description.tables.sorted(by: { $0.key < $1.key }) {
            guard isKey(columns, of: text) else { continue }
            if text == "*" {
                anyTable = columns
            } else if let table = TableName(configured: text) {
                keyed[table] = columns
            } else {
                fail("tables", "\"\(text)\" is neither TABLE nor SCHEMA.TABLE")
            }
        }
        var reference: [TableName] = []
        for text in description.referenceTables {
            guard let table = TableName(configured: text) else {
                fail("reference_tables", "\"\(text)\" is neither TABLE nor SCHEMA.TABLE")
                continue
            }
            if reference.contains(table) {
                fail("reference_tables", "\"\(text)\" stands there twice")
            } else if keyed[table] != nil {
                fail("reference_tables", "\"\(text)\" has a key in tables; it cannot be both")
            } else {
                reference.append(table)
            }
        }
        tables = TableKeys(anyTable: anyTable, keyed: keyed, reference: reference)
    }

    private mutating func isKey(_ columns: [String], of table: String) -> Bool {
        if columns.contains("") || Set(columns).count != columns.count {
            fail("tables", "\"\(table)\": a column is empty or stands there twice")
            return false
        }
        guard columns.count == description.key.count else {
            fail(
                "tables",
                "\"\(table)\": \(columns.count) columns for a key of \(description.key.count)")
            return false
        }
        return true
    }

    private mutating func unkeyed(
        _ key: String, _ word: String, allowsScatter: Bool
    ) -> ShardingMap.Unkeyed {
        if word == "refuse" { return .refuse }
        if word == "scatter", allowsScatter { return .scatter }
        if let shard = shard(word) { return .shard(shard) }
        let words = allowsScatter ? "refuse, scatter" : "refuse"
        fail(key, "\"\(word)\" is not one of \(words), \(shardNames)")
        return .refuse
    }

    // MARK: Placement

    /// What was wrong with a place would only be repeated.
    private var hasWrongPlace: Bool { problems.contains { $0.place != nil } }

    private mutating func readModulus() {
        let modulus = description.modulus
        guard description.placement == .hash else {
            if modulus != 0 { fail("modulus", "only with placement = \"hash\"") }
            return
        }
        guard (0...Self.modulusMax).contains(modulus) else {
            return fail("modulus", "\(modulus) is out of range; allowed: 0 to \(Self.modulusMax)")
        }
        let count = modulus == 0 ? description.shards.count : modulus
        remainders = Array(repeating: nil, count: count)
    }

    private mutating func readPlacement() {
        let kind = description.placement
        switch kind {
        case .hash:
            placement = .hash(shards: hashShards())
        case .range:
            if ranges.isEmpty, !hasWrongPlace {
                fail("placement", "range without a place that has from or to")
            }
            placement = .exceptions(.range)
        case .list, .schema:
            if listed.isEmpty, !hasWrongPlace {
                fail("placement", "\(kind.rawValue) without a place of values")
            }
            placement = .exceptions(kind)
        case .lookup:
            for (key, value) in [
                ("lookup_database", description.lookup.database),
                ("lookup_query", description.lookup.query),
            ] where value.isEmpty { fail(key, "required because placement is lookup") }
            placement = .lookup(description.lookup)
        }
        if kind != .lookup, description.lookup != LookupSettings() {
            fail("placement", "\(kind.rawValue), so the keys lookup_… have no use; leave them out")
        }
    }

    /// Remainders that no place names lie on shard `remainder % shards.count`, if that is where
    /// they would lie with the modulus that is the number of shards.
    private mutating func hashShards() -> [Int] {
        let count = description.shards.count
        guard !remainders.isEmpty, count > 0 else { return [] }
        if remainders.count % count != 0, let missing = remainders.firstIndex(where: { $0 == nil })
        {
            fail(
                "modulus",
                "\(remainders.count) is not a multiple of the \(count) shards, so every remainder "
                    + "needs a place; \(missing) has none")
        }
        return remainders.enumerated().map { $1?.shard ?? $0 % count }
    }
}
