internal import Bytes

/// Where somebody says that a statement belongs: in a comment, or by SET pgweir.shard and
/// pgweir.key.
public enum KeyHint: Equatable, Sendable {
    case shard(String)
    /// The key's columns as text.
    case key([String])

    /// The hint in the comments of a statement, `/* pgweir: shard=s1 */` or
    /// `/* pgweir: key=42,eu */`; nil = there is none. A hint that is not understood is refused.
    public static func find(
        in text: borrowing RawSpan, comments: [Range<Int>]
    ) -> Result<KeyHint?, Refusal> {
        var found: KeyHint?
        for gap in comments {
            var reader = CommentReader(text, in: gap)
            while let comment = reader.next(text) {
                guard let body = body(of: text.string(in: comment)) else { continue }
                switch parse(body) {
                case .failure(let refusal): return .failure(refusal)
                case .success(let hint):
                    if let found, found != hint {
                        return .failure(
                            refusal("\"\(body)\" and another hint in the same query string."))
                    }
                    found = hint
                }
            }
        }
        return .success(found)
    }

    /// What stands behind "pgweir:" at the start of a comment.
    private static func body(of comment: String) -> String? {
        let trimmed = comment.drop(while: \.isWhitespace)
        guard trimmed.lowercased().hasPrefix("pgweir:") else { return nil }
        return String(trimmed.dropFirst("pgweir:".count).trimmed)
    }

    private static func refusal(_ detail: String) -> Refusal {
        Refusal(
            "a hint for pgweir was not understood", detail: detail,
            hint: "Write /* pgweir: shard=NAME */ or /* pgweir: key=VALUE */, for a key of several "
                + "columns key=VALUE,VALUE. Values may be in single quotes.")
    }

    private static func parse(_ body: String) -> Result<KeyHint, Refusal> {
        guard let equals = body.firstIndex(of: "=") else {
            return .failure(refusal("There is no \"=\" in \"\(body)\"."))
        }
        let word = body[..<equals].trimmed.lowercased()
        let value = String(body[body.index(after: equals)...])
        switch word {
        case "shard": return shard(value)
        case "key": return key(value)
        default: return .failure(refusal("\"\(word)\" is neither shard nor key."))
        }
    }

    /// The value of `pgweir.shard`, or of `shard=` in a comment.
    public static func shard(_ value: String) -> Result<KeyHint, Refusal> {
        guard let columns = columns(value), columns.count == 1, !columns[0].isEmpty else {
            return .failure(refusal("\"\(value)\" does not name one shard."))
        }
        return .success(.shard(columns[0]))
    }

    /// The value of `pgweir.key`, or of `key=` in a comment: columns, commas between them.
    public static func key(_ value: String) -> Result<KeyHint, Refusal> {
        guard let columns = columns(value) else {
            return .failure(refusal("\"\(value)\" is not a list of values."))
        }
        return .success(.key(columns))
    }

    /// Values with commas between them; in quotes a doubled quote stands for one. nil = malformed.
    private static func columns(_ text: String) -> [String]? {
        var columns: [String] = []
        var rest = text[...]
        while true {
            rest = rest.drop(while: \.isWhitespace)
            if rest.first == "'" {
                guard let column = quoted(&rest) else { return nil }
                columns.append(column)
                rest = rest.drop(while: \.isWhitespace)
            } else {
                let column = rest.prefix { $0 != "," }
                rest = rest[column.endIndex...]
                let value = column.trimmed
                guard !value.isEmpty, !value.contains("'") else { return nil }
                columns.append(String(value))
            }
            if rest.isEmpty { return columns }
            guard rest.first == "," else { return nil }
            rest = rest.dropFirst()
        }
    }

    private static func quoted(_ rest: inout Substring) -> String? {
        var value = ""
        rest = rest.dropFirst()
        while let character = rest.first {
            rest = rest.dropFirst()
            if character != "'" {
                value.append(character)
            } else if rest.first == "'" {
                value.append("'")
                rest = rest.dropFirst()
            } else {
                return value
            }
        }
        return nil
    }
}

extension StringProtocol {
    /// Without white space at its ends.
    fileprivate var trimmed: SubSequence {
        let front = drop(while: \.isWhitespace)
        let end = front.lastIndex { !$0.isWhitespace }.map { front.index(after: $0) }
        return front[..<(end ?? front.startIndex)]
    }
}

extension Router {
    /// Where a hint puts a statement.
    public func route(_ hint: KeyHint) -> Route {
        switch hint {
        case .shard(let name):
            guard let shard = map.shards.firstIndex(of: name) else {
                return .refused(
                    Refusal(
                        "there is no shard \"\(name)\"",
                        detail: "The shards of map \(map.name) are "
                            + map.shards.joined(separator: ", ") + "."))
            }
            return .shard(shard, .hint)
        case .key(let columns):
            let key: [KeyValue?]
            do throws(Refusal) {
                key = try values(columns)
            } catch {
                return .refused(error)
            }
            switch place(key) {
            case .shard(let shard, let rule): return .shard(shard, rule)
            case .lookup(let settings): return .lookup(settings, [key])
            case .refused(let refusal): return .refused(refusal)
            }
        }
    }

    /// The columns of a key that was written as text.
    private func values(_ columns: [String]) throws(Refusal) -> [KeyValue?] {
        // `place` says what is wrong with their number.
        guard columns.count == map.keyTypes.count else {
            return Array(repeating: nil, count: columns.count)
        }
        var key: [KeyValue?] = []
        for (column, type) in zip(columns, map.keyTypes) {
            do throws(KeyProblem) {
                key.append(try KeyValue.read(text: Array(column.utf8), as: type))
            } catch {
                throw Refusal(
                    "a key for map \(map.name) is not \(type.rawValue)",
                    detail: "\"\(column)\": \(error).", hint: error.hint)
            }
        }
        return key
    }
}
