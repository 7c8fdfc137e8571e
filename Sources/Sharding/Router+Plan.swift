internal import Bytes
internal import SQL

/// A value of a Bind message.
public struct BoundParameter: Equatable, Sendable {
    /// nil = NULL.
    public let bytes: [UInt8]?
    public let isBinary: Bool
    /// Its type as Parse declared it or the server described it, by its number in pg_type; 0 = not
    /// said.
    public let declared: UInt32

    public init(bytes: [UInt8]?, isBinary: Bool, declared: UInt32) {
        self.bytes = bytes
        self.isBinary = isBinary
        self.declared = declared
    }
}

/// What a plan needs to know of one execution, beside its literals.
public struct ExecutionValues: Equatable, Sendable {
    /// By number, from 1; those of `Plan.parameters` at least.
    public var parameters: [Int: BoundParameter] = [:]
    /// The first schema of `search_path`; nil = not known.
    public var searchPath: String?
    /// `client_encoding` is UTF8.
    public var isUTF8 = true

    public init() {}
}

/// Where a query string goes.
public enum Route: Equatable, Sendable {
    case shard(Int, PlacementRule)
    /// Any will do; with `isCatalog` one should be kept to, for numbers of objects differ.
    case anyShard(isCatalog: Bool)
    /// To every shard: the map says so of reads without a key.
    case everyShard
    /// SET, BEGIN and the like: wherever the transaction is, and nowhere yet if there is none.
    case session
    /// Ask where these keys are, by `lookup_query`; all must be on one shard.
    case lookup(LookupSettings, [[KeyValue?]])
    case refused(Refusal)
}

extension Router {
    /// Keys of one execution that are looked at; more are refused.
    static let keyCountMax = 10_000

    /// Where a query string goes that `shape` was read from, `text`; `plan` is its shape's.
    public func route(
        _ plan: Plan, _ shape: borrowing Shape, _ text: borrowing RawSpan,
        _ values: ExecutionValues
    ) -> Route {
        if plan.statements.count == 1 { return self.route(plan.statements[0], shape, text, values) }
        var route = Route.session
        for statement in plan.statements {
            let next = self.route(statement, shape, text, values)
            switch Self.combined(route, next) {
            case .success(let both): route = both
            case .failure(let refusal): return .refused(refusal)
            }
        }
        return route
    }

    /// The route of two statements in one query string.
    private static func combined(_ one: Route, _ other: Route) -> Result<Route, Refusal> {
        switch (one, other) {
        case (.refused(let refusal), _), (_, .refused(let refusal)): .failure(refusal)
        case (.session, let rest), (let rest, .session): .success(rest)
        case (.anyShard(let mine), .anyShard(let theirs)):
            .success(.anyShard(isCatalog: mine || theirs))
        case (.shard, .anyShard), (.lookup, .anyShard): .success(one)
        case (.anyShard, .shard), (.anyShard, .lookup): .success(other)
        case (.shard(let mine, _), .shard(let theirs, _)) where mine == theirs: .success(one)
        case (.lookup(let settings, let mine), .lookup(_, let theirs)):
            .success(.lookup(settings, mine + theirs))
        case _:
            .failure(
                Refusal(
                    "the statements of a query string concern several shards",
                    detail: "Each alone has a shard, but not the same one.",
                    hint: "Send them one by one."))
        }
    }

    private func route(
        _ statement: StatementPlan, _ shape: borrowing Shape, _ text: borrowing RawSpan,
        _ values: ExecutionValues
    ) -> Route {
        switch statement {
        case .anyShard(let isCatalog): return .anyShard(isCatalog: isCatalog)
        case .session: return .session
        case .refused(let refusal): return .refused(refusal)
        case .unkeyed(let isWrite, let refusal):
            switch isWrite ? map.unkeyedWrites : map.unkeyedReads {
            case .refuse: return .refused(refusal)
            case .scatter: return .everyShard
            case .shard(let shard): return .shard(shard, .unkeyed)
            }
        case .keyed(let conditions, _):
            do throws(Refusal) {
                if let only = try shardOfOnly(conditions, shape, text, values) { return only }
                return try shard(of: conditions, shape, text, values)
            } catch {
                return .refused(error)
            }
        }
    }

    /// One value of one column, placed by its hash: what nearly all statements have. nil = more.
    private func shardOfOnly(
        _ conditions: [KeyCondition], _ shape: borrowing Shape, _ text: borrowing RawSpan,
        _ values: ExecutionValues
    ) throws(Refusal) -> Route? {
        guard let shardsByHash, conditions.count == 1, conditions[0].columns.count == 1,
            conditions[0].columns[0].count == 1
        else { return nil }
        let key: KeyValue?
        do throws(KeyProblem) {
            switch conditions[0].columns[0][0] {
            case .literal(let index, let isNegated, let type):
                key = try value(
                    shape.literals[index], isNegated: isNegated, type, text, isUTF8: values.isUTF8)
            case .parameter(let number, let type, let isShared):
                key = try value(ofParameter: number, type, isShared: isShared, values)
            case .elements, .elementsOfLiteral, .constant, .searchPath:
                return nil
            }
        } catch {
            throw unreadable(error, column: 0)
        }
        return Self.route(key, isInserted: conditions[0].isInserted, shardsByHash)
    }

