internal import Grammar

/// Everything that is no condition on a key: subqueries are looked into, functions must be known.
extension Planner {
    /// Nodes without anything inside that matters.
    private static let leaves: Set<String> = [
        "A_Const", "ColumnRef", "A_Star", "String", "Integer", "Float", "Boolean", "BitString",
        "SetToDefault", "SQLValueFunction",
    ]

    /// Nodes that are as harmless as what is inside.
    private static let branches: Set<String> = [
        "A_Expr", "BoolExpr", "NullTest", "BooleanTest", "CaseExpr", "CaseWhen", "CoalesceExpr",
        "MinMaxExpr", "A_ArrayExpr", "RowExpr", "A_Indirection", "A_Indices", "CollateClause",
        "ResTarget", "SortBy", "WindowDef", "GroupingSet", "GroupingFunc", "List", "NamedArgExpr",
        "MultiAssignRef", "IndexElem",
    ]

    /// Looks at every expression in `node` once.
    mutating func walk(_ node: ParseNode, _ scope: Int) throws(Refusal) {
        switch node {
        case .array(let items):
            for item in items { try walk(item, scope) }
        case .object(let fields):
            guard let (kind, inner) = node.tagged else {
                for field in fields.values { try walk(field, scope) }
                return
            }
            try walk(kind, inner, scope)
        case .string, .number, .boolean, .null:
            return
        }
    }

    private mutating func walk(
        _ kind: String, _ node: ParseNode, _ scope: Int
    ) throws(Refusal) {
        if Self.leaves.contains(kind) { return }
        if Self.branches.contains(kind) {
            for field in node.fields.values { try walk(field, scope) }
            return
        }
        switch kind {
        case "ParamRef":
            parameterUses[node["number"]?.number ?? 0, default: 0] += 1
        case "TypeCast":
            if let argument = node["arg"] { try walk(argument, scope) }
        case "FuncCall":
            try checkFunction(node)
            for (name, field) in node.fields where name != "funcname" { try walk(field, scope) }
        case "SubLink":
            if let tested = node["testexpr"] { try walk(tested, scope) }
            guard let inner = node["subselect"] else {
                throw Self.refusal("Its parse tree was not understood.")
            }
            try query(inner, parent: scope)
        default:
            throw Self.refusal("It has an expression that is not known (\(kind)).")
        }
    }

    private func checkFunction(_ node: ParseNode) throws(Refusal) {
        var words = node["funcname"]?.items.map { $0["String"]?["sval"]?.text ?? "" } ?? []
        let shown = words.joined(separator: ".")
        if words.count == 2, words[0] == "pg_catalog" { words.removeFirst() }
        guard words.count == 1, KnownFunctions.all.contains(words[0]) else {
            throw Self.refusal("The function \(shown) may read what is on other shards.")
        }
    }
}
