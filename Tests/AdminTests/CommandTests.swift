import Testing

@testable import Admin

@Suite struct CommandTests {
    @Test(arguments: ["", "  ", ";", " \n; ", "\t"])
    func `blanks and a semicolon are the empty query`(_ text: String) {
        #expect(Command(text) == .empty)
    }

    @Test(arguments: [
        "SHOW POOLS", "show pools;", "  Show\n\tPools ; ", "SHOW \"pools\"", "select pools",
    ])
    func `show is read in any case and with any blanks`(_ text: String) {
        #expect(Command(text) == .show("pools"))
    }

    @Test(arguments: Command.Verb.allCases)
    func `every verb is read with and without a name`(_ verb: Command.Verb) {
        #expect(Command(verb.rawValue.lowercased()) == .run(verb, argument: nil))
        #expect(Command(verb.rawValue + "  App;") == .run(verb, argument: "App"))
        #expect(
            Command(verb.rawValue + " \"my \"\"db\"\";\"") == .run(verb, argument: "my \"db\";"))
    }

    @Test func `names may have any sign but blanks and quotes`() {
        #expect(Command("PAUSE my-db.1") == .run(.pause, argument: "my-db.1"))
        #expect(Command("PAUSE größe") == .run(.pause, argument: "größe"))
    }

    @Test func `set takes an equals sign or the word to`() {
        let wanted = Command.set(key: "datestyle", value: "ISO")
        #expect(Command("SET datestyle = ISO") == wanted)
        #expect(Command("set DateStyle='ISO';") == wanted)
        #expect(Command("SET datestyle TO 'ISO'") == wanted)
        #expect(Command("SET a = 'it''s'") == .set(key: "a", value: "it's"))
    }

    @Test func `show route takes a statement and perhaps a database`() {
        let statement = "SELECT * FROM orders WHERE note = 'new'"
        let quoted = "'SELECT * FROM orders WHERE note = ''new'''"
        let everywhere = Command.RouteQuestion(statement: statement, database: nil)
        #expect(Command("SHOW ROUTE FOR \(quoted)") == .route(everywhere))
        #expect(Command("show route\nfor\(quoted) ;") == .route(everywhere))
        #expect(
            Command("SHOW ROUTE FOR \(quoted) IN \"My db\";")
                == .route(Command.RouteQuestion(statement: statement, database: "My db")))
        #expect(
            Command("show Route for '' in app")
                == .route(Command.RouteQuestion(statement: "", database: "app")))
        let long = String(repeating: "x", count: 10_000)
        #expect(
            Command("SHOW ROUTE FOR '\(long)'")
                == .route(Command.RouteQuestion(statement: long, database: nil)))
    }

    @Test(arguments: [
        "SHOW ROUTE", "SHOW ROUTE FOR", "SHOW ROUTE FOR SELECT 1", "SHOW ROUTE FOR \"a\"",
        "SHOW ROUTE 'a'", "SHOW ROUTE FOR 'a", "SHOW ROUTE FOR 'a' IN", "SHOW ROUTE FOR 'a' ON b",
        "SHOW ROUTE FOR 'a' IN b c", "SHOW ROUTE FOR 'a'; SHOW POOLS",
    ])
    func `show route with anything else is known and not understood`(_ text: String) {
        #expect(Command(text) == .route(nil))
    }

    @Test(arguments: [
        "FROBNICATE", "SHOW", "SHOW a b", "PAUSE a b", "SHOW POOLS; SHOW STATS", "SET a", "SET a b",
        "SET a =", "PAUSE \"a", "SET a = 'b", ";;", "'", "PAUSE;;", "123", "SHOW 'a'",
        "PAUSE " + String(repeating: "a", count: 256),
    ])
    func `anything else is invalid and keeps its text`(_ text: String) {
        #expect(Command(text) == .invalid(text))
    }
}
