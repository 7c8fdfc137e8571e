import Bytes
import CPgQuery
import SQL
import TestSupport
import Testing

/// A token as PostgreSQL's scanner cuts it.
struct ScannedToken: Equatable {
    enum Kind { case word, quotedIdentifier, string, number, parameter, comment, sign }

    let kind: Kind
    let range: Range<Int>
}

/// PostgreSQL's scanner, by libpg_query.
enum Scanner {
    /// nil = it refuses the text.
    static func tokens(of text: [UInt8], conforming: Bool) -> [ScannedToken]? {
        pgweir_set_standard_conforming_strings(conforming)
        defer { pgweir_set_standard_conforming_strings(true) }
        let terminated = text.map { CChar(bitPattern: $0) } + [0]
        let result = unsafe terminated.withUnsafeBufferPointer {
            unsafe pg_query_scan($0.baseAddress)
        }
        defer { unsafe pg_query_free_scan_result(result) }
        guard unsafe result.error == nil else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(
            start: result.pbuf.data, count: Int(result.pbuf.len))
        var fields = Protobuf(unsafe Array(bytes)[...])
        var tokens: [ScannedToken] = []
        while let field = fields.next() {
            if field.number == 2 { tokens.append(token(field.bytes, text)) }
        }
        return tokens
    }

    /// ScanToken of pg_query.proto: start = 1, end = 2, token = 4, keyword_kind = 5.
    private static func token(_ message: ArraySlice<UInt8>, _ text: [UInt8]) -> ScannedToken {
        var fields = Protobuf(message)
        var values = [0, 0, 0, 0, 0, 0]
        while let field = fields.next() {
            if field.number < 6 { values[field.number] = field.value }
        }
        let range = values[1]..<values[2]
        let kind: ScannedToken.Kind =
            switch values[4] {
            case 258: text[range.lowerBound] == UInt8(ascii: "\"") ? .quotedIdentifier : .word
            case 259: .quotedIdentifier
            case 260, 266: .number
            case 261...264: .string
            case 267: .parameter
            case 275, 276: .comment
            case _: values[5] > 0 ? .word : .sign
            }
        return ScannedToken(kind: kind, range: range)
    }
}

/// The fields of a message, as far as scan results have them.
struct Protobuf {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    mutating func next() -> (number: Int, value: Int, bytes: ArraySlice<UInt8>)? {
        guard !bytes.isEmpty else { return nil }
        let tag = variable()
        let value = variable()
        guard tag & 7 == 2 else { return (tag >> 3, value, []) }
        let content = bytes.prefix(value)
        bytes = bytes.dropFirst(value)
        return (tag >> 3, 0, content)
    }

    private mutating func variable() -> Int {
        var value = 0
        var shift = 0
        while let byte = bytes.popFirst() {
            value |= Int(byte & 0x7f) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return value
    }
}

/// Our lexer cuts as PostgreSQL's scanner does: literals are where it says, and nowhere else.
@Suite struct ScannerTests {
    /// Pieces that make trouble, in any order.
    private static let pieces: [String] = [
        "'", "''", "\\", "\"", "\"\"", "$", "$$", "$a$", "$b1$", "$1", "$12", "a", "B", "e", "E'",
        "e'", "n'", "N'", "b'", "B'01'", "x'", "X'1f'", "U&'", "u&'", "U&\"", "u&", "\\'", "\\\\",
        "1", "2.5", ".5", "1.", "1e5", "1e", "1e+", "1..2", "0", " ", "\n", "\t", "\r", "--", "-",
        "- -", "/*", "*/", "/", "*", "+", "=", "<", ">", "<=", "::", ":", ":=", ";", ",", ".", "(",
        ")", "[", "]", "||", "!", "@", "#", "%", "^", "&", "|", "`", "?", "~", "select", "where",
        "_x", "é", "a$b", "'x'", "E'\\n'", "$a$ ' $a$", "/* ' */", "-- '\n", "'a'\n'b'",
        "'a' /* c */\n'b'", "\u{0b}", "\u{0c}", "🐘",
    ]

