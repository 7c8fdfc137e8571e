internal import Bytes
internal import SQL
import Testing

@Suite struct SuspectNamesTests {
    private static func leavings(_ suspicions: Suspicions, _ parameters: String...) -> Leavings {
        var leavings = Leavings()
        leavings.suspicions = suspicions
        leavings.parameters = parameters.map { ParameterTouch($0) }
        return leavings
    }

    private static let names = SuspectNames([
        "locks": leavings(.advisoryLocks), "sets": leavings(.parameters, "app.tenant"),
        "with \"\"quotes": leavings(.temporaryObjects), "grün": leavings(.heldCursors),
        String(repeating: "n", count: 63): leavings(.channels),
    ])

    private func facts(_ text: String, _ names: SuspectNames? = Self.names) -> StatementFacts {
        Array(text.utf8).withRawSpan {
            StatementScanner.facts(of: $0, in: 0..<$0.byteCount, names: names)
        }
    }

    @Test(arguments: [
        "select locks()", "select x.LOCKS ()", "select * from \"Locks\"", "locks",
        "select set_config('a', locks(), true)", "explain analyze select locks()",
        "declare c cursor for select locks()", "with x as (select locks()) select 1",
        "prepare p as select locks()", "insert into locks values (1)",
        "create view v as select locks()", "select 1; select 2; select locks()",
        "set local a to 1; table locks",
    ])
    func `a text with a name in it is suspected`(_ text: String) {
        #expect(facts(text).suspicions.contains(.advisoryLocks))
        #expect(!facts(text, nil).suspicions.contains(.advisoryLocks))
    }

    @Test(arguments: [
        "select 1", "select 'locks()'", "select lock(), lockss(), locks_()", "select $$locks$$",
        "select 1 -- locks()", "select /* locks() */ 1", "select quotes()", "",
    ])
    func `a text without one is not`(_ text: String) {
        #expect(facts(text).suspicions.isEmpty)
    }

    @Test func `parameters come with the name, once`() {
        #expect(facts("select sets(), sets()").parameters == [ParameterTouch("app.tenant")])
        #expect(facts("do $$ begin perform sets(); end $$").parameters.count == 1)
    }

    @Test func `quotes, letters that are not ASCII and long names are as in PostgreSQL`() {
        #expect(facts("select \"with \"\"quotes\"()").suspicions == .temporaryObjects)
        // Not even the encoding of the text needs to be that of the name.
        #expect(facts("select größe()").suspicions == .heldCursors)
        #expect(facts("select \(String(repeating: "N", count: 70))()").suspicions == .channels)
        #expect(facts("select U&\"l\\006fcks\"()").suspicions.contains(.advisoryLocks))
    }

    @Test func `a function that sets what it is told is told so in quotes`() {
        let names = SuspectNames(["puts": Self.leavings(.anyParameter)])
        let told = facts("select puts('App.tenant', 'a.b c'), '1.5', 'x'", names)
        #expect(told.parameters == [ParameterTouch("app.tenant")])
        #expect(facts("select gets('app.tenant')", names).isPlain)
    }

    @Test func `what has no name may be in every text`() {
        let names = SuspectNames([:], unnamed: Self.leavings(.advisoryLocks))
        #expect(facts("select 1 === 2", names).suspicions == .advisoryLocks)
        #expect(SuspectNames([:]) == nil)
    }

