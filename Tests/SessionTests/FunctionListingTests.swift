internal import Bytes
internal import SQL
internal import Testing

@testable internal import Session

@Suite struct FunctionListingTests {
    /// The body of a DataRow with these columns.
    private func row(_ columns: [String?]) -> [UInt8] {
        var out = ByteBuffer()
        out.append(UInt8(0))
        out.append(UInt8(columns.count))
        for column in columns {
            guard let column else {
                out.append(bigEndian: UInt32.max)
                continue
            }
            out.append(bigEndian: UInt32(column.utf8.count))
            out.append(utf8: column)
        }
        return out.bytes.array()
    }

    private func names(_ rows: [[String?]]) -> SuspectNames? {
        var listing = FunctionListing()
        for columns in rows { row(columns).withRawSpan { listing.read($0) } }
        return listing.names()
    }

    private let locks = ["o", "pg_proc:1", "locks", "sql", "select pg_advisory_lock(1)"]

    @Test func `nothing is listed when nothing was changed, and the mark is kept`() {
        var listing = FunctionListing()
        row(["m", "12 34", nil, nil, nil]).withRawSpan { listing.read($0) }
        #expect(listing.mark == "12 34")
        #expect(listing.names() == nil)
    }

    @Test func `a function that leaves nothing, though the server has named it, is not suspect`() {
        #expect(
            names([["o", "pg_proc:1", "f", "plpgsql", "begin update t set a = 1; end"]]) == nil)
    }

    @Test func `who calls one leaves what that leaves, through any number of others`() {
        let names = names([
            locks, ["o", "pg_proc:2", "outer", nil, nil], ["o", "pg_proc:3", "middle", nil, nil],
            ["o", "pg_proc:4", "other", nil, nil], ["e", "pg_proc:3", "pg_proc:2", nil, nil],
            ["e", "pg_proc:1", "pg_proc:3", nil, nil], ["e", "pg_proc:2", "pg_proc:5", nil, nil],
            ["e", "pg_proc:4", "pg_proc:1", nil, nil],
        ])
        #expect(names?.byName.keys.sorted() == ["locks", "middle", "outer"])
        #expect(names?.byName["outer"]?.suspicions == .advisoryLocks)
    }

    @Test func `two that call each other leave what both do`() {
        let names = names([
            ["o", "pg_proc:1", "a", "sql", "select b(), pg_advisory_lock(1)"],
            ["o", "pg_proc:2", "b", "sql", "select a(), setseed(1)"],
            ["e", "pg_proc:1", "pg_proc:2", nil, nil], ["e", "pg_proc:2", "pg_proc:1", nil, nil],
        ])
        #expect(names?.byName["a"]?.suspicions == [.advisoryLocks, .seed])
        #expect(names?.byName["b"]?.suspicions == [.advisoryLocks, .seed])
    }

    @Test func `a trigger makes its table suspect, and who writes to that`() {
        let names = names([
            locks, ["o", "pg_trigger:2", nil, nil, nil], ["o", "pg_class:3", "t", nil, nil],
            ["e", "pg_proc:1", "pg_trigger:2", nil, nil],
            ["e", "pg_trigger:2", "pg_class:3", nil, nil],
            ["o", "pg_proc:4", "writes", nil, nil], ["e", "pg_class:3", "pg_proc:4", nil, nil],
        ])
        #expect(names?.byName.keys.sorted() == ["locks", "t", "writes"])
        #expect(names?.includesUnnamed == false)
    }

    @Test func `of an operator or a cast every text is suspected`() {
        let names = names([
            locks, ["o", "pg_operator:2", nil, nil, nil],
            ["e", "pg_proc:1", "pg_operator:2", nil, nil],
        ])
        #expect(names?.includesUnnamed == true)
    }

    @Test func `an event trigger makes statements suspect that define something`() {
        let names = names([
            locks, ["o", "pg_event_trigger:2", nil, nil, nil],
            ["e", "pg_proc:1", "pg_event_trigger:2", nil, nil],
        ])
        #expect(names?.byName["create"]?.suspicions == .advisoryLocks)
        #expect(names?.byName["select"] == nil)
    }

    @Test func `a source that is too long, or in another language, may hold anything`() {
        #expect(
            names([["o", "pg_proc:1", "f", "plpgsql", nil]])?.byName["f"]?.suspicions == .anything)
        #expect(
            names([["o", "pg_proc:1", "f", "plpython3u", "plpy.execute('...')"]])?.byName["f"]?
                .suspicions == .anything)
        #expect(names([["o", "pg_proc:1", "f", "plpython3u", "return 1"]]) == nil)
    }

    @Test func `two of one name are one`() {
        let names = names([locks, ["o", "pg_proc:2", "locks", "sql", "select setseed(1)"]])
        #expect(names?.byName["locks"]?.suspicions == [.advisoryLocks, .seed])
    }

    @Test(arguments: [[], ["o"], ["x", "1", "2", "3", "4"], ["o", nil, nil, nil, nil]])
    func `rows that say nothing are passed over`(_ columns: [String?]) {
        #expect(names([columns]) == nil)
        row(columns).dropLast().withRawSpanOfAll { span in
            var listing = FunctionListing()
            listing.read(span)
            #expect(listing.nodes.isEmpty)
        }
    }

    @Test func `bodies that are no text are asked for where there are some`() {
        #expect(FunctionListing.sql(mark: "", version: "18.1").contains("pg_get_function_sqlbody"))
        #expect(!FunctionListing.sql(mark: "", version: "13.4").contains("sqlbody"))
        #expect(FunctionListing.sql(mark: "it's", version: "16").contains("<> 'it''s'"))
    }
}