    /// What our lexer finds, in PostgreSQL's words; nil = it says that a quote has no end.
    private func lexed(_ text: [UInt8], _ conforming: Bool) -> [ScannedToken]? {
        text.withRawSpan { bytes in
            var lexer = Lexer(standardConformingStrings: conforming)
            var found: [ScannedToken] = []
            while let token = lexer.next(in: bytes, before: bytes.byteCount) {
                if token.isUnfinished { return nil }
                let kind: ScannedToken.Kind? =
                    switch token.kind {
                    case .word: .word
                    case .quotedIdentifier: .quotedIdentifier
                    case .string, .dollarString: .string
                    case .number: .number
                    case .parameter: .parameter
                    case .semicolon, .comma, .openParenthesis, .closeParenthesis, .dot, .symbol: nil
                    }
                if let kind { found.append(ScannedToken(kind: kind, range: token.range)) }
            }
            return found
        }
    }

    /// Their tokens without signs and comments. N'…' is a word and a string there.
    private func scanned(_ text: [UInt8], _ conforming: Bool) -> [ScannedToken]? {
        guard let tokens = Scanner.tokens(of: text, conforming: conforming) else { return nil }
        var found: [ScannedToken] = []
        for token in tokens where token.kind != .comment && token.kind != .sign {
            if token.kind == .string, text[token.range.lowerBound] == UInt8(ascii: "'"),
                let last = found.last, last.kind == .word, last.range.count == 1,
                last.range.upperBound == token.range.lowerBound,
                text[last.range.lowerBound] | 0x20 == UInt8(ascii: "n")
            {
                found.removeLast()
                let range = last.range.lowerBound..<token.range.upperBound
                found.append(ScannedToken(kind: .string, range: range))
            } else {
                found.append(token)
            }
        }
        return found
    }

    /// libpg_query does not say where U&'…' and U&"…" end: behind nothing, or behind the U.
    private static func withoutUnknownEnds(
        _ tokens: [ScannedToken], _ expected: [ScannedToken]
    ) -> [ScannedToken] {
        tokens.enumerated().map { index, token in
            guard expected.indices.contains(index), expected[index].range.count < 2,
                token.kind == .string || token.kind == .quotedIdentifier
            else {
                return token
            }
            let start = token.range.lowerBound
            let range = start..<start + expected[index].range.count
            return ScannedToken(kind: token.kind, range: range)
        }
    }

    @Test(arguments: Seeds.suite(20), [true, false])
    func `random texts are cut as PostgreSQL cuts them`(_ seed: UInt64, _ conforming: Bool) {
        var random = SeededRandom(seed: seed)
        var comparedCount = 0
        for _ in 0..<1500 {
            let count = Int.random(in: 1...12, using: &random)
            let text = (0..<count).map { _ in Self.pieces.randomElement(using: &random) ?? "" }
                .joined()
            let bytes = Array(text.utf8)
            guard let expected = scanned(bytes, conforming) else { continue }
            comparedCount += 1
            let found = lexed(bytes, conforming).map { Self.withoutUnknownEnds($0, expected) }
            // Where libpg_query differs from PostgreSQL: a comment may stand between two lines of
            // a string.
            let isContinued = /'[ \t\u{0b}\u{0c}\n\r]*--[^\n\r]*[\n\r]/
            if found != expected, !text.contains(isContinued) {
                Issue.record("\(text.debugDescription): \(found ?? []) instead of \(expected)")
                return
            }
        }
        #expect(comparedCount > 200)
    }

    @Test func `the setting decides about backslashes`() {
        let text = Array("'a\\' b'".utf8)
        #expect(Scanner.tokens(of: text, conforming: false)?.count == 1)
        #expect(Scanner.tokens(of: text, conforming: true) == nil)
    }
}
