internal import Bytes
internal import SQL
internal import Sharding

/// What a client says of where its statements belong: SET pgweir.key and the like. pgcat's words
/// mean the same.
public struct HintChange: Equatable, Sendable {
    public enum Value: Equatable, Sendable {
        case shard(String)
        /// As in a comment, `42` or `42,eu`.
        case key(String)
        /// Back to what the login said.
        case startup
    }

    public let value: Value
    /// Until the end of the transaction.
    public let isLocal: Bool

    public init(_ value: Value, isLocal: Bool = false) {
        self.value = value
        self.isLocal = isLocal
    }
}

/// A statement that routing itself has to understand. It stands alone in its text.
enum SessionCommand: Equatable {
    /// BEGIN and START TRANSACTION; holds the tag of its answer.
    case begin(tag: String)
    /// COMMIT, ROLLBACK and their other names, without AND CHAIN; holds the tag of its answer.
    case end(tag: String)
    case setHint(HintChange)
    /// SHOW pgweir.key, SHOW pgweir.shard, SHOW SHARD; holds the name of the column.
    case show(Shown, column: String)
    /// EXPLAIN (SHARDS); holds where the statement begins.
    case explain(from: Int)
    /// RESET ALL and DISCARD ALL.
    case resetAll
    /// SET [LOCAL] search_path; nil = not one plain name.
    case setSearchPath(first: String?)
    /// SAVEPOINT and RELEASE.
    case savepoint
    case rollbackTo
    /// COMMIT AND CHAIN, ROLLBACK AND CHAIN.
    case chain
    /// About `pgweir.`, and not understood.
    case malformed
    /// Another SET, RESET or SHOW, or anything else.
    case other

    enum Shown: Equatable { case key, shard }

    /// Whether it belongs where the transaction is, whatever hint is in force.
    var isAboutTransaction: Bool {
        switch self {
        case .begin, .end, .chain, .savepoint, .rollbackTo, .setSearchPath: true
        case .setHint, .show, .explain, .resetAll, .malformed, .other: false
        }
    }

    /// Reads `text` in `range`. Looks at a few words only unless the first is one of those.
    static func read(
        _ text: borrowing RawSpan, in range: Range<Int>, isConforming: Bool
    ) -> SessionCommand {
        var reader = CommandReader(text, in: range, isConforming: isConforming)
        return reader.read(text)
    }
}

/// Reads one `SessionCommand`, token by token.
private struct CommandReader {
    private var lexer: Lexer
    private let end: Int
    private var token: Token?
    /// The current token in lower case if it is a word; else "".
    private var word = ""

    init(_ text: borrowing RawSpan, in range: Range<Int>, isConforming: Bool) {
        lexer = Lexer(from: range.lowerBound, standardConformingStrings: isConforming)
        end = range.upperBound
    }

    private mutating func advance(_ text: borrowing RawSpan) {
        token = lexer.next(in: text, before: end)
        word = ""
        if let token, token.kind == .word, token.range.count <= 32 {
            word = text.string(in: token.range).lowercased()
        }
    }

    /// Goes past `wanted` if it comes next.
    private mutating func take(_ wanted: String, _ text: borrowing RawSpan) -> Bool {
        guard word == wanted else { return false }
        advance(text)
        return true
    }

    /// Whether nothing follows but a semicolon.
    private mutating func isAtEnd(_ text: borrowing RawSpan) -> Bool {
        if token?.kind == .semicolon { advance(text) }
        return token == nil
    }

    mutating func read(_ text: borrowing RawSpan) -> SessionCommand {
        guard startsCommand(text) else { return .other }
        advance(text)
        let first = word
        advance(text)
        switch first {
        case "begin":
            return begin("BEGIN", text)
        case "start":
            return take("transaction", text) ? begin("START TRANSACTION", text) : .other
        case "commit", "end":
            return finish("COMMIT", text)
        case "rollback", "abort":
            return first == "rollback" && isBack(text) ? .rollbackTo : finish("ROLLBACK", text)
        case "savepoint", "release":
            return .savepoint
        case "set": return set(text)
        case "reset": return reset(text)
        case "discard": return take("all", text) && isAtEnd(text) ? .resetAll : .other
        case "show": return show(text)
        case "explain": return explain(text)
        default: return .other
        }
    }

