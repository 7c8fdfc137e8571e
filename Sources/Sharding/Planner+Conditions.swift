internal import Grammar

/// Conditions: which columns are which values.
extension Planner {
    /// The names that a condition can use.
    struct Names {
        let scope: Int
        /// Entries of the scope.
        let visible: Range<Int>
        let merged: [String: Int?]
    }

    /// Which relations of its scope a condition restricts: of those, rows for which it is not true
    /// have no effect.
    enum Restriction {
        case nothing
        case entries(Range<Int>)
    }

    /// WHERE: restricts everything in its scope.
    mutating func filter(_ condition: ParseNode?, _ scope: Int) throws(Refusal) {
        guard let condition else { return }
        let entries = scopes[scope].entries.indices
        bind(
            condition, Names(scope: scope, visible: entries, merged: scopes[scope].merged),
            .entries(entries))
        try walk(condition, scope)
    }

    /// Notes what `condition` says of key columns.
    mutating func bind(_ condition: ParseNode, _ names: Names, _ restricts: Restriction) {
        switch condition.tagged {
        case ("BoolExpr", let node)? where node["boolop"]?.text == "AND_EXPR":
            for part in node["args"]?.items ?? [] { bind(part, names, restricts) }
        case ("A_Expr", let node)?:
            guard isEquality(node["name"]), let left = node["lexpr"], let right = node["rexpr"]
            else { return }
            switch node["kind"]?.text {
            case "AEXPR_OP": equal(left, right, names, restricts)
            case "AEXPR_IN": isIn(left, right, names, restricts)
            case "AEXPR_OP_ANY": isAny(left, right, names, restricts)
            case _: return
            }
        case _: return
        }
    }

    private func isEquality(_ name: ParseNode?) -> Bool {
        let words = name?.items.map { $0["String"]?["sval"]?.text } ?? []
        return words == ["="] || words == ["pg_catalog", "="]
    }

    private mutating func equal(
        _ left: ParseNode, _ right: ParseNode, _ names: Names, _ restricts: Restriction
    ) {
        if case ("RowExpr", let one)? = left.tagged, case ("RowExpr", let other)? = right.tagged {
            let pairs = (one["args"]?.items ?? [], other["args"]?.items ?? [])
            guard pairs.0.count == pairs.1.count else { return }
            for (one, other) in zip(pairs.0, pairs.1) { equal(one, other, names, restricts) }
            return
        }
        switch (resolve(left, names), resolve(right, names)) {
        case (let one?, let other?): link(names, one, other, restricts)
        case (let one?, nil): assign(one, [right], names, restricts)
        case (nil, let other?): assign(other, [left], names, restricts)
        case (nil, nil): return
        }
    }

    private mutating func isIn(
        _ left: ParseNode, _ list: ParseNode, _ names: Names, _ restricts: Restriction
    ) {
        let items = list["List"]?["items"]?.items ?? list.items
        if case ("RowExpr", let row)? = left.tagged {
            let columns = row["args"]?.items ?? []
            let rows = items.map { $0["RowExpr"]?["args"]?.items ?? [] }
            guard !rows.isEmpty, rows.allSatisfy({ $0.count == columns.count }) else { return }
            for (index, column) in columns.enumerated() {
                guard let column = resolve(column, names) else { continue }
                assign(column, rows.map { $0[index] }, names, restricts)
            }
        } else if let column = resolve(left, names), !items.isEmpty {
            assign(column, items, names, restricts)
        }
    }

    private mutating func isAny(
        _ left: ParseNode, _ array: ParseNode, _ names: Names, _ restricts: Restriction
    ) {
        guard let column = resolve(left, names), isRestricted(column, names, restricts),
            let type = type(of: column), let sources = elements(array, type)
        else { return }
        give(column, sources)
    }

    // MARK: Columns

    /// The key column that an expression is; nil = another column, or something else.
    func resolve(_ node: ParseNode, _ names: Names) -> Column? {
        guard case ("ColumnRef", let reference)? = node.tagged else { return nil }
        let parts = reference["fields"]?.items.map { $0["String"]?["sval"]?.text } ?? []
        guard let name = parts.last ?? nil, !parts.contains(nil) else { return nil }
        switch parts.count {
        case 1: return unqualified(name, names)
        case 2: return qualified(name, table: parts[0] ?? "", schema: nil, names)
        case 3: return qualified(name, table: parts[1] ?? "", schema: parts[0], names)
        default: return nil
        }
    }

    /// The key column of a relation by its name.
    func column(_ relation: Int, _ name: String) -> Column? {
        guard let index = relations[relation].columns.firstIndex(of: name) else { return nil }
        return Column(relation: relation, index: index)
    }

    /// A name that stands alone means the one table that has it. Which tables have it only the
    /// catalog knows, except those that are in the map; or it is the only table there is.
    private func unqualified(_ name: String, _ names: Names) -> Column? {
        if let merged = names.merged[name] { return merged.flatMap { column($0, name) } }
        let entries = scopes[names.scope].entries[names.visible]
        let candidates = entries.compactMap { entry -> Column? in
            if case .keyed(let relation) = entry.target { column(relation, name) } else { nil }
        }
        let isOnly = scopes[names.scope].entries.count == 1 && scopes[names.scope].parent == nil
        if isOnly, let candidate = candidates.first { return candidate }
        let sure = candidates.filter { relations[$0.relation].isSure }
        return sure.count == 1 ? sure[0] : nil
    }