extension ArraySlice<UInt8> {
    fileprivate func withRawSpanOfAll(_ body: (borrowing RawSpan) -> Void) {
        Array(self).withRawSpan { body($0) }
    }
}

/// What a client's statements leave when more and more is known of functions.
@Suite struct ClientFunctionsTests {
    private final class World {
        let store = FakeStore()
        var client: ClientSession

        init() {
            client = ClientSession(
                lengthMax: 1 << 20,
                parameters: ParameterState(reported: [:], extra: [:], isProven: true),
                sharesServers: true)
        }

        func facts(_ statement: UInt64) -> StatementFacts? {
            client.facts(of: statement, store.facts(of: statement), store)?.facts
        }

        func know(_ names: SuspectNames?) { client.know(names) }
        func suspectEverything() { client.suspectEverything() }
        var suspected: Suspicions { client.traces.suspected }
        var touched: [String] { client.traces.touched.keys.sorted() }
    }

    private let world = World()

    private func statement(_ text: String) -> UInt64 {
        (Array(text.utf8) + [0, 0, 0]).withRawSpan { world.store.intern($0, isFromSQL: false) }
    }

    private func names(_ name: String, _ parameter: String) -> SuspectNames? {
        var leavings = Leavings()
        leavings.suspicions = .parameters
        leavings.parameters = [ParameterTouch(parameter)]
        return SuspectNames([name: leavings])
    }

    @Test func `a statement's facts are found anew when other names are known`() {
        let turns = statement("select turns()")
        #expect(world.facts(turns) == nil)
        world.know(names("turns", "a.b"))
        #expect(world.facts(turns)?.parameters == [ParameterTouch("a.b")])
        #expect(world.facts(turns)?.parameters == [ParameterTouch("a.b")])
        world.know(names("other", "a.b"))
        #expect(world.facts(turns) == nil)
        world.know(nil)
        #expect(world.facts(turns) == nil)
    }

    @Test func `a statement that does not name one is plain`() {
        world.know(names("turns", "a.b"))
        #expect(world.facts(statement("select 1")) == nil)
        #expect(world.facts(0) == nil)
    }

    @Test func `in doubt, parameters are asked for that no list shows`() {
        world.know(names("turns", "a.b"))
        world.suspectEverything()
        #expect(world.suspected.isSuperset(of: .anything))
        #expect(world.touched == ["a.b"])
    }
}
