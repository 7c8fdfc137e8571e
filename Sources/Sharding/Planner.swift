internal import Bytes
internal import Grammar
internal import SQL

/// Finds the keys of a statement in its parse tree.
///
/// Proves that a statement touches only rows with certain keys: every table of the map, wherever in
/// the statement it stands, must be tied to a key by `=`, IN or `= ANY`, directly or through joins.
/// What it does not know it refuses; it never guesses. Runs once per shape.
struct Planner {
    /// A keyed table, once for each place where the statement names it.
    struct Relation {
        let name: TableName
        let columns: [String]
        /// The table certainly has the columns.
        let isSure: Bool
        /// For each column where its values come from; nil = not known yet.
        var sources: [[KeySource]?]
        /// Its keys are in `inserted`.
        var isInsertedInto = false
    }

    /// A key column of a relation.
    struct Column: Equatable {
        let relation: Int
        let index: Int
    }

    enum Target: Equatable {
        case keyed(Int)
        /// A reference table, a catalog, a CTE, a subquery or a function.
        case other
    }

    /// What a name in FROM stands for.
    struct Entry {
        let name: String
        /// As the statement wrote it; nil for aliases too.
        let schema: String?
        let target: Target
    }

    /// One level of names.
    struct Scope {
        var entries: [Entry] = []
        /// Columns of JOIN … USING, which need no table's name: its relation, or nil.
        var merged: [String: Int?] = [:]
        var hasReference = false
        let parent: Int?
    }

    let map: ShardingMap
    let text: [UInt8]
    /// Index of the literal that starts at an offset.
    let literals: [Int: Int]
    var relations: [Relation] = []
    /// Rows of INSERT … VALUES.
    var inserted: [KeyCondition] = []
    /// The second column is what the first is.
    var edges: [(from: Column, to: Column)] = []
    var scopes: [Scope] = []
    var commonTables: [[String]] = []
    var hasCatalog = false
    var isWrite = false
    /// Rows come into being, so that only their keys say where.
    var makesRows = false
    /// How often the statement uses each parameter, and as which types in key positions.
    var parameterUses: [Int: Int] = [:]
    var parameterKeyUses: [Int: [KeyType]] = [:]

    /// The plan of the text that `shape` was read from, which starts at `base` there. Without
    /// `isForShape` it holds for this text only.
    ///
    /// `isConforming`: `standard_conforming_strings`. `isUTF8`: the text is known to be in UTF-8.
    static func plan(
        _ text: [UInt8], from base: Int, _ shape: borrowing Shape, _ map: ShardingMap,
        isConforming: Bool, isUTF8: Bool
    ) -> (Plan, isForShape: Bool) {
        if let refusal = unreadable(shape, isConforming: isConforming, isUTF8: isUTF8) {
            return (Plan(statements: [.refused(refusal)]), false)
        }
        let statements: [ParseNode]
        do throws(GrammarError) {
            statements = try Grammar.parse(text)
        } catch {
            // Another literal may be what it takes.
            return (Plan(statements: [.refused(notParsed(error))]), false)
        }
        var literals: [Int: Int] = [:]
        for (index, literal) in shape.literals.enumerated() {
            literals[literal.range.lowerBound - base] = index
        }
        let plans = statements.map { statement -> StatementPlan in
            var planner = Planner(map: map, text: text, literals: literals)
            do throws(Refusal) {
                return try planner.plan(statement)
            } catch {
                return .refused(error)
            }
        }
        return (Plan(statements: plans, mayBeOurs: shape.mayNameUs), true)
    }

    private init(map: ShardingMap, text: [UInt8], literals: [Int: Int]) {
        self.map = map
        self.text = text
        self.literals = literals
    }

    // MARK: Refusals

    static let message = "the statement is not proven to concern one shard"
    static let keyHint = "Name the key in a comment, /* pgweir: key=VALUE */, or by SET pgweir.key."