    private func qualified(
        _ name: String, table: String, schema: String?, _ names: Names
    ) -> Column? {
        var scope: Int? = names.scope
        while let level = scope {
            let found = scopes[level].entries.indices.filter {
                scopes[level].entries[$0].name == table
            }
            if !found.isEmpty {
                guard found.count == 1, level != names.scope || names.visible.contains(found[0])
                else { return nil }
                let entry = scopes[level].entries[found[0]]
                guard schema == nil || entry.schema == schema,
                    case .keyed(let relation) = entry.target
                else { return nil }
                return column(relation, name)
            }
            scope = scopes[level].parent
        }
        return nil
    }

    /// Whether the condition restricts the rows of the column's table.
    private func isRestricted(_ column: Column, _ names: Names, _ restricts: Restriction) -> Bool {
        guard case .entries(let range) = restricts else { return false }
        return scopes[names.scope].entries[range].contains {
            $0.target == .keyed(column.relation)
        }
    }

    /// One column is the other.
    mutating func link(
        _ names: Names, _ one: Column, _ other: Column, _ restricts: Restriction
    ) {
        guard type(of: one) == type(of: other) else { return }
        if isRestricted(other, names, restricts) { edges.append((from: one, to: other)) }
        if isRestricted(one, names, restricts) { edges.append((from: other, to: one)) }
    }

    func type(of column: Column) -> KeyType? {
        map.keyTypes.indices.contains(column.index) ? map.keyTypes[column.index] : nil
    }

    // MARK: Values

    /// The column is one of `values`, if all of them are literals and parameters.
    private mutating func assign(
        _ column: Column, _ values: [ParseNode], _ names: Names, _ restricts: Restriction
    ) {
        guard isRestricted(column, names, restricts), let type = type(of: column) else { return }
        var sources: [KeySource] = []
        for value in values {
            guard let source = source(value, type) else { return }
            // Nothing equals NULL.
            if source != .constant(nil) { sources.append(source) }
        }
        give(column, sources)
    }

    /// Of two conditions either restricts the rows; the first one is kept.
    private mutating func give(_ column: Column, _ sources: [KeySource]) {
        if relations[column.relation].sources[column.index] == nil {
            relations[column.relation].sources[column.index] = sources
        }
    }

    /// Where the value of an expression comes from, if that is known without running it.
    mutating func source(_ node: ParseNode, _ type: KeyType) -> KeySource? {
        switch node.tagged {
        case ("A_Const", let constant)?:
            if constant["isnull"]?.isTrue ?? false { return .constant(nil) }
            if let value = constant["boolval"] {
                guard type == .boolean else { return nil }
                return .constant(.boolean(value["boolval"]?.isTrue ?? false))
            }
            return literal(at: constant["location"]?.number ?? 0, type)
        case ("ParamRef", let parameter)?:
            guard let number = parameter["number"]?.number else { return nil }
            parameterKeyUses[number, default: []].append(type)
            return .parameter(number, as: type, isShared: false)
        case ("TypeCast", let cast)?:
            guard let argument = cast["arg"], let (target, isArray) = castType(cast),
                !isArray, type.isComparable(to: target)
            else { return nil }
            switch argument.tagged?.kind {
            case "A_Const", "ParamRef": return source(argument, target)
            case _: return nil
            }
        case _: return nil
        }
    }

    /// The literal at an offset of the text, or behind the minus that stands there.
    private func literal(at offset: Int, _ type: KeyType) -> KeySource? {
        if let index = literals[offset] { return .literal(index, isNegated: false, as: type) }
        guard text.indices.contains(offset), text[offset] == UInt8(ascii: "-") else { return nil }
        var place = offset + 1
        while text.indices.contains(place), text[place] == 0x20 || (0x09...0x0d) ~= text[place] {
            place += 1
        }
        return literals[place].map { .literal($0, isNegated: true, as: type) }
    }

    /// The type of a cast without a length, and whether it is an array of it.
    private func castType(_ cast: ParseNode) -> (KeyType, isArray: Bool)? {
        guard let name = cast["typeName"], name["typmods"] == nil, !(name["setof"]?.isTrue ?? false)
        else { return nil }
        var words = name["names"]?.items.map { $0["String"]?["sval"]?.text ?? "" } ?? []
        if words.count == 2, words[0] == "pg_catalog" { words.removeFirst() }
        guard words.count == 1, let type = KeyType(name: words[0]) else { return nil }
        let bounds = name["arrayBounds"]?.items.count ?? 0
        return bounds > 1 ? nil : (type, bounds == 1)
    }

    /// The elements of an array.
    private mutating func elements(_ array: ParseNode, _ type: KeyType) -> [KeySource]? {
        switch array.tagged {
        case ("ParamRef", let parameter)?:
            guard let number = parameter["number"]?.number else { return nil }
            parameterKeyUses[number, default: []].append(type)
            return [.elements(ofParameter: number, as: type, isShared: false)]
        case ("A_ArrayExpr", let node)?:
            var sources: [KeySource] = []
            for element in node["elements"]?.items ?? [] {
                guard let source = source(element, type) else { return nil }
                if source != .constant(nil) { sources.append(source) }
            }
            return sources
        case ("TypeCast", let cast)?:
            guard let argument = cast["arg"], let (target, isArray) = castType(cast), isArray,
                type.isComparable(to: target)
            else { return nil }
            if case ("A_Const", let constant)? = argument.tagged {
                guard let index = literals[constant["location"]?.number ?? 0] else { return nil }
                return [.elementsOfLiteral(index, as: target)]
            }
            guard argument.tagged?.kind != "TypeCast" else { return nil }
            return elements(argument, target)
        case _: return nil
        }
    }
}
