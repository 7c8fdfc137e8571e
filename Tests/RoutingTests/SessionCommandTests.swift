import Bytes
import Testing

@testable import Routing

@Suite struct SessionCommandTests {
    private func read(_ text: String) -> SessionCommand {
        let bytes = Array(text.utf8)
        return bytes.withRawSpan {
            SessionCommand.read($0, in: 0..<bytes.count, isConforming: true)
        }
    }

    @Test(arguments: [
        ("begin", "BEGIN"), ("BEGIN WORK;", "BEGIN"), ("/* x */ begin read only", "BEGIN"),
        ("start transaction isolation level repeatable read, not deferrable", "START TRANSACTION"),
    ])
    func `a transaction begins`(_ text: String, _ tag: String) {
        #expect(read(text) == .begin(tag: tag))
    }

    @Test(arguments: [
        ("commit", "COMMIT"), ("end transaction", "COMMIT"), ("abort", "ROLLBACK"),
        ("ROLLBACK WORK ;", "ROLLBACK"), ("commit and no chain", "COMMIT"),
    ])
    func `a transaction ends`(_ text: String, _ tag: String) {
        #expect(read(text) == .end(tag: tag))
    }

    @Test(arguments: [
        "begin; select 1", "start", "commit and", "commit and chain 1", "rollback prepared 'x'",
        "select 1",
        "setseed", "set work_mem = 1", "explain select 1", "",
    ])
    func `other texts are not commands`(_ text: String) {
        #expect(read(text) == .other)
    }

    @Test(arguments: [
        ("set pgweir.key = '42'", HintChange(.key("42"))),
        ("SET LOCAL pgweir.key TO 42;", HintChange(.key("42"), isLocal: true)),
        ("set session pgweir.shard = s1", HintChange(.shard("s1"))),
        ("set pgweir.key = 'it''s,2'", HintChange(.key("it's,2"))),
        ("set pgweir.shard to default", HintChange(.startup)),
        ("reset pgweir.key", HintChange(.startup)),
        ("set shard to '1'", HintChange(.shard("1"))),
        ("SET SHARDING KEY TO '1234'", HintChange(.key("1234"))),
    ])
    func `hints are set`(_ text: String, _ change: HintChange) {
        #expect(read(text) == .setHint(change))
    }

    @Test(arguments: [
        "set pgweir.keys = '1'", "set pgweir.key '1'", "set pgweir = 1", "show pgweir.x",
        "set pgweir.key = '1'; select 1", "set sharding to 3", "reset pgweir",
    ])
    func `what is not understood is said so`(_ text: String) {
        #expect(read(text) == .malformed)
    }

    @Test func `the others`() {
        #expect(read("show shard") == .show(.shard, column: "shard"))
        #expect(read("SHOW pgweir.key;") == .show(.key, column: "pgweir.key"))
        #expect(read("explain (shards) select 1") == .explain(from: 16))
        #expect(read("reset all") == .resetAll)
        #expect(read("discard all") == .resetAll)
        #expect(read("set local search_path = acme, public") == .setSearchPath(first: "acme"))
        #expect(read("set search_path to \"A b\"") == .setSearchPath(first: "A b"))
        #expect(read("reset search_path") == .setSearchPath(first: nil))
        #expect(read("rollback work to a") == .rollbackTo)
        #expect(read("release a") == .savepoint)
        #expect(read("rollback work and chain") == .chain)
    }

    @Test(arguments: [
        HintChange(.key("4*/2'")), HintChange(.key("ä,ß"), isLocal: true),
        HintChange(.shard("s 1")),
        HintChange(.startup), HintChange(.startup, isLocal: true), HintChange(.key("")),
    ])
    func `a marked text says what it stands for`(_ change: HintChange) {
        let bytes = Array(change.markedText.utf8)
        #expect(bytes.withRawSpan { HintChange(marked: $0, 0..<bytes.count) } == change)
    }

    @Test(arguments: ["select 1", "SET pgweir.set = ''", "SET pgweir.set = '' /* x */", ""])
    func `other texts are not marked`(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(bytes.withRawSpan { HintChange(marked: $0, 0..<bytes.count) } == nil)
    }
}
