internal import Grammar

/// INSERT, UPDATE and DELETE.
extension Planner {
    func notWritable(_ name: String) -> Refusal {
        Refusal(
            "\(name) cannot be written here",
            detail: "\(name) is on every shard, or not a table, and writes to all shards are not "
                + "atomic.", hint: "Write it on each shard: /* pgweir: shard=NAME */.")
    }

    /// The scope of a statement that writes `node["relation"]`, and the table's relation.
    private mutating func target(
        _ node: ParseNode, parent: Int?
    ) throws(Refusal) -> (scope: Int, relation: Int) {
        isWrite = true
        let scope = scopes.count
        scopes.append(Scope(parent: parent))
        guard let table = node["relation"] else {
            throw Self.refusal("Its parse tree was not understood.")
        }
        // A common table cannot be written: PostgreSQL looks for a table of that name.
        let entry = try register(table, in: scope, seesCommonTables: false)
        guard case .keyed(let relation) = entry.target else { throw notWritable(entry.name) }
        scopes[scope].entries.append(entry)
        return (scope, relation)
    }

    /// A row stays where its key says.
    private func checkAssignments(_ list: ParseNode?, _ relation: Int) throws(Refusal) {
        for item in list?.items ?? [] {
            guard let name = item["ResTarget"]?["name"]?.text else {
                throw Self.refusal("Its parse tree was not understood.")
            }
            if relations[relation].columns.contains(name) {
                throw Refusal(
                    "the sharding key cannot be changed",
                    detail: "The statement assigns \(name) of \(relations[relation].name), which "
                        + "says where its rows lie.",
                    hint: "Insert the row with its new key, and delete the old one.")
            }
        }
    }

    private mutating func walk(
        _ clauses: [String], of node: ParseNode, _ scope: Int
    ) throws(Refusal) {
        for clause in clauses {
            if let inner = node[clause] { try walk(inner, scope) }
        }
    }

    mutating func update(_ node: ParseNode, parent: Int?) throws(Refusal) {
        try openWith(node, parent: parent)
        defer { commonTables.removeLast() }
        let (scope, relation) = try target(node, parent: parent)
        try checkAssignments(node["targetList"], relation)
        try from(node["fromClause"], scope)
        try filter(node["whereClause"], scope)
        try walk(["targetList", "returningList"], of: node, scope)
    }

    mutating func delete(_ node: ParseNode, parent: Int?) throws(Refusal) {
        try openWith(node, parent: parent)
        defer { commonTables.removeLast() }
        let (scope, _) = try target(node, parent: parent)
        try from(node["usingClause"], scope)
        try filter(node["whereClause"], scope)
        try walk(["returningList"], of: node, scope)
    }

    mutating func insert(_ node: ParseNode, parent: Int?) throws(Refusal) {
        try openWith(node, parent: parent)
        defer { commonTables.removeLast() }
        makesRows = true
        let (scope, relation) = try target(node, parent: parent)
        try insertRows(node, parent, scope, relation)
        if let conflict = node["onConflictClause"] {
            scopes[scope].entries.append(Entry(name: "excluded", schema: nil, target: .other))
            try checkAssignments(conflict["targetList"], relation)
            try walk(["infer", "targetList", "whereClause"], of: conflict, scope)
        }
        try walk(["returningList"], of: node, scope)
    }

    private mutating func insertRows(
        _ node: ParseNode, _ parent: Int?, _ scope: Int, _ relation: Int
    ) throws(Refusal) {
        let places = try keyPlaces(node["cols"], relation)
        guard let source = node["selectStmt"], case ("SelectStmt", let select)? = source.tagged
        else {
            if places.isEmpty { return }
            throw Self.refusal("The key of \(relations[relation].name) is not given.")
        }
        guard !places.isEmpty else {
            _ = try self.select(select, parent: parent)
            return
        }
        let rows = select["valuesLists"]?.items ?? []
        if rows.isEmpty {
            try insertSelected(select, parent, relation, places)
            return
        }
        relations[relation].isInsertedInto = true
        for row in rows {
            let values = row["List"]?["items"]?.items ?? row.items
            inserted.append(
                KeyCondition(columns: try rowKey(values, places, relation), isInserted: true))
        }
        _ = try self.select(select, parent: parent)
    }

