import Sharding
import Testing

@testable import Routing

@Suite struct ClientRouteTests {
    /// The client sends a query, whose answer comes: with an error, or without.
    private func ask(_ surveying: inout Surveying, _ text: String, fails: Bool = false) {
        let bytes = query(text)
        let survey = surveying.survey(bytes)
        if case .begin(let text, _) = survey.target { surveying.route.noteBegin(text) }
        surveying.route.passed(survey, to: bytes.count, errorCount: errors)
        surveying.route.answered(errorCount: errors + (fails ? 1 : 0), isUndone: nil)
        if fails { surveying.route.linked(errorCount: errors) }
    }

    private let errors = 3

    private func linked() throws -> Surveying {
        var surveying = try Surveying()
        surveying.route.linked(errorCount: errors)
        return surveying
    }

    /// SHOW SHARD.
    private func shard(_ surveying: borrowing Surveying) -> String {
        switch surveying.route.hinted {
        case .shard(let shard, _)?: "s\(shard)"
        case .refused?: "refused"
        case nil: "any"
        case .anyShard?, .everyShard?, .session?, .lookup?: "other"
        }
    }

    @Test func `what is done without a shard is done again elsewhere`() throws {
        var surveying = try linked()
        for text in ["begin", "set local a.b = '1'", "savepoint a", "select 1", "rollback to a"] {
            ask(&surveying, text)
        }
        check(surveying.route.takeReplay() == nil)
        surveying.route.leaveServer(inBlock: true)
        let replay = surveying.route.takeReplay()
        check(replay?.text == "begin\n;set local a.b = '1'\n;savepoint a\n;rollback to a")
        check(replay?.fails == false && surveying.route.hasBegun)
        check(surveying.route.takeReplay() == nil)
        surveying.route.fix()
        ask(&surveying, "set local a.b = '2'")
        check(surveying.route.log.isEmpty && surveying.route.isFixed)
        surveying.route.endTransaction(isUndone: false)
        check(!surveying.route.isFixed && !surveying.route.hasBegun)
    }

    @Test func `a BEGIN that nobody has seen is begun where it belongs, and fails if it has`()
        throws
    {
        var surveying = try linked()
        surveying.route.beginNowhere("begin read only")
        surveying.route.failNowhere()
        check(surveying.route.isFailedNowhere)
        let replay = surveying.route.takeReplay()
        check(replay?.text == "begin read only" && replay?.fails == true)
        surveying.route.endTransaction(isUndone: true)
        surveying.route.failNowhere()
        check(!surveying.route.isFailedNowhere)
    }

    @Test func `what has failed is not done again`() throws {
        var surveying = try linked()
        ask(&surveying, "begin")
        ask(&surveying, "savepoint a")
        ask(&surveying, "select 1 / 0", fails: true)
        check(!surveying.route.isFixed)
        ask(&surveying, "rollback to a")
        ask(&surveying, "set local work_mem = 'x'", fails: true)
        check(surveying.route.isFixed)
    }

    @Test func `what an ended transaction has left does not bind the next batch`() throws {
        var surveying = try linked()
        ask(&surveying, "select * from t where k = 1")
        surveying.route.fix()
        check(!surveying.route.isOfEarlierBatch)
        ask(&surveying, "commit")
        check(surveying.route.isOfEarlierBatch)
        surveying.route.endTransaction(isUndone: false)
        let batch = parse("begin") + bind([])
        let survey = surveying.survey(batch)
        surveying.route.passed(survey, to: batch.count, errorCount: errors)
        check(surveying.route.hasBegun && !surveying.route.isOfEarlierBatch)
    }

    @Test func `a hint holds once the server has taken it`() throws {
        var surveying = try linked()
        ask(&surveying, "set pgweir.shard = 's1'", fails: true)
        check(shard(surveying) == "any")
        let bytes = query("set pgweir.shard = 's1'")
        surveying.route.passed(surveying.survey(bytes), to: bytes.count, errorCount: errors)
        check(surveying.route.awaitsAnswer && shard(surveying) == "any")
        surveying.route.answered(errorCount: errors, isUndone: nil)
        check(!surveying.route.awaitsAnswer && shard(surveying) == "s1")
        ask(&surveying, "reset all", fails: true)
        check(shard(surveying) == "s1")
        ask(&surveying, "reset all")
        check(shard(surveying) == "any")
    }