    static func refusal(_ detail: String, hint: String = keyHint) -> Refusal {
        Refusal(message, detail: detail, hint: hint)
    }

    private static func unreadable(
        _ shape: borrowing Shape, isConforming: Bool, isUTF8: Bool
    ) -> Refusal? {
        if shape.isBroken { return refusal("A quote or a comment in it does not end.") }
        if shape.structureCount > Shape.structureCountMax {
            return refusal(
                "It has \(shape.structureCount) words and signs without literals; at most "
                    + "\(Shape.structureCountMax) are read.")
        }
        if shape.hasPlainBackslash, !isConforming {
            return refusal(
                "A string has a backslash, and standard_conforming_strings is off.",
                hint: "SET standard_conforming_strings = on, or write E'…'.")
        }
        if !shape.isASCII, !isUTF8 {
            return refusal(
                "It is not ASCII, and the client's encoding is not UTF8.",
                hint: "SET client_encoding = 'UTF8'.")
        }
        return nil
    }

    private static func notParsed(_ error: GrammarError) -> Refusal {
        switch error {
        case .syntax(let message, let offset):
            refusal("PostgreSQL 15 would not take it: \(message), character \(offset + 1).")
        case .unreadable:
            refusal("It is nested too deep, or not UTF-8.")
        }
    }

    // MARK: Statements

    private mutating func plan(_ statement: ParseNode) throws(Refusal) -> StatementPlan {
        guard let (kind, node) = statement.tagged else {
            throw Self.refusal("Its parse tree was not understood.")
        }
        switch kind {
        case "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt":
            try query(statement, parent: nil)
            let verdict = try verdict()
            if case .unkeyed(_, let refusal) = verdict, comparesKey(statement, isCondition: false) {
                return .refused(refusal)
            }
            return verdict
        case "ExplainStmt", "DeclareCursorStmt":
            guard let inner = node["query"] else {
                throw Self.refusal("Its parse tree was not understood.")
            }
            return try plan(inner)
        case "CopyStmt":
            return try copy(node)
        case "VariableSetStmt", "VariableShowStmt":
            // In quotes, or not alone in its text: the server would take it, and nobody follow it.
            if let name = node["name"]?.text, name.lowercased().hasPrefix("pgweir.") {
                throw .hintNotUnderstood
            }
            return .session
        case "TransactionStmt", "DiscardStmt", "DeallocateStmt",
            "FetchStmt", "ClosePortalStmt", "ConstraintsSetStmt":
            return .session
        case "PrepareStmt", "ExecuteStmt":
            throw Self.refusal(
                "PREPARE and EXECUTE are not looked into.",
                hint: "Prepare statements by the protocol, or name the shard by SET pgweir.shard.")
        default:
            let name = kind.hasSuffix("Stmt") ? kind.dropLast(4) : kind[...]
            throw Self.refusal(
                "A statement of this kind (\(name)) concerns a whole database.",
                hint: "Run it on each shard: /* pgweir: shard=NAME */.")
        }
    }

    /// A statement that may stand in another one.
    mutating func query(_ statement: ParseNode, parent: Int?) throws(Refusal) {
        guard let (kind, node) = statement.tagged else {
            throw Self.refusal("Its parse tree was not understood.")
        }
        switch kind {
        case "SelectStmt": _ = try select(node, parent: parent)
        case "InsertStmt": try insert(node, parent: parent)
        case "UpdateStmt": try update(node, parent: parent)
        case "DeleteStmt": try delete(node, parent: parent)
        default: throw Self.refusal("It contains a statement that is not known (\(kind)).")
        }
    }

