import Authentication
import Testing

@Suite struct AuthFileTests {
    @Test func `users, comments and empty lines`() throws {
        let text = #"""
            ; users of the shop
            # and of its reports
            "anna" "secret"

              "bob"\#t"md50123456789abcdef0123456789abcdef"  ; an old one
            "carl ""the great""" "a ""quoted"" ; # word"
            "dora" "" "ignored"\#r
            "emil" "x"
            """#
        #expect(
            try AuthFile.parse(text) == [
                "anna": .plain("secret"),
                "bob": .md5(hex: "0123456789abcdef0123456789abcdef"),
                "carl \"the great\"": .plain("a \"quoted\" ; # word"),
                "dora": .plain(""),
                "emil": .plain("x"),
            ])
    }

    @Test func `an empty file has no users`() throws {
        #expect(try AuthFile.parse("").isEmpty)
        #expect(try AuthFile.parse("\n\r\n ;").isEmpty)
    }

    @Test(arguments: [
        ("anna secret", 1, AuthFileError.Problem.quoteExpected),
        ("\n\"anna\"", 2, .quoteExpected),
        ("\"anna\" secret", 1, .quoteExpected),
        ("\"anna\" ; \"secret\"", 1, .quoteExpected),
        ("\"a\" \"b\"\n\n\"anna\" \"sec", 3, .quoteUnclosed),
        ("\"anna", 1, .quoteUnclosed),
        ("\"", 1, .quoteUnclosed),
        ("\"anna\" \"sec\"\"", 1, .quoteUnclosed),
        ("\"anna\"x\"secret\"", 1, .spaceExpected),
        ("\"anna\" \"secret\"x", 1, .spaceExpected),
        ("\"\" \"secret\"", 1, .userEmpty),
        ("\"a\" \"b\"\n\"a\" \"c\"", 2, .userRepeated("a", firstLine: 1)),
    ])
    func `an error tells the line and what is wrong`(
        _ text: String, _ line: Int, _ problem: AuthFileError.Problem
    ) {
        #expect(throws: AuthFileError(line: line, problem: problem)) {
            try AuthFile.parse(text)
        }
    }

    @Test func `an error never shows a secret`() {
        let error = #expect(throws: AuthFileError.self) {
            try AuthFile.parse("\"anna\" \"secret")
        }
        #expect(error?.description == "line 1: a double quote is not closed")
    }
}
