internal import Grammar

/// SELECT and its FROM.
extension Planner {
    /// One side of a join.
    private struct Side {
        /// Which of the scope's entries.
        var entries: Range<Int>
        var merged: [String: Int?]
    }

    /// A condition of FROM that waits until all names are known.
    private struct Pending {
        let condition: ParseNode
        let names: Names
        /// Relations that it restricts.
        let restricts: Restriction
    }

    private static let selectFields: Set<String> = [
        "distinctClause", "targetList", "fromClause", "whereClause", "groupClause",
        "groupDistinct", "havingClause", "windowClause", "valuesLists", "sortClause",
        "limitOffset", "limitCount", "limitOption", "lockingClause", "withClause", "op", "all",
        "larg", "rarg",
    ]

    /// Returns the scope of its FROM.
    mutating func select(_ node: ParseNode, parent: Int?) throws(Refusal) -> Int {
        if node["intoClause"] != nil { throw Self.refusal("SELECT INTO makes a table.") }
        if let field = node.fields.keys.first(where: { !Self.selectFields.contains($0) }) {
            throw Self.refusal("It has a clause that is not known (\(field)).")
        }
        try openWith(node, parent: parent)
        defer { commonTables.removeLast() }
        let scope = scopes.count
        scopes.append(Scope(parent: parent))
        for side in ["larg", "rarg"] {
            if let inner = node[side] { _ = try select(inner, parent: parent) }
        }
        try from(node["fromClause"], scope)
        try filter(node["whereClause"], scope)
        for clause in [
            "distinctClause", "targetList", "groupClause", "havingClause", "windowClause",
            "valuesLists", "sortClause", "limitOffset", "limitCount",
        ] {
            if let inner = node[clause] { try walk(inner, scope) }
        }
        if node["lockingClause"] != nil {
            isWrite = true
            if scopes[scope].hasReference {
                throw Self.refusal(
                    "FOR UPDATE and the like would lock the rows of a reference table on one shard "
                        + "only.", hint: "Lock the rows of keyed tables: FOR UPDATE OF table.")
            }
        }
        return scope
    }

    /// WITH. Opens a level of names even if there is none; the caller closes it.
    mutating func openWith(_ node: ParseNode, parent: Int?) throws(Refusal) {
        guard let with = node["withClause"] else { return commonTables.append([]) }
        let tables = with["ctes"]?.items.compactMap { $0["CommonTableExpr"] } ?? []
        let isRecursive = with["recursive"]?.isTrue ?? false
        // A query sees the tables before it, with RECURSIVE all of them.
        commonTables.append(isRecursive ? tables.compactMap { $0["ctename"]?.text } : [])
        let level = commonTables.count - 1
        for table in tables {
            guard let name = table["ctename"]?.text, let inner = table["ctequery"] else {
                commonTables.removeLast()
                throw Self.refusal("Its parse tree was not understood.")
            }
            do throws(Refusal) {
                try query(inner, parent: parent)
            } catch {
                commonTables.removeLast()
                throw error
            }
            if !isRecursive { commonTables[level].append(name) }
        }
    }

    // MARK: FROM

    mutating func from(_ list: ParseNode?, _ scope: Int) throws(Refusal) {
        var pending: [Pending] = []
        for item in list?.items ?? [] {
            let side = try fromItem(item, scope, &pending)
            scopes[scope].merged.merge(side.merged) { _, _ in nil }
        }
        for one in pending {
            bind(one.condition, one.names, one.restricts)
            try walk(one.condition, scope)
        }
    }

    private mutating func fromItem(
        _ item: ParseNode, _ scope: Int, _ pending: inout [Pending]
    ) throws(Refusal) -> Side {
        let start = scopes[scope].entries.count
        switch item.tagged {
        case ("RangeVar", let node)?:
            scopes[scope].entries.append(try register(node, in: scope))
        case ("RangeSubselect", let node)?:
            let isLateral = node["lateral"]?.isTrue ?? false
            guard let inner = node["subquery"] else {
                throw Self.refusal("Its parse tree was not understood.")
            }
            try query(inner, parent: isLateral ? scope : scopes[scope].parent)
            appendOther(node["alias"], scope)
        case ("RangeFunction", let node)?:
            if let functions = node["functions"] { try walk(functions, scope) }
            appendOther(node["alias"], scope)
        case ("JoinExpr", let node)?:
            return try join(node, scope, &pending)
        case let other:
            throw Self.refusal("FROM has an item that is not known (\(other?.kind ?? "none")).")
        }
        return Side(entries: start..<scopes[scope].entries.count, merged: [:])
    }

    private mutating func appendOther(_ alias: ParseNode?, _ scope: Int) {
        let name = alias?["aliasname"]?.text ?? ""
        scopes[scope].entries.append(Entry(name: name, schema: nil, target: .other))
    }

