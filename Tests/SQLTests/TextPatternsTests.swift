import Bytes
import TestSupport
import Testing

@testable import SQL

/// Texts as patterns see them.
private struct Patterns: ~Copyable {
    var patterns = TextPatterns()

    mutating func add(_ text: String) -> Int? {
        Array(text.utf8).withRawSpan { patterns.add($0, in: 0..<$0.byteCount) }
    }

    mutating func find(_ text: String) -> Int? {
        Array(text.utf8).withRawSpan { patterns.find($0, in: 0..<$0.byteCount) }
    }

    /// Of the text found last.
    var literals: ArraySlice<Literal> { patterns.literals.prefix(patterns.literalCount) }

    /// The literals and comments of the text found last, which was `text`.
    func variables(of text: String) -> [String] {
        Array(text.utf8).withRawSpan { bytes in
            (literals.map(\.range) + patterns.comments.prefix(patterns.commentCount)).map {
                bytes.string(in: $0)
            }
        }
    }
}

/// The tokens of `text`, but for what literals hold.
private func outline(_ text: String) -> [String] {
    Array(text.utf8).withRawSpan { bytes in
        var lexer = Lexer()
        var found: [String] = []
        while let token = lexer.next(in: bytes, before: bytes.byteCount) {
            let word = bytes.string(in: token.range)
            let isLiteral = token.kind == .number || token.kind == .string && word.hasPrefix("'")
            found.append("\(token.kind)" + (isLiteral ? "" : ":" + word))
        }
        return found
    }
}

@Suite struct TextPatternsTests {
    @Test func `texts that differ in literals have one pattern`() {
        var patterns = Patterns()
        let first = patterns.add("select a from t1 where k = 42 and s = 'x' and d > 1.5 limit 3")
        #expect(first == 0)
        let other = "select a from t1 where k = 4300 and s = 'it''s' and d > 2e9 limit 1"
        #expect(patterns.find(other) == 0)
        #expect(patterns.variables(of: other) == ["4300", "'it''s'", "2e9", "1"])
        #expect(patterns.literals.map(\.kind) == [.integer, .plain, .decimal, .integer])
    }

    @Test(arguments: [
        "select a from t1 where k = 42 and s = 'x' ", "select a from t1 where k = 42 and s = 'x",
        "select a from t1 where k = 4.2 and s = 'x'", "select a from t1 where k = '42' and s = 'x'",
        "select a from t1 where k = 42 and s = E'x'", "select a from t1 where k = 42 and s = 7",
        "select a from t1 where k = 42 and s = 'x';", "select a from t2 where k = 42 and s = 'x'",
        "select a from t1 where k = $1 and s = 'x'", "select a from t1 where k = -42 and s = 'x'",
        "select a from t1 where k = 42 and s = 'é'", "select a from t1 where k = 42 and s = 'a\\'",
        "select a from t1 where k = 42 and s = 'x'\n'y",
        "select a from t1 where k = 42e1 and s = 'x'",
        "SELECT a from t1 where k = 42 and s = 'x'", "select a from t1 where k =  and s = 'x'",
    ])
    func `another text has not`(_ text: String) {
        var patterns = Patterns()
        #expect(patterns.add("select a from t1 where k = 42 and s = 'x'") == 0)
        #expect(patterns.find("select a from t1 where k = 1 and s = ''") == 0)
        #expect(patterns.find(text) == nil)
    }

    @Test func `comments may differ, and be longer or shorter`() {
        var patterns = Patterns()
        #expect(patterns.add("select 1 /* key=42 */ from t -- x\n where k = 5 /* y */") == 0)
        let other = "select 2 /* key=1 *//*2*/\n from t --\n where k = 6--"
        #expect(patterns.find(other) == 0)
        #expect(
            patterns.variables(of: other) == [
                "2", "6", " /* key=1 *//*2*/\n ", " --\n ", "--",
            ])
        #expect(patterns.add("/* 1 */ select x, 1") == 1)
        #expect(patterns.find("/* 2 */ select x, 3") == 1)
        #expect(patterns.find("select x, 3") == nil)
        #expect(patterns.find("/* 2  select x, 3") == nil)
    }

    @Test func `words are not joined where a comment is missing`() {
        var patterns = Patterns()
        #expect(patterns.add("select/**/a from t where k = 1") == 0)
        #expect(patterns.find("selecta from t where k = 1") == nil)
        #expect(patterns.add("select 1 -/**/- 2") == nil)
    }

    @Test(arguments: [
        "select E'x'", "select $$x$$", "select .5", "select 'x", "select \"x", "select /* x",
        "select 'é'", "select 'a\\'", "select U&'x'", "select 1\0",
    ])
    func `what is not the same for everybody makes none`(_ text: String) {
        var patterns = Patterns()
        #expect(patterns.add(text) == nil)
        #expect(patterns.find(text) == nil)
    }

    @Test func `there are at most so many`() {
        var patterns = Patterns()
        patterns.patterns = TextPatterns(countMax: 3)
        for word in ["a", "b", "c"] { #expect(patterns.add("select \(word), 1") != nil) }
        #expect(patterns.patterns.count == 3)
        #expect(patterns.find("select b, 2") == 1)
        #expect(patterns.add("select d, 1") == 0)
        #expect(patterns.find("select b, 2") == nil)
        #expect(patterns.find("select d, 2") == 0)
    }

    @Test func `of texts that begin alike the first ones are kept`() {
        var patterns = Patterns()
        for count in 1...40 {
            let text = "select 1" + String(repeating: ", 1", count: count)
            #expect((patterns.add(text) != nil) == (count <= 16))
        }
        #expect(patterns.find("select 5, 6") == 0)
        #expect(patterns.add("select a, 1") != nil)
    }

    /// Whatever a text is put together from: if it is recognised, the lexer agrees.
    @Test(arguments: Seeds.suite(2))
    func `a recognised text has the tokens of its pattern`(_ seed: UInt64) {
        let parts = [
            "'", "'", "''", "'a'", "-", "--", "/*", "*/", "/", "*", "1", "42", ".", "..", "1.5",
            "e",
            "E", "e5", "+", "$", "$1", "$$", "x", "n", "u&", "U&'a'", "\n", " ", " ", "  ", ";",
            "(",
            "a1", "_", "0x1", "\"", "=", "\t", "--\n", "/**/", "'\n'", "date",
        ]
        var random = SeededRandom(seed: seed)
        var patterns = Patterns()
        patterns.patterns = TextPatterns(countMax: 2000)
        var known: [String] = []
        var recognised = 0
        for _ in 0..<300_000 {
            var text = "a "
            for _ in 0..<Int.random(in: 1...7, using: &random) {
                text += parts.randomElement(using: &random) ?? ""
            }
            if let number = patterns.find(text) {
                if outline(text) != outline(known[number]) {
                    Issue.record("\(text.debugDescription) ~ \(known[number].debugDescription)")
                }
                recognised += text == known[number] ? 0 : 1
            } else if let number = patterns.add(text) {
                if number == 0 { known.removeAll() }
                known.append(text)
            }
        }
        #expect(recognised > 1000)
    }
}