    /// Where a statement goes whose key is one literal, read from ASCII; nil = this map needs its
    /// plan, or the key cannot be read.
    func shard(
        of key: KeyLiteral, _ literals: [Literal], _ text: borrowing RawSpan
    ) -> Int? {
        guard let shardsByHash,
            let value = try? value(
                literals[key.index], isNegated: key.isNegated, key.type, text, isUTF8: true),
            case .shard(let shard, _) = Self.route(
                value, isInserted: key.isInserted, shardsByHash)
        else { return nil }
        return shard
    }

    private static func route(_ key: KeyValue?, isInserted: Bool, _ shards: [Int]) -> Route {
        // Of the rows with a NULL key there are none.
        if key == nil, !isInserted { return .anyShard(isCatalog: false) }
        var hash = PartitionHash()
        hash.combine(key)
        let remainder = hash.remainder(of: shards.count)
        return .shard(shards[remainder], .remainder(remainder, modulus: shards.count))
    }

    /// Where a statement goes whose key is one parameter: its value stands in `range` of `bytes`,
    /// nil = NULL. nil = this map needs its plan. `declared`: see `BoundParameter`.
    public func route(
        _ key: KeyParameter, _ bytes: borrowing RawSpan, in range: Range<Int>?, isBinary: Bool,
        declared: UInt32
    ) -> Route? {
        guard let shardsByHash, !key.isShared || declared != 0 && declared != 705 else {
            return nil
        }
        do throws(KeyProblem) {
            let value = try KeyValue.read(
                parameter: bytes, in: range, isBinary: isBinary, declared: declared, as: key.type)
            return Self.route(value, isInserted: key.isInserted, shardsByHash)
        } catch {
            return .refused(unreadable(error, column: 0))
        }
    }

    private func shard(
        of conditions: [KeyCondition], _ shape: borrowing Shape, _ text: borrowing RawSpan,
        _ values: ExecutionValues
    ) throws(Refusal) -> Route {
        var found: (shard: Int, rule: PlacementRule, key: [KeyValue?])?
        var asked: (settings: LookupSettings, keys: [[KeyValue?]])?
        for condition in conditions {
            for key in try keys(of: condition, shape, text, values) {
                switch place(key) {
                case .refused(let refusal): throw refusal
                case .lookup(let settings):
                    asked = (settings, (asked?.keys ?? []) + [key])
                case .shard(let shard, let rule):
                    if let found, found.shard != shard {
                        throw severalShards(found.key, found.shard, key, shard)
                    }
                    found = (shard, rule, key)
                }
            }
        }
        switch (found, asked) {
        // Of the rows with a NULL key there are none.
        case (nil, nil): return .anyShard(isCatalog: false)
        case (let found?, nil): return .shard(found.shard, found.rule)
        case (nil, let asked?): return .lookup(asked.settings, asked.keys)
        case (let found?, let asked?):
            throw Refusal(
                "the statement concerns keys of several kinds",
                detail: "\(shown(found.key)) has a place of its own, \(shown(asked.keys[0])) is "
                    + "looked up.", hint: "Use one key in a statement.")
        }
    }

    public func severalShards(
        _ one: [KeyValue?], _ shard: Int, _ other: [KeyValue?], _ otherShard: Int
    ) -> Refusal {
        Refusal(
            "the statement concerns more than one shard",
            detail: "Key \(shown(one)) is on \(map.shards[shard]), key \(shown(other)) on "
                + "\(map.shards[otherShard]).", hint: "Use one statement for each shard.")
    }

    // MARK: Keys

    /// Every combination of the columns' values.
    func keys(
        of condition: KeyCondition, _ shape: borrowing Shape, _ text: borrowing RawSpan,
        _ values: ExecutionValues
    ) throws(Refusal) -> [[KeyValue?]] {
        var keys: [[KeyValue?]] = [[]]
        for (index, sources) in condition.columns.enumerated() {
            var column: [KeyValue?] = []
            for source in sources {
                do throws(KeyProblem) {
                    column += try value(source, shape, text, values)
                } catch {
                    throw unreadable(error, column: index)
                }
            }
            if !condition.isInserted { column = column.filter { $0 != nil } }
            guard keys.count * column.count <= Self.keyCountMax else {
                throw Planner.refusal(
                    "It has \(keys.count * column.count) keys; at most \(Self.keyCountMax) are "
                        + "looked at.")
            }
            keys = keys.flatMap { key in column.map { key + [$0] } }
        }
        return keys
    }