    @Test(arguments: [true, false])
    func `a hint ends with its transaction as other settings do`(_ isUndone: Bool) throws {
        var surveying = try linked()
        surveying.route.change(HintChange(.shard("s0")), isInTransaction: false)
        surveying.route.endTransaction(isUndone: true)
        check(shard(surveying) == "s0")
        ask(&surveying, "begin")
        ask(&surveying, "set local pgweir.shard = 's1'")
        check(shard(surveying) == "s1")
        surveying.route.endTransaction(isUndone: isUndone)
        check(shard(surveying) == "s0")
        ask(&surveying, "begin")
        ask(&surveying, "set pgweir.shard = 's1'")
        ask(&surveying, "set pgweir.shard = 's1'")
        surveying.route.endTransaction(isUndone: isUndone)
        check(shard(surveying) == (isUndone ? "s0" : "s1"))
    }

    @Test func `a hint that a savepoint may have taken back is not followed`() throws {
        var surveying = try linked()
        surveying.route.change(HintChange(.shard("s0")), isInTransaction: false)
        ask(&surveying, "begin")
        ask(&surveying, "savepoint a")
        ask(&surveying, "rollback to a")
        check(shard(surveying) == "s0")
        ask(&surveying, "set local pgweir.shard = 's1'")
        ask(&surveying, "rollback to a")
        check(shard(surveying) == "refused")
        ask(&surveying, "set local pgweir.shard = 's1'")
        check(shard(surveying) == "s1")
        surveying.route.endTransaction(isUndone: false)
        check(shard(surveying) == "s0")
        // What a COMMIT makes lasting is in doubt until it is set again.
        ask(&surveying, "begin")
        ask(&surveying, "set pgweir.shard = 's1'")
        ask(&surveying, "rollback to a")
        surveying.route.endTransaction(isUndone: false)
        check(shard(surveying) == "refused")
        ask(&surveying, "reset pgweir.shard")
        surveying.route.endTransaction(isUndone: false)
        check(shard(surveying) == "any")
    }

    @Test(arguments: [true, false])
    func `in the midst of a batch a COMMIT ends what was set`(_ isUndone: Bool) throws {
        var surveying = try linked()
        ask(&surveying, "begin")
        ask(&surveying, "set pgweir.shard = 's1'")
        ask(&surveying, "set local pgweir.shard = 's0'")
        let bytes = parse("commit") + bind([])
        surveying.route.passed(surveying.survey(bytes), to: bytes.count, errorCount: errors)
        check(surveying.route.awaitsAnswer)
        surveying.route.answered(errorCount: errors + 1, isUndone: isUndone)
        check(shard(surveying) == (isUndone ? "any" : "s1"))
    }

    @Test func `what stands behind a COMMIT in its batch stays where it is`() throws {
        var surveying = try linked()
        let end = parse("commit") + bind([])
        surveying.route.passed(surveying.survey(end), to: end.count, errorCount: errors)
        check(!surveying.route.isFixed)
        ask(&surveying, "begin")
        surveying.route.passed(
            surveying.survey(end), to: end.count, errorCount: errors, isInBlock: true)
        check(surveying.route.isFixed && surveying.route.log.isEmpty)
    }

    @Test func `a batch without a block is the transaction of what it sets`() throws {
        var surveying = try linked()
        surveying.route.change(HintChange(.shard("s1"), isLocal: true), isInTransaction: true)
        surveying.route.passed(surveying.survey(sync), to: 5, errorCount: errors, isInBlock: true)
        check(!surveying.route.awaitsAnswer)
        surveying.route.passed(surveying.survey(sync), to: 5, errorCount: errors)
        check(surveying.route.awaitsAnswer)
        for text in ["commit and chain", "select 1; commit"] {
            var other = try linked()
            other.route.change(HintChange(.shard("s1"), isLocal: true), isInTransaction: true)
            ask(&other, text)
            check(shard(other) == "refused")
        }
    }

    @Test(arguments: ["set pgweir.shard = 's9'", "set pgweir.key = 'x'", "set pgweir.key = '1,2'"])
    func `a hint that is not understood is refused and changes nothing`(_ text: String) throws {
        var surveying = try linked()
        surveying.route.change(HintChange(.shard("s0")), isInTransaction: false)
        guard case .replaced(_, let change?) = surveying.survey(query(text)).target else {
            Issue.record("not a hint")
            return
        }
        check(surveying.route.refusal(of: change) != nil)
        surveying.route.change(change, isInTransaction: false)
        check(shard(surveying) == "s0")
    }

    @Test func `the first hint of pgcat counts shards from 0`() throws {
        var surveying = try linked()
        ask(&surveying, "set shard to '1'")
        check(shard(surveying) == "s1")
        ask(&surveying, "set shard to 'any'")
        check(shard(surveying) == "any")
    }
}