    /// Where each key column stands in INSERT's list of columns. Empty if the key is the schema.
    private func keyPlaces(_ list: ParseNode?, _ relation: Int) throws(Refusal) -> [Int] {
        let table = relations[relation]
        guard !table.columns.isEmpty else { return [] }
        let columns = list?.items.map { item in
            item["ResTarget"]?["indirection"] == nil ? item["ResTarget"]?["name"]?.text : nil
        }
        guard let columns, !columns.isEmpty else {
            throw Self.refusal(
                "INSERT INTO \(table.name) does not say its columns.",
                hint: "Write INSERT INTO \(table.name) (\(table.columns.joined(separator: ", ")), "
                    + "…).")
        }
        var places: [Int] = []
        for column in table.columns {
            guard let place = columns.firstIndex(of: column) else {
                throw Self.refusal(
                    "INSERT INTO \(table.name) does not give its key \(column).",
                    hint: "Add \(column) to its columns.")
            }
            places.append(place)
        }
        return places
    }

    private mutating func rowKey(
        _ values: [ParseNode], _ places: [Int], _ relation: Int
    ) throws(Refusal) -> [[KeySource]] {
        var key: [[KeySource]] = []
        for (index, place) in places.enumerated() {
            guard values.indices.contains(place), map.keyTypes.indices.contains(index),
                let source = source(values[place], map.keyTypes[index])
            else {
                throw Self.refusal(
                    "The key \(relations[relation].columns[index]) of a row to insert is neither a "
                        + "literal nor a parameter.")
            }
            key.append([source])
        }
        return key
    }

    private static func hasOuterJoin(_ from: ParseNode?) -> Bool {
        from?.items.contains { isOuterJoin($0) } ?? false
    }

    private static func isOuterJoin(_ item: ParseNode?) -> Bool {
        guard let join = item?["JoinExpr"] else { return false }
        return join["jointype"]?.text != "JOIN_INNER" || isOuterJoin(join["larg"])
            || isOuterJoin(join["rarg"])
    }

    /// INSERT … SELECT: the key is a literal, or the key of a table that is selected from.
    private mutating func insertSelected(
        _ select: ParseNode, _ parent: Int?, _ relation: Int, _ places: [Int]
    ) throws(Refusal) {
        let targets = select["targetList"]?.items ?? []
        let isPlain =
            select["op"]?.text == "SETOP_NONE"
            && !targets.contains { target in
                let fields = target["ResTarget"]?["val"]?["ColumnRef"]?["fields"]?.items ?? []
                return fields.contains { $0["A_Star"] != nil }
            }
        // What makes NULL of a key that is none.
        let hasNulls = Self.hasOuterJoin(select["fromClause"]) || select["groupClause"] != nil
        let scope = try self.select(select, parent: parent)
        for (index, place) in places.enumerated() {
            let name = relations[relation].columns[index]
            let column = Column(relation: relation, index: index)
            guard isPlain, targets.indices.contains(place), let type = type(of: column),
                let value = targets[place]["ResTarget"]?["val"]
            else {
                throw Self.refusal("The key \(name) of the rows to insert is not known.")
            }
            let names = Names(
                scope: scope, visible: scopes[scope].entries.indices,
                merged: scopes[scope].merged)
            if !hasNulls, let from = resolve(value, names), self.type(of: from) == type {
                edges.append((from: from, to: column))
            } else if let source = source(value, type), source != .constant(nil) {
                relations[relation].sources[index] = [source]
            } else {
                throw Self.refusal(
                    "The key \(name) of the rows to insert is neither a literal nor the key of a "
                        + "table.")
            }
        }
    }
}
