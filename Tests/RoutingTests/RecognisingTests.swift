import Bytes
import Session
import Sharding
import TestSupport
import Testing

@testable import Routing

extension Surveying {
    /// What `bytes` are recognised as.
    mutating func recognise(_ bytes: [UInt8]) -> RecognisedBatch? {
        bytes.withRawSpan { router.recognise($0, from: 0, &session) }
    }

    /// All that is sent to one server at once, survey by survey: where it goes; nil = not on one
    /// shard, or it would change the route.
    func shard(of bytes: [UInt8]) -> Int? {
        var offset = 0
        var found: Int?
        while offset < bytes.count {
            let survey = survey(bytes, from: offset)
            switch survey.target {
            case .shard(let shard) where found == nil || found == shard: found = shard
            case .none where found != nil: break
            default: return nil
            }
            guard survey.effect == nil, survey.repeatable.isEmpty, survey.end > offset else {
                return nil
            }
            offset = survey.end
        }
        return found
    }
}

@Suite struct RecognisingTests {
    private let byKey = "select * from t where k = $1"

    @Test func `a query is recognised by its like`() throws {
        var surveying = try Surveying()
        check(surveying.recognise(query("select * from t where k = 5")) == nil)
        _ = surveying.survey(query("select * from t where k = 5"))
        for key in 0..<20 {
            let bytes = query("select * from t where k = \(key)")
            let found = surveying.recognise(bytes)
            let batch = try #require(found)
            #expect(batch.shard == home(Int64(key)))
            #expect(batch.keyEnd == bytes.count && batch.end == bytes.count)
            check(surveying.recognise(Array(bytes.dropLast())) == nil)
        }
    }

    @Test func `a batch is recognised as a whole, or not at all`() throws {
        var surveying = try Surveying()
        let messages = [
            parse(byKey), bind(["7"]), message("D", utf8("P"), [0]), execute, sync,
        ]
        let bytes = messages.flatMap(\.self)
        _ = surveying.survey(bytes)
        let found = surveying.recognise(bytes + query("select 1"))
        let batch = try #require(found)
        #expect(batch.shard == home(7) && batch.end == bytes.count)
        #expect(batch.keyEnd == messages[0].count + messages[1].count)
        for count in 0..<bytes.count { check(surveying.recognise(Array(bytes[..<count])) == nil) }
        let twice = messages[..<4].flatMap(\.self) + bytes
        check(surveying.recognise(twice) == nil)
        check(surveying.recognise(parse(byKey, "a") + bind(["7"], "b") + sync) == nil)
    }

    @Test func `a prepared statement is recognised by its number`() throws {
        var surveying = try Surveying()
        try surveying.send(parse(byKey, "a") + sync)
        let first = bind(["7"], "a") + execute + sync
        check(surveying.recognise(first) == nil)
        _ = surveying.survey(first)
        for key in 0..<20 {
            let bytes = bind(["\(key)"], "a") + execute + sync
            check(surveying.recognise(bytes)?.shard == home(Int64(key)))
            check(surveying.recognise(bytes)?.shard == surveying.shard(of: bytes))
        }
        check(surveying.recognise(bind(["x"], "a") + execute + sync) == nil)
        check(surveying.recognise(bind(["1"], "b") + execute + sync) == nil)
    }

    @Test(arguments: [
        "begin", "commit", "rollback", "savepoint a", "set work_mem = '1MB'", "discard all",
        "set pgweir.key = '5'", "set shard to 's1'", "show pgweir.key", "explain (shards) select 1",
        "select * from t", "select * from t where k in (1, 2)", "select 1; select 2",
        "select * from t where k = 5;", "select * from t where k = 5 and s = E'x'",
    ])
    func `what has to be followed is not`(_ text: String) throws {
        var surveying = try Surveying()
        for _ in 0..<2 {
            _ = surveying.survey(query(text))
            check(surveying.recognise(query(text)) == nil)
            let batch = parse(text) + bind([]) + execute + sync
            _ = surveying.survey(batch)
            check(surveying.recognise(batch) == nil)
        }
    }

    @Test func `a hint in a comment comes first`() throws {
        var surveying = try Surveying()
        let text = "select * from t where k = 5"
        for _ in 0..<2 {
            for key in 0..<20 {
                let bytes = query("\(text) /* pgweir: key=\(key) */")
                _ = surveying.survey(bytes)
                check(surveying.recognise(bytes)?.shard == home(Int64(key)))
            }
            check(surveying.recognise(query("\(text) /* pgweir: key=x */")) == nil)
            let bytes = query("\(text) /* no hint */")
            _ = surveying.survey(bytes)
            check(surveying.recognise(bytes)?.shard == home(5))
        }
    }

    @Test func `a key that cannot be read is left to the survey`() throws {
        var surveying = try Surveying()
        _ = surveying.survey(query("select * from t where k = 5"))
        let tooLarge = query("select * from t where k = 99999999999999999999")
        check(surveying.recognise(tooLarge) == nil)
        check(surveying.survey(tooLarge).target.told == "refused")
    }

    /// The second time, what is recognised is what a router that learnt nothing finds out.
    @Test(arguments: Seeds.suite(4))
    func `recognised and surveyed are the same`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var learnt = try Surveying()
        var recognised = 0
        let tables = ["t", "plans", "t join plans on t.a = plans.a"]
        let conditions = ["k = #", "# = k", "t.k = # and s = #", "k = -#", "k in (#)", "s = #"]
        let values = ["1", "42", "'7'", "1.5", "'x'", "E'3'", "null", "$$8$$", "-6", "007"]
        let ends = ["", ";", " /* pgweir: key=9 */", " -- x", " limit 1", "; select 1"]
        for _ in 0..<3000 {
            var text = "select a from \(tables.randomElement(using: &random)!) where "
            for part in conditions.randomElement(using: &random)! {
                text += part == "#" ? values.randomElement(using: &random)! : String(part)
            }
            text += ends.randomElement(using: &random)!
            let bytes =
                Bool.random(using: &random)
                ? query(text) : parse(text) + bind([]) + execute + sync
            if let batch = learnt.recognise(bytes) {
                let fresh = try Surveying()
                check(batch.shard == fresh.shard(of: bytes), text)
                recognised += 1
            } else {
                _ = learnt.survey(bytes)
            }
        }
        #expect(recognised > 300)
    }
}
