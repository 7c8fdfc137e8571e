// Exchanges that go through the pooler as they would without it.

extension Script {
    static let simple = [
        Script("one query", [query("select a")]),
        Script("an empty query", [query("")]),
        Script("several statements in a query", [query("select a;select b;rows 3")]),
        Script("queries in a pipeline", [query("select a"), query("select b")], [query("rows 2")]),
        Script("a notice", [query("notice")]),
        Script("a syntax error", [query("wrong")], [query("select a")]),
        Script("an error between statements", [query("select a;fail;select b")]),
        Script("an error in a pipeline", [query("fail"), query("select a")]),
        Script(
            "a transaction", [query("begin")], [query("select a")], [query("commit")],
            [query("select b")]),
        Script(
            "a failed transaction", [query("begin")], [query("fail")], [query("select a")],
            [query("rollback")], [query("select b")]),
        Script("a transaction in a pipeline", [query("begin"), query("fail"), query("commit")]),
        Script("a function call", [callFunction(1)], [callFunction(0), callFunction(2)]),
        Script("Sync and Flush without a server", [sync, flush, sync]),
    ]

    static let extended = [
        Script(
            "the unnamed statement", [parse("select $1"), bind("", ["x"]), execute(), sync],
            [bind("", ["y"]), execute(), sync]),
        Script(
            "descriptions",
            [
                parse("select $1"), describe(statement: ""), bind("", ["x"]), describe(portal: ""),
                execute(), sync,
            ],
            [parse("begin"), describe(statement: ""), sync]),
        Script(
            "several statements in a batch",
            [parse("select a"), run(), parse("begin"), run(), parse("commit"), run(), sync]),
        Script(
            "a portal read bit by bit",
            [parse("rows 5"), bind(portal: "p"), execute("p", rows: 2), flush],
            [execute("p", rows: 2), flush], [execute("p", rows: 2), close(portal: "p"), sync]),
        Script(
            "portals live as long as the transaction",
            [query("begin")], [parse("rows 3"), bind(portal: "p"), execute("p", rows: 1), sync],
            [execute("p"), sync], [query("commit")], [execute("p"), sync]),
        Script("Flush before Sync", [parse("select a"), flush], [run(), flush], [sync]),
        Script("an empty statement", [parse(""), describe(statement: ""), run(), sync]),
        Script("a simple query ends a batch", [parse("select a"), run(), query("select b")]),
        Script(
            "an error in the middle of a batch",
            [parse("select a"), run(), parse("fail"), run(), parse("select b"), run(), sync],
            [parse("select c"), run(), sync]),
        Script(
            "an error, and the Sync comes later",
            [parse("fail"), run(), flush], [parse("select a"), run(), query("select b")], [sync],
            [query("select c")]),
        Script(
            "a statement that does not parse", [parse("wrong"), run(), sync], [query("rows 1")]),
        Script("a bind of nothing", [bind(), execute(), sync], [bind("s"), sync]),
        Script(
            "several Syncs, errors in some",
            [
                parse("select a"), run(), sync, parse("fail"), run(), sync, sync, parse("wrong"),
                run(), sync, parse("select b"), run(), sync,
            ]),
        Script(
            "a failed transaction", [query("begin")], [parse("fail"), run(), sync],
            [parse("select a"), run(), sync], [parse("rollback"), run(), sync]),
        Script("unlinked batches", [sync], [flush], [parse("select a"), sync], [run(), sync]),
        Script(
            "a simple query takes the unnamed statement away",
            [parse("select a"), sync], [query("select b")], [run(), sync]),
        Script(
            "Close of the unnamed statement", [parse("select a"), sync],
            [close(statement: ""), sync], [run(), sync]),
        Script(
            "a function call in a batch", [parse("select a"), run(), callFunction(1)],
            [parse("wrong"), callFunction(1), sync]),
    ]

