import Testing

@testable import Grammar

@Suite struct GrammarTests {
    private func parse(_ text: String) throws -> [ParseNode] {
        try Grammar.parse(Array(text.utf8))
    }

    @Test func `a statement becomes a tree`() throws {
        let tree = try parse("SELECT a FROM \"T x\" WHERE k = $2")
        let select = try #require(tree.first?.tagged)
        #expect(select.kind == "SelectStmt")
        let table = try #require(select.node["fromClause"]?.items.first?.tagged)
        #expect(table.kind == "RangeVar")
        #expect(table.node["relname"]?.text == "T x")
        let condition = select.node["whereClause"]?["A_Expr"]
        #expect(condition?["rexpr"]?["ParamRef"]?["number"]?.number == 2)
        #expect(condition?["rexpr"]?["ParamRef"]?["location"]?.number == 30)
    }

    @Test func `statements are counted`() throws {
        #expect(try parse("").count == 0)
        #expect(try parse("; -- nothing\n").count == 0)
        #expect(
            try parse("SELECT 1; ; BEGIN").map { $0.tagged?.kind } == [
                "SelectStmt", "TransactionStmt",
            ])
    }

    @Test func `a syntax error has its place`() {
        #expect(throws: GrammarError.syntax("syntax error at or near \"x\"", offset: 16)) {
            try parse("SELECT 1 a, x x x")
        }
    }

    @Test func `texts that no server takes have no tree`() {
        #expect(throws: GrammarError.unreadable) { try Grammar.parse([0x31, 0, 0x32]) }
        #expect(throws: GrammarError.unreadable) { try Grammar.parse([0x22, 0xff, 0x22]) }
    }

    @Test func `a tree that is too deep is given up`() {
        let text = "SELECT " + String(repeating: "1+", count: 2000) + "1"
        #expect(throws: GrammarError.unreadable) { try parse(text) }
        let flat = "SELECT " + String(repeating: "1,", count: 20_000) + "1"
        #expect(throws: Never.self) { try parse(flat) }
    }

    @Test func `escapes of JSON are read`() throws {
        let name = "a\"b\\c/\n\t\r\u{08}\u{0c}\u{01}<é>🐘"
        let tree = try parse("SELECT 1 AS \"\(name.replacing("\"", with: "\"\""))\"")
        let target = tree.first?["SelectStmt"]?["targetList"]?.items.first?["ResTarget"]
        #expect(target?["name"]?.text == name)
    }

    @Test(arguments: [
        "", "{", "[1", "{\"a\"}", "{\"a\":}", "[1,]", "\"a", "\"\\x\"", "\"\\u00zz\"", "1x", "tru",
        "{} ", "--1",
    ])
    func `broken JSON is no tree`(_ text: String) {
        #expect(JSONReader.read(Array(text.utf8)) == nil)
    }
}
