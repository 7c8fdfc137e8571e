import Bytes
import Sharding
import TestSupport
import Testing
import Wire

@testable import Routing

@Suite struct SurveyTests {
    private let byKey = "select * from t where k = $1"

    private func told(
        _ bytes: [UInt8], _ prepare: (inout Surveying) throws -> Void = { _ in }
    ) throws -> String {
        var surveying = try Surveying()
        try prepare(&surveying)
        return surveying.survey(bytes).target.told
    }

    @Test(arguments: [
        ("select * from t where k = 5", "\(home(5))"), ("select * from t", "refused"),
        ("select * from plans", "any"), ("select version()", "any"), ("", "any"),
        ("-- ping", "any"), (" ; ;", "any"),
        ("begin", "begin BEGIN"), ("commit", "end COMMIT"), ("rollback to a", "any"),
        ("savepoint a", "any"), ("set work_mem = '1MB'", "any"), ("show work_mem", "any"),
        ("discard all", "fixed"), ("reset all", "fixed"), ("fetch 1 from c", "fixed"),
        ("set pgweir.key = '5'", "replaced hint"), ("show pgweir.key", "replaced"),
        ("explain (shards) select 1", "replaced"), ("set pgweir.kee = '5'", "refused"),
        ("select 1; select 2", "fixed"), ("begin; select 1", "fixed"), ("select 1;", "any"),
        ("select ';'", "any"), ("commit and chain", "fixed"), ("set a.b = 1; begin", "fixed"),
    ])
    func `a query says where it belongs`(_ text: String, _ wanted: String) throws {
        #expect(try told(query(text)) == wanted)
    }

    @Test func `a batch is read up to the message that says it, at every cut`() throws {
        let surveying = try Surveying()
        let messages = [
            parse("begin"), bind([]), execute, parse(byKey), bind(["7"]), execute, sync,
        ]
        let bytes = messages.flatMap(\.self)
        let decisive = messages[..<5].map(\.count).reduce(0, +)
        var ends = [0]
        for one in messages { ends.append(ends.last! + one.count) }
        for count in 0...bytes.count {
            let survey = surveying.survey(Array(bytes[..<count]))
            if count >= decisive {
                #expect(survey.target.told == "\(home(7))" && survey.end == decisive)
                #expect(survey.lastStart == ends[4])
                #expect(survey.repeatable.map(\.text) == ["begin"])
                #expect(!survey.isOpenEnded)
            } else {
                #expect(["incomplete", "none"].contains(survey.target.told), "\(count)")
                #expect(survey.isOpenEnded, "\(count)")
                // Statements are only counted whole; of others the header is enough.
                #expect(ends.contains(survey.end), "\(count)")
            }
        }
    }

    @Test func `messages that are surveyed one after the other are all seen once`() throws {
        let surveying = try Surveying()
        let bytes = [
            parse("select 1"), bind([]), execute, sync, query("select * from t where k = 3"),
            parse(byKey, "a"), bind(["1"], "a"), execute, bind(["2"], "a"), execute, flush, sync,
        ].flatMap(\.self)
        var offset = 0
        var found: [String] = []
        while offset < bytes.count {
            let survey = surveying.survey(bytes, from: offset)
            #expect(survey.end > offset)
            offset = survey.end
            found.append(survey.target.told)
            // What a name stands for is the session's to know once the Parse was sent.
            if found.count == 3 { break }
        }
        #expect(found == ["none", "\(home(3))", "\(home(1))"])
    }

    @Test func `nobody waits for an answer until a Sync, a Flush or a Query`() throws {
        let surveying = try Surveying()
        let open = parse("select 1") + bind([])
        for (bytes, isOpen) in [
            (open, true), (open + execute, true), (open + Array(sync[..<3]), true),
            (open + sync, false), (open + flush, false), (open + flush + execute, false),
            (open + query("select 1"), false), (open + message("X"), false),
            (open + query("select 1").dropLast(3), false), (parse("commit") + bind([]), false),
        ] {
            #expect(surveying.survey(bytes).isOpenEnded == isOpen, "\(bytes)")
        }
    }

    @Test func `a statement is looked for in the batch first, then among the known`() throws {
        var surveying = try Surveying()
        try surveying.send(parse(byKey, "a") + parse("select * from t where k = -$1", "b"))
        for key in Int64(1)..<20 {
            let text = "\(key)"
            #expect(surveying.survey(bind([text], "a")).target.told == "\(home(key))")
            let again = parse("select * from t where k = $2", "a") + bind(["0", text], "a")
            #expect(surveying.survey(again).target.told == "\(home(key))")
            #expect(surveying.survey(bind([text], "b")).target.told == "refused")
        }
        // The server says that it is not there.
        #expect(surveying.survey(bind(["1"], "c")).target.told == "none")
        // Without a name there may be one that was too long to be kept.
        #expect(surveying.survey(bind(["1"])).target.told == "refused")
        try surveying.send(parse(byKey))
        #expect(surveying.survey(bind(["1"])).target.told == "\(home(1))")
    }