    private func unreadable(_ problem: KeyProblem, column: Int) -> Refusal {
        let type = map.keyTypes.indices.contains(column) ? map.keyTypes[column].rawValue : "text"
        let place = map.keyTypes.count > 1 ? "Column \(column + 1) of the key" : "The key"
        return Refusal(
            "the sharding key cannot be read as \(type)", detail: "\(place): \(problem).",
            hint: problem.hint)
    }

    private func value(
        _ source: KeySource, _ shape: borrowing Shape, _ text: borrowing RawSpan,
        _ values: ExecutionValues
    ) throws(KeyProblem) -> [KeyValue?] {
        switch source {
        case .constant(let value): return [value]
        case .searchPath:
            guard let schema = values.searchPath else {
                throw KeyProblem(
                    "the table has no schema, and search_path is not known",
                    hint: "Write SCHEMA.TABLE, or SET search_path.")
            }
            return [.bytes(Array(schema.utf8))]
        case .literal(let index, let isNegated, let type):
            let literal = shape.literals[index]
            return [try value(literal, isNegated: isNegated, type, text, isUTF8: values.isUTF8)]
        case .elementsOfLiteral(let index, let type):
            guard let content = shape.literals[index].content(in: text) else {
                throw Self.unclear
            }
            return try KeyValue.readElements(text: content, as: type, isUTF8: values.isUTF8)
        case .parameter(let number, let type, let isShared):
            return [try value(ofParameter: number, type, isShared: isShared, values)]
        case .elements(let number, let type, let isShared):
            return try elements(try parameter(number, isShared: isShared, values), type, values)
        }
    }

    private func value(
        ofParameter number: Int, _ type: KeyType, isShared: Bool, _ values: ExecutionValues
    ) throws(KeyProblem) -> KeyValue? {
        let parameter = try parameter(number, isShared: isShared, values)
        return try KeyValue.read(
            parameter: parameter.bytes, isBinary: parameter.isBinary,
            declared: parameter.declared, as: type, isUTF8: values.isUTF8)
    }

    private static let unclear = KeyProblem(
        "a literal in a notation that is not read", hint: "Write it in plain quotes, '…'.")

    private func value(
        _ literal: Literal, isNegated: Bool, _ type: KeyType, _ text: borrowing RawSpan,
        isUTF8: Bool
    ) throws(KeyProblem) -> KeyValue {
        switch literal.kind {
        case .integer:
            guard type.isInteger || type == .oid else {
                throw KeyProblem("a number, where the key is \(type.rawValue)")
            }
            if !isNegated {
                return try KeyValue.read(text: text, in: literal.range, as: type)
            }
            return try KeyValue.read(
                text: [UInt8(ascii: "-")] + (literal.content(in: text) ?? []), as: type)
        case .decimal:
            throw KeyProblem("a number that is not a whole one")
        case .plain, .escape, .dollar, .national, .unicode, .bits, .hexadecimal:
            guard !isNegated, let content = literal.content(in: text) else { throw Self.unclear }
            return try KeyValue.read(text: content, as: type, isUTF8: isUTF8)
        }
    }

    private func parameter(
        _ number: Int, isShared: Bool, _ values: ExecutionValues
    ) throws(KeyProblem) -> BoundParameter {
        guard let parameter = values.parameters[number] else {
            throw KeyProblem(
                "parameter $\(number) has no value here",
                hint: "Bind it, or name the key in a comment, /* pgweir: key=VALUE */.")
        }
        if isShared, parameter.declared == 0 || parameter.declared == 705 {
            throw KeyProblem(
                "the type of parameter $\(number), which is used twice, is not known",
                hint: "Declare its type in Parse, or use a parameter of its own for the key.")
        }
        return parameter
    }

    private func elements(
        _ parameter: BoundParameter, _ type: KeyType, _ values: ExecutionValues
    ) throws(KeyProblem) -> [KeyValue?] {
        guard let bytes = parameter.bytes else { return [] }
        let declared = parameter.declared
        let source =
            declared == 0 || declared == 705 ? type : KeyType(arrayOID: declared)
        guard let source, type.isComparable(to: source) else {
            throw KeyProblem(
                "a parameter of another type (number \(declared) in pg_type) for an array of "
                    + type.rawValue,
                hint: "Declare the parameter as \(type.rawValue)[].")
        }
        return parameter.isBinary
            ? try KeyValue.readElements(binary: bytes, as: source, isUTF8: values.isUTF8)
            : try KeyValue.readElements(text: bytes, as: source, isUTF8: values.isUTF8)
    }
}