    @Test func `many names are all found`() {
        var all: [String: Leavings] = [:]
        for number in 0..<1000 { all["f\(number)"] = Self.leavings(.parameters, "p\(number)") }
        let names = SuspectNames(all)
        for number in stride(from: 0, to: 1000, by: 7) {
            #expect(
                facts("select F\(number)()", names).parameters == [ParameterTouch("p\(number)")])
        }
        #expect(facts("select f1000(), f()", names).isPlain)
    }

    @Test(arguments: [
        ("create function f() returns int language sql as ''", true),
        ("create or replace procedure p() language sql as ''", true),
        ("alter routine f() rename to g", true), ("create extension e", true),
        ("do $$ begin create or replace function f() returns int as ''; end $$", true),
        ("do $$ begin execute 'create function f()'; end $$", true),
        ("create view v as select locks()", true), ("alter table locks rename to l", true),
        ("create trigger t before insert on a execute function sets()", true),
        ("create view v as select 1", false), ("create table t (n int)", false),
        ("select locks()", false), ("drop function f()", false), ("alter table a add b int", false),
        ("select 1; create table t (); select locks()", false),
    ])
    func `what may make other texts suspect is noted`(_ text: String, _ isNoted: Bool) {
        #expect(facts(text).suspicions.contains(.definitions) == isNoted)
    }
}

/// What a function's body shows of what it leaves.
@Suite struct BodyTests {
    private func leavings(_ body: String) -> Leavings {
        Array(body.utf8).withRawSpan { StatementScanner.leavings(ofBody: $0) }
    }

    @Test(arguments: [
        "", "select 1", "begin return 1; end", "begin update t set a = 1 where b = 2; end",
        "begin perform set_config('a', 'b', true); end", "begin set local a to 1; end",
        "insert into t values (1) on conflict (n) do update set a = 1",
        "update t\n-- all of them\nas x set a = 1", "select 'set a to 1'",
        "begin insert into t values (1); return currval('s'); end",
        "declare hold int := 1; begin return hold; end",
        "begin perform pg_advisory_xact_lock(1); end",
        "select temp, listen, load from t", "begin select n into x from t; end",
    ])
    func `nothing`(_ body: String) { #expect(leavings(body).isEmpty) }

    @Test(arguments: [
        "begin perform set_config('app.tenant', $1, false); end",
        "select pg_catalog.set_config('app.tenant', '1', false)", "SET app.tenant TO '1'",
        "begin if a then set app.tenant = 1; end if; end", "<<label>> set app.tenant = 1",
        "begin loop set app.tenant to default; end loop; end",
        "begin raise notice 'x'; -- now\n set app.tenant to '1'; end",
        "begin reset app.tenant; end",
    ])
    func `a parameter`(_ body: String) {
        #expect(leavings(body).parameters.map(\.name) == ["app.tenant"])
        #expect(leavings(body).suspicions == .parameters)
    }

    @Test(
        arguments: [
            ("begin perform set_config(name, value, false); end", .anyParameter),
            ("select set_config($1, $2, false)", [.anyParameter, .parameters]),
            ("begin perform pg_advisory_lock(1); end", .advisoryLocks),
            ("select pg_try_advisory_lock_shared(1)", .advisoryLocks),
            ("begin create temp table t (n int); end", [.temporaryObjects, .creations]),
            ("begin select 1 into temporary t; end", .temporaryObjects),
            ("begin listen a; end", .channels), ("load 'x'", .libraries),
            ("begin perform setseed(0.5); end", .seed),
            ("declare c cursor with hold for select 1", .heldCursors),
            ("begin prepare p as select 1; end", .preparedStatements),
            ("begin return lastval(); end", .sequenceReads),
            ("begin drop table t; end", .removals),
            ("begin execute 'create or replace function f() ...'; end", [.anything, .definitions]),
            ("begin execute format(x); end", .anything), ("begin call p(); end", .anything),
        ] as [(String, Suspicions)])
    func `other things`(_ body: String, _ suspicions: Suspicions) {
        #expect(leavings(body).suspicions == suspicions)
    }

    @Test func `names in a text that is executed count as well`() {
        let leavings = leavings("begin execute 'set app.tenant to ' || quote_literal(x); end")
        #expect(leavings.parameters == [ParameterTouch("app.tenant")])
    }

    @Test func `all parameters`() {
        #expect(leavings("begin reset all; end").resetsAll)
    }
}