    private mutating func copy(_ node: ParseNode) throws(Refusal) -> StatementPlan {
        guard node["filename"] == nil, !(node["is_program"]?.isTrue ?? false) else {
            throw Self.refusal("COPY with a file or a program is about one server's disk.")
        }
        if let inner = node["query"] { return try plan(inner) }
        guard let table = node["relation"] else {
            throw Self.refusal("Its parse tree was not understood.")
        }
        isWrite = node["is_from"]?.isTrue ?? false
        makesRows = isWrite
        scopes.append(Scope(parent: nil))
        let entry = try register(table, in: 0)
        if isWrite, entry.target == .other { throw notWritable(entry.name) }
        if let filter = node["whereClause"] { try walk(filter, 0) }
        return try verdict()
    }

    // MARK: The end

    /// What was found, when everything has been looked at.
    private mutating func verdict() throws(Refusal) -> StatementPlan {
        propagate()
        var conditions: [KeyCondition] = []
        var unbound: Relation?
        for relation in relations where !relation.isInsertedInto {
            let columns = relation.sources.compactMap(\.self)
            if columns.count == relation.sources.count {
                conditions.append(KeyCondition(columns: columns, isInserted: false))
            } else {
                unbound = unbound ?? relation
            }
        }
        conditions += inserted
        if let unbound {
            let refusal = unkeyed(unbound)
            let isUnkeyed = conditions.isEmpty && !makesRows
            return isUnkeyed ? .unkeyed(isWrite: isWrite, refusal) : .refused(refusal)
        }
        guard !conditions.isEmpty else { return .anyShard(isCatalog: hasCatalog) }
        var unique: [KeyCondition] = []
        var seen: Set<KeyCondition> = []
        for condition in conditions.map(marked) where seen.insert(condition).inserted {
            unique.append(condition)
        }
        return .keyed(unique, isWrite: isWrite)
    }

    /// Whether a WHERE compares a key with something that is not a column: then the statement names
    /// a key, in a way that was not understood.
    private func comparesKey(_ node: ParseNode, isCondition: Bool) -> Bool {
        switch node {
        case .array(let items):
            return items.contains { comparesKey($0, isCondition: isCondition) }
        case .object(let fields):
            if isCondition, let reference = fields["ColumnRef"] {
                let name = reference["fields"]?.items.last?["String"]?["sval"]?.text
                return relations.contains { $0.columns.contains { $0 == name } }
            }
            if isCondition, let sides = fields["A_Expr"], sides["lexpr"]?["ColumnRef"] != nil,
                sides["rexpr"]?["ColumnRef"] != nil
            {
                return false
            }
            return fields.contains {
                comparesKey($1, isCondition: isCondition || $0 == "whereClause")
            }
        case .string, .number, .boolean, .null:
            return false
        }
    }

    private mutating func propagate() {
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for (from, to) in edges
            where relations[to.relation].sources[to.index] == nil {
                guard let sources = relations[from.relation].sources[from.index] else { continue }
                relations[to.relation].sources[to.index] = sources
                hasChanged = true
            }
        }
    }

    private func unkeyed(_ relation: Relation) -> Refusal {
        let missing = zip(relation.columns, relation.sources).first { $0.1 == nil }?.0
        guard let missing else { return Self.refusal("\(relation.name) is not tied to a key.") }
        return Self.refusal(
            "\(relation.name) has no condition that fixes its key \(missing).",
            hint: "Write WHERE \(missing) = …, or join it on \(missing). " + Self.keyHint)
    }

    /// With the parameters marked whose type does not follow from the key.
    private func marked(_ condition: KeyCondition) -> KeyCondition {
        func isShared(_ number: Int) -> Bool {
            let types = parameterKeyUses[number] ?? []
            return types.count != parameterUses[number] ?? 0 || Set(types).count != 1
        }
        return KeyCondition(
            columns: condition.columns.map { sources in
                sources.map { source in
                    switch source {
                    case .parameter(let number, let type, _):
                        .parameter(number, as: type, isShared: isShared(number))
                    case .elements(let number, let type, _):
                        .elements(ofParameter: number, as: type, isShared: isShared(number))
                    case .literal, .elementsOfLiteral, .constant, .searchPath: source
                    }
                }
            }, isInserted: condition.isInserted)
    }
}