    private mutating func join(
        _ node: ParseNode, _ scope: Int, _ pending: inout [Pending]
    ) throws(Refusal) -> Side {
        guard let leftItem = node["larg"], let rightItem = node["rarg"] else {
            throw Self.refusal("Its parse tree was not understood.")
        }
        guard node["alias"] == nil, node["join_using_alias"] == nil else {
            throw Self.refusal("A join has a name of its own, which is not looked into.")
        }
        let left = try fromItem(leftItem, scope, &pending)
        let right = try fromItem(rightItem, scope, &pending)
        let entries = left.entries.lowerBound..<right.entries.upperBound
        var merged = left.merged
        merged.merge(right.merged) { _, _ in nil }
        // An outer join keeps the rows of one side whatever the condition says.
        let restricts: Restriction
        switch node["jointype"]?.text {
        case "JOIN_INNER": restricts = .entries(entries)
        case "JOIN_LEFT": restricts = .entries(right.entries)
        case "JOIN_RIGHT": restricts = .entries(left.entries)
        case "JOIN_FULL": restricts = .nothing
        case let other: throw Self.refusal("A join is not known (\(other ?? "none")).")
        }
        if let condition = node["quals"] {
            let names = Names(scope: scope, visible: entries, merged: merged)
            pending.append(Pending(condition: condition, names: names, restricts: restricts))
        }
        // NATURAL joins on columns that only the catalog knows.
        if node["isNatural"]?.isTrue ?? false {
            for column in merged.keys { merged[column] = .some(nil) }
            for index in entries {
                guard case .keyed(let relation) = scopes[scope].entries[index].target else {
                    continue
                }
                for column in relations[relation].columns { merged[column] = .some(nil) }
            }
        }
        for column in node["usingClause"]?.items.compactMap({ $0["String"]?["sval"]?.text }) ?? [] {
            let one = only(column, left, scope)
            let other = only(column, right, scope)
            if let one, let other {
                link(
                    Names(scope: scope, visible: entries, merged: [:]), one, other, restricts)
            }
            switch node["jointype"]?.text {
            case "JOIN_INNER": merged[column] = .some(one?.relation ?? other?.relation)
            case "JOIN_LEFT": merged[column] = .some(one?.relation)
            case "JOIN_RIGHT": merged[column] = .some(other?.relation)
            default: merged[column] = .some(nil)
            }
        }
        return Side(entries: entries, merged: merged)
    }

    /// The key column that `name` means on one side of USING.
    private func only(_ name: String, _ side: Side, _ scope: Int) -> Column? {
        if let relation = side.merged[name] { return relation.flatMap { column($0, name) } }
        guard side.entries.count == 1,
            case .keyed(let relation) = scopes[scope].entries[side.entries.lowerBound].target
        else { return nil }
        return column(relation, name)
    }

    // MARK: Tables

    /// Notes a table of FROM, or of a writing statement.
    mutating func register(
        _ node: ParseNode, in scope: Int, seesCommonTables: Bool = true
    ) throws(Refusal) -> Entry {
        guard let name = node["relname"]?.text, node["catalogname"] == nil else {
            throw Self.refusal("A table's name was not understood.")
        }
        let schema = node["schemaname"]?.text
        let alias = node["alias"]?["aliasname"]?.text
        let shown = alias ?? name
        func entry(_ target: Target) -> Entry {
            Entry(name: shown, schema: alias == nil ? schema : nil, target: target)
        }
        if seesCommonTables, schema == nil, commonTables.contains(where: { $0.contains(name) }) {
            return entry(.other)
        }
        let table = TableName(schema: schema, name)
        let kind = map.tables.kind(of: table)
        switch kind {
        case .keyed(_, isSure: false), .unknown:
            if SystemCatalogs.contains(table) {
                hasCatalog = true
                return entry(.other)
            }
        case .keyed, .reference, .ambiguous: break
        }
        switch kind {
        case .keyed(let columns, let isSure):
            guard node["alias"]?["colnames"] == nil else {
                throw Self.refusal("The columns of \(table) have other names in it.")
            }
            relations.append(
                Relation(
                    name: table, columns: columns, isSure: isSure,
                    sources: Array(repeating: nil, count: columns.count)))
            return entry(.keyed(relations.count - 1))
        case .reference:
            scopes[scope].hasReference = true
            return entry(.other)
        case .ambiguous(let one, let other):
            throw Self.refusal(
                "\(name) may be \(one) or \(other), which lie differently.",
                hint: "Write the schema of \(name).")
        case .unknown:
            guard map.isBySchema else {
                throw Self.refusal(
                    "\(table) is not in map \(map.name).",
                    hint: "Add it to tables or reference_tables of [sharding.\(map.name)].")
            }
            let source = schema.map { KeySource.constant(.bytes(Array($0.utf8))) } ?? .searchPath
            relations.append(
                Relation(name: table, columns: [], isSure: true, sources: [[source]]))
            return entry(.keyed(relations.count - 1))
        }
    }
}