    @Test func `a parameter is read in the form and type that it is in`() throws {
        let surveying = try Surveying()
        for key in Int64(1)..<20 {
            let eight = (0..<8).map { UInt8(truncatingIfNeeded: key >> (56 - 8 * $0)) }
            let four = Array(eight[4...])
            for (types, value, wanted) in [
                ([20], eight, "\(home(key))"), ([23], four, "\(home(key))"),
                ([20], four, "refused"), ([701], eight, "refused"),
            ] {
                let bytes = parse(byKey, types: types) + bind(binary: [value])
                #expect(surveying.survey(bytes).target.told == wanted, "\(types) \(value)")
            }
            #expect(
                surveying.survey(parse(byKey, types: [25]) + bind(["\(key)"])).target.told
                    == "refused")
        }
        #expect(surveying.survey(parse(byKey) + bind([nil])).target.told == "none")
        #expect(surveying.survey(parse(byKey) + bind([])).target.told == "refused")
    }

    @Test(arguments: [0, 20, 25])
    func `a statement that is known goes where it went at first`(_ type: Int) throws {
        var surveying = try Surveying()
        try surveying.send(parse(byKey, "a", types: [type]) + sync)
        for round in 0..<3 {
            for key in [1, -7, 4_000_000_000] as [Int64] {
                let eight = (0..<8).map { UInt8(truncatingIfNeeded: key >> (56 - 8 * $0)) }
                let told = type == 25 ? "refused" : "\(home(key))"
                #expect(surveying.survey(bind(["\(key)"], "a")).target.told == told, "\(round)")
                #expect(surveying.survey(bind(binary: [eight], "a")).target.told == told)
            }
            #expect(surveying.survey(bind([nil], "a")).target.told == "none")
            #expect(surveying.survey(bind(["x"], "a")).target.told == "refused")
            #expect(surveying.survey(bind([], "a")).target.told == "refused")
        }
        surveying.route.change(HintChange(.shard("s1")), isInTransaction: false)
        for key in 1...4 { #expect(surveying.survey(bind(["\(key)"], "a")).target.told == "1") }
    }

    @Test func `a hint of ours goes through the extended protocol`() throws {
        var surveying = try Surveying()
        let survey = surveying.survey(parse("set local pgweir.key = 'o''7'", "h") + bind([], "h"))
        guard case .replaced(let message, nil) = survey.target else {
            Issue.record("\(survey.target)")
            return
        }
        try surveying.send(message)
        let bound = surveying.survey(bind([], "h"))
        guard case .hint(let change) = bound.target else {
            Issue.record("\(bound.target)")
            return
        }
        #expect(change == HintChange(.key("o'7"), isLocal: true))
    }

    @Test func `a hint decides for all but what is about the transaction`() throws {
        for (text, wanted) in [
            ("select * from t", "1"), ("select * from t where k = 5", "1"), ("discard temp", "1"),
            ("select 1 /* pgweir: shard=s0 */", "0"), ("begin", "begin BEGIN"),
            ("savepoint a", "any"), ("rollback to a", "any"), ("commit", "end COMMIT"),
        ] {
            let found = try told(query(text)) {
                $0.route.change(HintChange(.shard("s1")), isInTransaction: false)
            }
            #expect(found == wanted, "\(text)")
        }
    }

    @Test func `a message that is too long needs a hint`() throws {
        let long = query("select '\(String(repeating: "x", count: 2 << 20))'")
        let start = Array(long[..<5000])
        #expect(try told(start) == "refused")
        var surveying = try Surveying()
        surveying.route.change(HintChange(.shard("s1")), isInTransaction: false)
        let survey = surveying.survey(start)
        #expect(survey.target.told == "1" && survey.messageCount == 0 && survey.end == long.count)
        #expect(
            try told(Array(query("select '\(String(repeating: "x", count: 9000))'")[..<500]))
                == "incomplete")
        #expect(try told(parse("select 1") + start) == "none")
    }

    @Test(arguments: [
        message("Q"), message("Q", utf8("select 1")), message("Q", utf8("a\0b\0")), message("B"),
        message("B", [0]), message("B", [0, 0]), message("B", cString("p") + cString("s")),
        message("B", [0, 0, 0, 1, 0, 5]), message("P"), message("P", utf8("x")),
        message("P", cString("x")), message("P", cString("x"), utf8("select 1")),
        message("P", cString(""), cString("select $1"), [255, 255]), message("F"), message("E"),
        message("D"), message("C"), message("?"), [0x51, 0, 0, 0, 0], [0x51, 0, 0, 0, 3, 1],
    ])
    func `what is malformed is nobody's key and ends nothing here`(_ bytes: [UInt8]) throws {
        for before in [[], parse(byKey) + bind(["1"]) + execute, parse("select 1")] {
            for count in 0...bytes.count {
                let surveying = try Surveying()
                let all = before + bytes[..<count]
                var offset = 0
                for _ in 0..<10 where offset < all.count {
                    let survey = surveying.survey(all, from: offset)
                    #expect(survey.end >= offset)
                    offset = survey.end
                }
            }
        }
    }

    @Test func `what changes how texts are read is waited for`() throws {
        let odd = query("select * from t where k = 5 and x = '\\'")
        var surveying = try Surveying()
        check(!surveying.route.needsQuiet(surveying.survey(odd)))
        try surveying.send(query("set standard_conforming_strings = off"))
        check(surveying.route.needsQuiet(surveying.survey(odd)))
        check(!surveying.route.needsQuiet(surveying.survey(query("select 1"))))
        let batch =
            parse("set client_encoding = 'SJIS'") + bind([]) + execute
            + parse("select 'ä'") + bind([])
        let survey = try Surveying().survey(batch)
        #expect(survey.dependsOnAnswers)
    }

    @Test func `a change of the path ends the look ahead`() throws {
        let surveying = try Surveying {
            $0.placement = .schema
            $0.key = []
            $0.tables = [:]
            var place = MapDescription.Place(shard: "s1")
            place.values = [[.init("a", isQuoted: true)]]
            $0.places = [place]
        }
        let set = parse("set search_path = a") + bind([])
        let survey = surveying.survey(set + execute + parse("select * from t") + bind([]))
        #expect(survey.end == set.count)
        check(surveying.route.needsQuiet(survey))
    }
}