    static let named = [
        Script(
            "a statement used over several batches",
            [parse("select $1", as: "s"), describe(statement: "s"), sync], [run("s", ["a"]), sync],
            [run("s", ["b"]), run("s", ["c"]), sync, run("s", ["d"]), sync],
            [describe(statement: "s"), sync]),
        Script(
            "a statement parsed and used at once",
            [parse("select a", as: "s"), run("s"), sync], [run("s"), sync]),
        Script(
            "the same text under two names",
            [parse("select a", as: "s"), parse("select a", as: "t"), run("s"), run("t"), sync],
            [close(statement: "s"), run("t"), sync], [run("s"), sync], [run("t"), sync]),
        Script(
            "Close frees the name",
            [parse("select a", as: "s"), close(statement: "s"), parse("select b", as: "s")],
            [run("s"), sync], [close(statement: "s"), close(statement: "never"), sync],
            [run("s"), sync], [parse("select c", as: "s"), run("s"), sync]),
        Script(
            "a name in use", [parse("select a", as: "s"), sync],
            [parse("select b", as: "s"), sync],
            [run("s"), sync]),
        Script(
            "a name in use, in a transaction", [parse("select a", as: "s"), query("begin")],
            [parse("select b", as: "s"), sync], [query("rollback")], [run("s"), sync]),
        Script(
            "a name used twice in a batch",
            [parse("select a", as: "s"), parse("select b", as: "s"), run("s"), sync],
            [run("s"), sync]),
        Script(
            "a statement that does not parse leaves its name free",
            [parse("wrong", as: "s"), sync], [parse("select a", as: "s"), run("s"), sync]),
        Script(
            "a statement that does not parse, with its use behind a Sync",
            [parse("wrong", as: "s"), sync, run("s"), sync, parse("select a", as: "s"), sync],
            [run("s"), sync]),
        Script(
            "a statement parsed behind an error does not exist",
            [parse("wrong"), parse("select a", as: "s"), sync, run("s"), sync],
            [parse("select b", as: "s"), run("s"), sync]),
        Script(
            "a Close behind an error does not happen",
            [parse("select a", as: "s"), sync], [parse("wrong"), close(statement: "s"), sync],
            [run("s"), sync], [parse("select b", as: "s"), sync]),
        Script(
            "a batch that waits for another",
            [parse("select a", as: "s"), sync, run("s"), sync, run("s"), sync]),
        Script(
            "names of all kinds of length",
            [parse("select a", as: "a name much longer than ours are"), sync],
            [run("a name much longer than ours are"), sync]),
        Script(
            "a prepared commit", [parse("commit", as: "c"), parse("select a", as: "s"), sync],
            [query("begin")], [run("s"), run("c"), sync], [query("begin"), query("fail")],
            [run("s"), sync], [run("c"), sync]),
    ]

    static let resets = [
        Script(
            "DEALLOCATE ALL", [parse("select a", as: "s"), sync], [query("deallocate all")],
            [run("s"), sync], [parse("select a", as: "s"), run("s"), sync], [run("s"), sync]),
        Script(
            "DISCARD ALL takes the unnamed statement too",
            [parse("select a"), parse("select b", as: "s"), sync], [query("discard all")],
            [run(), sync], [run("s"), sync]),
        Script(
            "DEALLOCATE ALL as a statement of the extended protocol",
            [parse("select a", as: "s"), sync], [parse("deallocate all"), run(), sync],
            [run("s"), sync], [parse("select b", as: "s"), run("s"), sync]),
    ]

