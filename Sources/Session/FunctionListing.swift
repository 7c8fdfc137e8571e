internal import Bytes
public import SQL

/// What one database says of its functions, and of what calls them unseen: which names may leave
/// something in a session. Read from the server by one query of ours; see `FunctionListing.sql`.
///
/// Rows, five columns each: `m`, the mark; `o`, an object: its number, its name, and the language
/// and the source of a function that may leave something itself; `e`, two objects' numbers: the
/// second one uses the first.
public struct FunctionListing: Sendable {
    struct Node: Sendable {
        /// As texts name it; empty = by no name.
        let names: [String]
        /// Every text may use it.
        let isEverywhere: Bool
        let language: String
        let source: String?
    }

    /// Stands for all that the query has looked at; the same as long as nothing was changed.
    public private(set) var mark = ""
    private(set) var nodes: [String: Node] = [:]
    private(set) var edges: [(from: String, to: String)] = []

    init() {}

    /// Reads a DataRow's body. Source: PostgreSQL documentation, "Message Formats", DataRow.
    mutating func read(_ row: borrowing RawSpan) {
        let values = StateQuestion.values(row)
        guard values.count == 5, let first = values[1] else { return }
        switch values[0] {
        case "m":
            mark = first
        case "o":
            nodes[first] = Self.node(first, values[2] ?? "", values[3] ?? "", values[4])
        case "e":
            if let second = values[2] { edges.append((first, second)) }
        default:
            break
        }
    }

    private static func node(
        _ number: String, _ name: String, _ language: String, _ source: String?
    ) -> Node {
        let isTrigger = number.hasPrefix("pg_event_trigger:")
        let isEverywhere =
            number.hasPrefix("pg_operator:") || number.hasPrefix("pg_cast:")
            || number.hasPrefix("pg_conversion:")
        let names = isTrigger ? eventWords : name.isEmpty ? [] : [name]
        return Node(
            names: names, isEverywhere: isEverywhere, language: language, source: source)
    }

    /// Some of them are in every text that can make an event trigger fire.
    private static let eventWords = [
        "create", "alter", "drop", "grant", "revoke", "comment", "security", "refresh", "reindex",
        "import", "into", "reassign",
    ]

    /// The names that leave something, each with what that is; nil = none.
    public func names() -> SuspectNames? {
        var byNode: [String: Leavings] = [:]
        for (number, node) in nodes {
            let own = Self.leavings(of: node)
            if !own.isEmpty { byNode[number] = own }
        }
        guard !byNode.isEmpty else { return nil }
        // Who uses something leaves what that leaves.
        var users: [String: [String]] = [:]
        for edge in edges { users[edge.from, default: []].append(edge.to) }
        var toDo = Array(byNode.keys)
        while let number = toDo.popLast() {
            guard let leavings = byNode[number] else { continue }
            for user in users[number] ?? [] {
                if byNode[user, default: Leavings()].formUnion(leavings) { toDo.append(user) }
            }
        }
        var byName: [String: Leavings] = [:]
        var unnamed = Leavings()
        for (number, leavings) in byNode {
            guard let node = nodes[number] else { continue }
            if node.isEverywhere { unnamed.formUnion(leavings) }
            for name in node.names { byName[name, default: Leavings()].formUnion(leavings) }
        }
        return SuspectNames(byName, unnamed: unnamed)
    }

    private static func leavings(of node: Node) -> Leavings {
        var anything = Leavings()
        anything.suspicions = .anything
        switch node.language {
        case "":
            return Leavings()
        case "sql", "plpgsql":
            // One that is too long comes without its source.
            guard let source = node.source else { return anything }
            return Array(source.utf8).withRawSpan { StatementScanner.leavings(ofBody: $0) }
        default:
            guard let source = node.source else { return anything }
            return mayLeave(source) ? anything : Leavings()
        }
    }

    /// Code in a language that we do not read.
    private static func mayLeave(_ source: String) -> Bool {
        var found = false
        forEachWord(of: source) { word in
            if Self.words.contains(word) || word.hasPrefix("pg_advisory")
                || word.hasPrefix("pg_try_advisory") || word.hasPrefix("spi_")
            {
                found = true
            }
        }
        return found
    }

    private static let words: Set<String> = [
        "set_config", "set", "reset", "listen", "unlisten", "load", "prepare", "deallocate",
        "discard", "execute", "create", "temp", "temporary", "hold", "setseed",
    ]

    private static func isInWord(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x5f || byte == 0x24
            || byte >= 0x80
    }

    /// Each run of letters of names, in lower case, in quotes and comments as well.
    private static func forEachWord(of source: String, _ body: (String) -> Void) {
        for run in source.utf8.split(whereSeparator: { !isInWord($0) }) {
            body(String(Substring(run)).lowercased())
        }
    }
}