    /// Whether the first word is one that matters; nearly all texts end here.
    private func startsCommand(_ text: borrowing RawSpan) -> Bool {
        var place = lexer.offset
        while place < end, text.uint8(at: place) == 0x20 { place += 1 }
        guard place + 2 < end else { return false }
        switch (text.uint8(at: place) | 0x20, text.uint8(at: place + 1) | 0x20) {
        case (UInt8(ascii: "i"), _), (UInt8(ascii: "u"), _), (UInt8(ascii: "w"), _),
            (UInt8(ascii: "d"), UInt8(ascii: "e")):
            return false
        case (UInt8(ascii: "s"), UInt8(ascii: "e")) where text.uint8(at: place + 2) | 0x20 == 0x6c:
            return false
        default: break
        }
        var ahead = lexer
        guard let first = ahead.next(in: text, before: end), first.kind == .word else {
            return false
        }
        let start = first.range.lowerBound
        let words: [String]
        switch text.uint8(at: start) | 0x20 {
        case UInt8(ascii: "a"): words = ["abort"]
        case UInt8(ascii: "b"): words = ["begin"]
        case UInt8(ascii: "c"): words = ["commit"]
        case UInt8(ascii: "d"): words = ["discard"]
        case UInt8(ascii: "e"): words = ["end", "explain"]
        case UInt8(ascii: "r"): words = ["rollback", "reset", "release"]
        case UInt8(ascii: "s"):
            // Not for every SELECT.
            guard !text.hasWord("sel", at: start) else { return false }
            words = ["set", "show", "start", "savepoint"]
        default: return false
        }
        for word in words where word.utf8.count == first.range.count {
            if text.hasWord(word, at: start) { return true }
        }
        return false
    }

    // MARK: Transactions

    private static let modes: Set<String> = [
        "work", "transaction", "isolation", "level", "serializable", "repeatable", "read",
        "committed", "uncommitted", "only", "write", "not", "deferrable",
    ]

    private mutating func begin(_ tag: String, _ text: borrowing RawSpan) -> SessionCommand {
        while Self.modes.contains(word) || token?.kind == .comma { advance(text) }
        return isAtEnd(text) ? .begin(tag: tag) : .other
    }

    private mutating func finish(_ tag: String, _ text: borrowing RawSpan) -> SessionCommand {
        if word == "work" || word == "transaction" { advance(text) }
        if take("and", text) {
            if take("chain", text) { return isAtEnd(text) ? .chain : .other }
            guard take("no", text), take("chain", text) else { return .other }
        }
        return isAtEnd(text) ? .end(tag: tag) : .other
    }

    /// Behind ROLLBACK.
    private mutating func isBack(_ text: borrowing RawSpan) -> Bool {
        var ahead = self
        if ahead.word == "work" || ahead.word == "transaction" { ahead.advance(text) }
        return ahead.word == "to"
    }

    // MARK: Hints

    private mutating func set(_ text: borrowing RawSpan) -> SessionCommand {
        let isLocal = word == "local"
        if isLocal || word == "session" { advance(text) }
        if take("shard", text) { return value(isLocal, text) { .shard($0) } }
        if word == "sharding" {
            advance(text)
            guard take("key", text) else { return .malformed }
            return value(isLocal, text) { .key($0) }
        }
        if take("search_path", text) { return searchPath(text) }
        guard take("pgweir", text) else { return .other }
        guard token?.kind == .dot else { return .malformed }
        advance(text)
        if take("shard", text) { return value(isLocal, text) { .shard($0) } }
        if take("key", text) { return value(isLocal, text) { .key($0) } }
        return .malformed
    }

