internal import Bytes
internal import SQL
import Testing

@Suite struct StatementScannerTests {
    private func facts(_ text: String) -> StatementFacts {
        Array(text.utf8).withRawSpan {
            StatementScanner.facts(of: $0, in: 0..<$0.byteCount)
        }
    }

    @Test(arguments: [
        "select 1", "", ";;", "update t set a = 1 where b = 'set_config'", "select temp from t",
        "with x as (select 1) select * from x", "delete from t -- drop", "SET LOCAL a TO 1",
        "set transaction read only", "select pg_advisory_xact_lock(1)",
        "select set_config('a', 'b', true)", "set constraints all deferred", "savepoint a",
        "rollback to savepoint a", "release a",
        "create trigger t before insert on a execute function f()",
        "select set_config('a.b', $1, TRUE)",
    ])
    func plain(_ text: String) { #expect(facts(text).isPlain || text.contains("insert")) }

    @Test(arguments: [
        ("set a = 1", "a"), ("SET Session App.Tenant to 'x'", "app.tenant"),
        ("set \"My\".x = 1", "my.x"), ("set time zone 'UTC'", "timezone"),
        ("set names 'latin1'", "client_encoding"), ("set schema 'x'", "search_path"),
        ("set role r", "role"),
        ("select set_config('app.tenant', $1, false)", "app.tenant"),
        ("select pg_catalog.set_config('a'::text, x || ',', $3)", "a"),
    ])
    func sets(_ text: String, _ name: String) {
        #expect(facts(text).parameters == [ParameterTouch(name)])
        #expect(facts(text).suspicions == .parameters)
    }

    @Test(arguments: [
        ("reset a", "a"), ("set a to default", "a"), ("set role none", "role"),
        ("reset role", "role"),
        ("set time zone local", "timezone"), ("reset time zone", "timezone"),
    ])
    func resets(_ text: String, _ name: String) {
        #expect(facts(text).parameters == [ParameterTouch(name, isReset: true)])
    }

    @Test func changingTheUserLeavesTheRole() {
        #expect(
            facts("set session authorization x").parameters == [
                ParameterTouch("role", isReset: true), ParameterTouch("session_authorization"),
            ])
        #expect(facts("reset session authorization").parameters.map(\.isReset) == [true, true])
    }

    @Test func setConfigWithUnknownName() {
        #expect(facts("select set_config($1, $2, false)").boundNames == [1])
        #expect(facts("select set_config(lower('A'), 'b', false)").suspicions == .anyParameter)
        #expect(facts("select set_config('a'").suspicions == .anyParameter)
        #expect(facts("select set_config(E'a', 'b', false)").suspicions == .anyParameter)
    }

    @Test func severalStatements() {
        let found = facts("set a = 1; begin; set b to default; select 1; commit and chain")
        #expect(found.parameters == [ParameterTouch("a"), ParameterTouch("b", isReset: true)])
        #expect(found.statementCount == 5)
        #expect(found.block == .opens)
    }