    static let copies = [
        Script(
            "COPY FROM STDIN", [query("copy in")],
            [copyData("one\n"), copyData("two\n"), copyDone],
            [query("select a")]),
        Script("a COPY that the client gives up", [query("copy in")], [copyFail("no")], [sync]),
        Script(
            "COPY between statements", [query("select a;copy in;select b")],
            [copyData("x"), copyDone]),
        Script(
            "two COPYs in a query", [query("copy in;copy in")], [copyData("x"), copyDone],
            [copyData("y"), copyData("z"), copyDone]),
        Script(
            "COPY as libpq sends it in the extended protocol",
            [parse("copy in"), bind(), describe(portal: ""), execute(), sync],
            [copyData("x"), flush, copyData("y"), copyDone, sync], [query("select a")]),
        Script(
            "a COPY given up in the extended protocol",
            [parse("copy in"), run(), flush], [copyData("x"), copyFail("no"), run(), sync],
            [query("select a")]),
        Script(
            "COPY TO STDOUT", [query("copy out")], [parse("copy out"), run(), sync]),
        Script("COPY messages without a COPY", [copyData("x"), copyDone, query("select a")]),
        Script(
            "COPY messages behind a COPY that failed",
            [query("begin"), query("fail"), query("copy in"), copyData("x"), copyDone],
            [query("rollback")]),
    ]

    static let shared = [
        Script(
            "the same names for other texts",
            clients: [
                (0, [parse("select a", as: "s"), sync]), (1, [parse("select b", as: "s"), sync]),
                (0, [run("s"), sync]), (1, [run("s"), sync]), (0, [close(statement: "s"), sync]),
                (1, [run("s"), sync]), (0, [run("s"), sync]),
            ]),
        Script(
            "the same text under other names",
            clients: [
                (0, [parse("select a", as: "s"), sync]), (1, [run("s"), sync]),
                (1, [parse("select a", as: "t"), run("t"), sync]), (0, [run("s"), sync]),
                (1, [close(statement: "t"), sync]), (0, [run("s"), run("t"), sync]),
            ]),
        Script(
            "unnamed statements side by side",
            clients: [
                (0, [parse("select a"), sync]), (1, [run(), sync]),
                (1, [parse("select b"), run(), sync]), (0, [run(), sync]),
                (0, [describe(statement: ""), sync]), (1, [describe(statement: ""), run(), sync]),
            ]),
        Script(
            "an error of one leaves the other's unnamed statement",
            clients: [
                (0, [parse("select a"), sync]), (1, [parse("wrong"), sync]), (0, [run(), sync]),
            ]),
        Script(
            "one waits for the other's transaction",
            clients: [
                (0, [parse("select a", as: "s"), query("begin")]),
                (1, [parse("select b", as: "s"), run("s"), sync, query("select c")]),
                (0, [run("s"), sync]), (0, [query("commit"), query("select d")]),
                (1, [run("s"), sync]),
            ]),
        Script(
            "DEALLOCATE ALL of one leaves the other's statements",
            clients: [
                (0, [parse("select a", as: "s"), parse("select c"), sync]),
                (1, [parse("select b", as: "s"), sync]), (1, [query("deallocate all")]),
                (0, [run("s"), run(), sync]), (1, [run("s"), sync]),
            ]),
        Script(
            "settings stay with who set them",
            clients: [
                (0, [query("set application_name=a")]), (1, [query("show application_name")]),
                (0, [query("show application_name")]), (1, [query("set application_name=b")]),
                (0, [parse("show application_name", as: "s"), run("s"), sync]),
                (1, [query("begin"), query("show application_name"), query("commit")]),
            ]),
        Script(
            "few statements fit on the server", statementsMax: 1,
            clients: [
                (0, [parse("select a", as: "a"), parse("select b", as: "b"), sync]),
                (0, [run("a"), run("b"), run("a"), sync]), (1, [parse("select c", as: "a"), sync]),
                (0, [run("b"), sync, run("a"), sync]), (1, [run("a"), sync]),
                (0, [parse("wrong", as: "c"), run("a"), sync]), (0, [run("a"), run("b"), sync]),
            ]),
        Script(
            "an eviction in a batch that fails", statementsMax: 1,
            clients: [
                (0, [parse("select a", as: "a"), sync]),
                (0, [parse("wrong"), parse("select b", as: "b"), run("b"), sync]),
                (0, [run("a"), sync]), (0, [parse("select b", as: "b"), run("b"), sync]),
            ]),
    ]

    static let ofOneClient = simple + extended + named + resets + copies
    static let all = ofOneClient + shared + putRight
}