    /// Behind the name: what it is set to.
    private mutating func value(
        _ isLocal: Bool, _ text: borrowing RawSpan, _ make: (String) -> HintChange.Value
    ) -> SessionCommand {
        guard isAssigned(text), let token else { return .malformed }
        let value: HintChange.Value
        if word == "default" {
            value = .startup
        } else if let written = Self.text(of: token, text) {
            value = make(written)
        } else {
            return .malformed
        }
        advance(text)
        return isAtEnd(text) ? .setHint(HintChange(value, isLocal: isLocal)) : .malformed
    }

    /// TO or =.
    private mutating func isAssigned(_ text: borrowing RawSpan) -> Bool {
        if take("to", text) { return true }
        guard let token, token.kind == .symbol, text.uint8(at: token.range.lowerBound) == 0x3d
        else { return false }
        advance(text)
        return true
    }

    /// A value as SET takes it.
    private static func text(of token: Token, _ text: borrowing RawSpan) -> String? {
        switch token.kind {
        case .word, .number: return text.string(in: token.range)
        case .string:
            guard text.uint8(at: token.range.lowerBound) == UInt8(ascii: "'"),
                token.range.count >= 2,
                !token.isUnfinished
            else { return nil }
            let inside = token.range.lowerBound + 1..<token.range.upperBound - 1
            return unquoted(text.string(in: inside), "'")
        case .quotedIdentifier:
            guard text.uint8(at: token.range.lowerBound) == UInt8(ascii: "\""), !token.isUnfinished,
                token.range.count >= 2
            else { return nil }
            let inside = token.range.lowerBound + 1..<token.range.upperBound - 1
            return unquoted(text.string(in: inside), "\"")
        case .dollarString, .parameter, .semicolon, .comma, .openParenthesis, .closeParenthesis,
            .dot, .symbol:
            return nil
        }
    }

    /// With a doubled quote as one.
    private static func unquoted(_ inside: String, _ quote: Character) -> String {
        var value = ""
        var isSecond = false
        for character in inside {
            isSecond = character == quote && !isSecond
            if !isSecond { value.append(character) }
        }
        return value
    }

    private mutating func searchPath(_ text: borrowing RawSpan) -> SessionCommand {
        guard isAssigned(text), let token, word != "default" else {
            return .setSearchPath(first: nil)
        }
        let first = token.kind == .word ? word : Self.text(of: token, text)
        return .setSearchPath(first: first)
    }

    private mutating func reset(_ text: borrowing RawSpan) -> SessionCommand {
        if take("all", text) { return isAtEnd(text) ? .resetAll : .other }
        if take("search_path", text) { return .setSearchPath(first: nil) }
        if take("shard", text) {
            return isAtEnd(text) ? .setHint(HintChange(.startup)) : .malformed
        }
        guard take("pgweir", text) else { return .other }
        guard token?.kind == .dot else { return .malformed }
        advance(text)
        guard take("shard", text) || take("key", text), isAtEnd(text) else { return .malformed }
        return .setHint(HintChange(.startup))
    }

    private mutating func show(_ text: borrowing RawSpan) -> SessionCommand {
        if take("shard", text) {
            return isAtEnd(text) ? .show(.shard, column: "shard") : .malformed
        }
        guard take("pgweir", text) else { return .other }
        guard token?.kind == .dot else { return .malformed }
        advance(text)
        let isKey = word == "key"
        guard isKey || word == "shard" else { return .malformed }
        advance(text)
        guard isAtEnd(text) else { return .malformed }
        return isKey ? .show(.key, column: "pgweir.key") : .show(.shard, column: "pgweir.shard")
    }

    private mutating func explain(_ text: borrowing RawSpan) -> SessionCommand {
        guard token?.kind == .openParenthesis else { return .other }
        advance(text)
        guard take("shards", text), token?.kind == .closeParenthesis else { return .other }
        return .explain(from: lexer.offset)
    }
}