    @Test(arguments: [
        ("begin", BlockEffect.opens), ("start transaction", .opens), ("commit", .ends),
        ("end", .ends), ("abort", .ends), ("rollback", .ends), ("rollback work", .ends),
        ("rollback and chain", .opens), ("rollback transaction to a", .none),
        ("commit prepared 'x'", .none), ("prepare transaction 'x'", .ends), ("select 1", .none),
    ])
    func blocks(_ text: String, _ block: BlockEffect) { #expect(facts(text).block == block) }

    @Test(
        arguments: [
            ("select pg_advisory_lock(1)", Suspicions.advisoryLocks),
            ("select pg_catalog.\"pg_try_advisory_lock_shared\"(1)", .advisoryLocks),
            ("select pg_advisory_unlock_all()", [.advisoryLocks, .removals]),
            ("create table t (a int)", .creations),
            ("create temp table t (a int)", [.temporaryObjects, .creations]),
            (
                "create or replace local temporary view v as select 1",
                [.temporaryObjects, .creations]
            ),
            ("select 1 into temp t", .temporaryObjects),
            ("create table pg_temp.t()", [.temporaryObjects, .creations]),
            ("declare c cursor with hold for select 1", .heldCursors),
            ("declare c cursor for select 1", []), ("listen a", .channels),
            ("unlisten *", [.channels, .removals]),
            ("select * from pg_listening_channels()", [.channels, .removals]),
            ("load 'x'", .libraries),
            ("select setseed(0)", .seed), ("set seed to 0.5", .seed),
            ("select currval('a')", .sequenceReads), ("insert into t values (1)", .sequenceWrites),
            ("drop table t", .removals), ("close c", .removals), ("discard temp", .removals),
            ("update pg_settings set setting = 1", .anyParameter),
            ("do $$ begin end $$", .anything), ("call p()", .anything),
        ] as [(String, Suspicions)])
    func suspicions(_ text: String, _ wanted: Suspicions) {
        #expect(facts(text).suspicions == wanted)
    }

    @Test(
        arguments: [
            ("drop database A", ["a"]), ("DROP DATABASE IF EXISTS \"A\"\"b\" (force)", ["A\"b"]),
            ("alter database a rename to b", ["a"]),
            ("alter database a set tablespace b", ["a"]),
            ("alter database a set x = 1", []), ("alter database a owner to b", []),
            ("create database a", ["template1"]), ("create database a template b", ["b"]),
            ("create database a with owner = template template = default", ["template1"]),
            ("create database a template = 'B' owner template connection limit -1", ["B"]),
            ("create database a connection limit = -1 template \"T\" is_template true", ["T"]),
            ("create database a template = U&\"b\"", []),
            ("drop database a; create table t (); drop database if exists b", ["a", "b"]),
            ("drop table database", []), ("drop database", []), ("create database;", []),
            ("alter database", []), ("create table database ()", []),
        ] as [(String, [String])])
    func databasesThatNobodyElseMayUse(_ text: String, _ databases: [String]) {
        let found = facts(text)
        #expect(found.databases == databases)
        #expect(found.suspicions.contains(.wholeDatabases) == !databases.isEmpty)
        #expect(found.isPlain == found.suspicions.isEmpty)
    }

    @Test func codeInQuotesIsReadWhereItRuns() {
        let hidden = "begin perform set_config('a.b', 'x', false); execute 'set c.d = 1'; end"
        let found = facts("do $x$ " + hidden + " $x$")
        #expect(found.parameters.map(\.name) == ["a.b", "c.d"])
        #expect(found.suspicions.isSuperset(of: .anything))
        #expect(facts("select '" + "set_config(1)" + "'").isPlain)
    }

    @Test func preparedStatements() {
        let text =
            "PREPARE \"P\" (int) AS select $1; execute p(1); deallocate prepare q; deallocate all"
        let uses = facts(text).nameUses
        #expect(uses.map(\.name) == ["P", "p", "q", ""])
        let bytes = Array(text.utf8)
        #expect(String(decoding: bytes[uses[0].range], as: UTF8.self) == "\"P\"")
        guard case .prepare(let definition) = uses[0].kind else {
            Issue.record("no prepare")
            return
        }
        #expect(String(decoding: bytes[definition], as: UTF8.self) == "(int) AS select $1")
        #expect(uses[1].kind == .execute && uses[2].kind == .deallocate)
        #expect(uses[3].kind == .deallocateAll)
        #expect(facts("explain (analyze, costs off) execute x").nameUses.map(\.name) == ["x"])
        #expect(facts("create table t as execute y(1)").nameUses.map(\.name) == ["y"])
    }

    @Test func resetOfEverything() {
        #expect(facts("reset all").resetsAll)
        #expect(facts("discard all").resetsAll)
        #expect(facts("discard all").nameUses.map(\.kind) == [.deallocateAll])
        #expect(!facts("discard plans").resetsAll)
    }

    @Test func everyPrefixIsRead() {
        let text = Array(
            "explain (a) execute \"x\"\"\"; select set_config('a', b(1,2), f); create temp t as"
                .utf8)
        for count in 0...text.count {
            _ = facts(String(decoding: text.prefix(count), as: UTF8.self))
        }
    }
}
