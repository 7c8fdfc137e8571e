/// Where the value of a key's column is found when a statement is executed.
public enum KeySource: Hashable, Sendable {
    /// The shape's literal of that index, read as `type`.
    case literal(Int, isNegated: Bool, as: KeyType)
    /// A parameter of the extended protocol, by its number. `isShared`: the statement uses it
    /// elsewhere too, so that its type does not follow from the key.
    case parameter(Int, as: KeyType, isShared: Bool)
    /// Every element of an array: `= ANY ($1)`.
    case elements(ofParameter: Int, as: KeyType, isShared: Bool)
    /// Every element of an array: `= ANY ('{1,2}'::bigint[])`.
    case elementsOfLiteral(Int, as: KeyType)
    /// TRUE, a schema's name, or NULL.
    case constant(KeyValue?)
    /// The first schema of the session's search path.
    case searchPath
}

/// The keys of the rows that one table of a statement is about: for each column of the key every
/// value that it may have.
public struct KeyCondition: Hashable, Sendable {
    public let columns: [[KeySource]]
    /// Rows to be inserted, whose key may be NULL; of all others a NULL key has no rows.
    public let isInserted: Bool
}

/// What one statement has to do with shards. Holds for all statements of its shape.
public enum StatementPlan: Equatable, Sendable {
    /// Touches rows with these keys, and no others but those of reference tables.
    case keyed([KeyCondition], isWrite: Bool)
    /// The answer is the same on every shard; with `isCatalog` as far as their schemas are.
    case anyShard(isCatalog: Bool)
    /// SET, BEGIN, FETCH and the like: about the session or transaction, not about data.
    case session
    /// Touches keyed tables and names no key at all: the map says what becomes of it.
    case unkeyed(isWrite: Bool, Refusal)
    /// Not proven to touch one shard.
    case refused(Refusal)
}

/// The plans of a query string's statements.
public struct Plan: Equatable, Sendable {
    public let statements: [StatementPlan]
    /// `Shape.mayNameUs`: then literals matter that are not keys.
    var mayBeOurs = false

    /// The one value of one column that alone decides where the statement goes, and whether it is
    /// inserted; nil = there is more to it.
    private var onlySource: (source: KeySource, isInserted: Bool)? {
        guard statements.count == 1, case .keyed(let conditions, _) = statements[0],
            conditions.count == 1, conditions[0].columns.count == 1,
            conditions[0].columns[0].count == 1
        else { return nil }
        return (conditions[0].columns[0][0], conditions[0].isInserted)
    }

    /// The parameter that alone decides where the statement goes; nil = there is more to it.
    var keyParameter: KeyParameter? {
        guard case .parameter(let number, let type, let isShared)? = onlySource?.source,
            let isInserted = onlySource?.isInserted
        else { return nil }
        return KeyParameter(
            number: number, type: type, isShared: isShared, isInserted: isInserted)
    }

    /// The literal that does.
    var keyLiteral: KeyLiteral? {
        guard case .literal(let index, let isNegated, let type)? = onlySource?.source,
            let isInserted = onlySource?.isInserted
        else { return nil }
        return KeyLiteral(
            index: index, isNegated: isNegated, type: type, isInserted: isInserted)
    }

    /// Numbers of the parameters whose values `Router.route` needs; ascending.
    public var parameters: [Int] {
        var numbers: Set<Int> = []
        for case .keyed(let conditions, _) in statements {
            for source in conditions.lazy.flatMap(\.columns).joined() {
                switch source {
                case .parameter(let number, _, _), .elements(let number, _, _):
                    numbers.insert(number)
                case .literal, .elementsOfLiteral, .constant, .searchPath: break
                }
            }
        }
        return numbers.sorted()
    }
}

/// The key of a statement that has one, of one column, as a parameter of the extended protocol.
/// With it neither text nor plan is needed any more.
public struct KeyParameter: Equatable, Sendable {
    /// From 1.
    public let number: Int
    let type: KeyType
    let isShared: Bool
    let isInserted: Bool
}

/// The same as a literal of the text.
struct KeyLiteral: Equatable, Sendable {
    let index: Int
    let isNegated: Bool
    let type: KeyType
    let isInserted: Bool
}
