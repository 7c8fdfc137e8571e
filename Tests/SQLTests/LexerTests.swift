internal import Bytes
import Testing

@testable import SQL

@Suite struct LexerTests {
    /// The tokens of `text`, kinds and words.
    private func cut(_ text: String, conforming: Bool = true) -> [String] {
        Array(text.utf8).withRawSpan { bytes in
            var lexer = Lexer(standardConformingStrings: conforming)
            var found: [String] = []
            while let token = lexer.next(in: bytes, before: bytes.byteCount) {
                found.append("\(token.kind):" + bytes.string(in: token.range))
            }
            return found
        }
    }

    @Test func words() {
        #expect(
            cut("select A_1$ from \"a\"\"b\"") == [
                "word:select", "word:A_1$", "word:from", "quotedIdentifier:\"a\"\"b\"",
            ])
    }

    @Test func commentsAreSkipped() {
        #expect(cut("a -- b ' \n c /* d /* e */ ; */ f") == ["word:a", "word:c", "word:f"])
        #expect(cut("a /* never ends ;") == ["word:a"])
        #expect(
            cut("1 - -2 /3") == [
                "number:1", "symbol:-", "symbol:-", "number:2", "symbol:/", "number:3",
            ])
    }

    @Test func strings() {
        #expect(cut("'it''s' x") == ["string:'it''s'", "word:x"])
        #expect(cut(#"'a\' b"#) == [#"string:'a\'"#, "word:b"])
        #expect(cut(#"'a\' b'"#, conforming: false) == [#"string:'a\' b'"#])
        #expect(
            cut(#"E'a\' b' N'x' X'1F' U&'d\0061' U&"x""#) == [
                #"string:E'a\' b'"#, "string:N'x'", "string:X'1F'", #"string:U&'d\0061'"#,
                #"quotedIdentifier:U&"x""#,
            ])
        #expect(cut("'a'\n  'b' 'c'") == ["string:'a'\n  'b'", "string:'c'"])
        #expect(cut("B'1''x' 'a''b'") == ["string:B'1'", "string:'x'", "string:'a''b'"])
        #expect(cut("'a' -- comment\n 'b';") == ["string:'a' -- comment\n 'b'", "semicolon:;"])
    }

    @Test func dollarQuotes() {
        #expect(
            cut("$$a;b$$;$x$ $$ $x$ $1 a$1") == [
                "dollarString:$$a;b$$", "semicolon:;", "dollarString:$x$ $$ $x$", "parameter:$1",
                "word:a$1",
            ])
        #expect(cut("$a$ $b$ $ab$") == ["dollarString:$a$ $b$ $ab$"])
    }

    @Test func numbers() {
        #expect(
            cut("1.5e-3 1..2 .5 1e x") == [
                "number:1.5e-3", "number:1", "symbol:..", "number:2", "number:.5", "number:1",
                "word:e",
                "word:x",
            ])
    }

    @Test func aNumberHasOneDotAndEndsBehindItsExponent() {
        #expect(cut("1.2.3") == ["number:1.2", "number:.3"])
        #expect(cut("1e5.5 .1.") == ["number:1e5", "number:.5", "number:.1", "dot:."])
        #expect(cut("1e5e6") == ["number:1e5", "word:e6"])
    }

    @Test func unfinishedQuotesReachToTheEnd() {
        for text in ["'abc", "\"abc", "$$abc", "E'abc\\", "U&'", "U&\"", "$a$ $a", "'a'\n'b"] {
            #expect(cut(text).count == 1, "\(text)")
        }
    }

    @Test func everyPrefixEndsInsideTheText() {
        let text = Array(
            "SELECT E'\\'' || $q$;$q$ /* c */ -- d\n , \"x\"\"\" . 1.e5 U&'' ; 'a'\n'b'".utf8)
        for count in 0...text.count {
            Array(text.prefix(count)).withRawSpan { bytes in
                var lexer = Lexer()
                var last = 0
                while let token = lexer.next(in: bytes, before: bytes.byteCount) {
                    #expect(token.range.lowerBound >= last)
                    #expect(!token.range.isEmpty)
                    #expect(token.range.upperBound <= count)
                    last = token.range.upperBound
                }
            }
        }
    }
}
