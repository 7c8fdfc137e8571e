// Exchanges that once went otherwise than without the pooler.

extension Script {
    static let putRight = [
        Script(
            "a Close behind an error, and a Parse of the name behind the Sync",
            [parse("select a", as: "s"), sync],
            [bind("no"), close(statement: "s"), sync, parse("select b", as: "s"), sync],
            [run("s"), sync]),
        Script(
            "a Close behind an error, and a Bind of the name behind the Sync",
            [parse("select a", as: "s"), sync],
            [bind("no"), close(statement: "s"), sync, run("s"), sync]),
        Script(
            "a Close behind an error, of a statement of the same batch",
            [parse("select a", as: "s"), bind("no"), close(statement: "s"), sync],
            [query("deallocate all")], [run("s"), sync]),
        Script(
            "a Parse in a failed transaction, of what the server has",
            [parse("select a", as: "s"), sync], [query("begin")], [query("fail")],
            [parse("select a", as: "t"), sync], [query("rollback")],
            [parse("select a", as: "t"), sync]),
        Script(
            "DEALLOCATE ALL in the extended protocol, with a Parse behind it",
            [parse("deallocate all"), run(), parse("select a", as: "s"), sync], [run("s"), sync]),
        Script(
            "DEALLOCATE ALL with a Parse behind it, cut in the query",
            [query("deallocate all"), parse("select a", as: "s"), run("s"), sync],
            [run("s"), sync]),
        Script(
            "the unnamed statement, after a Parse behind an error",
            [parse("select a"), sync], [bind("no"), parse("select b"), sync], [run(), sync]),
        Script(
            "the unnamed statement, after a Parse that failed",
            [parse("select a"), sync], [parse("wrong"), sync], [run(), sync]),
        Script(
            "the unnamed statement, after a Query behind an error",
            [parse("select a"), sync], [bind("no"), query("select c"), sync], [run(), sync]),
        Script(
            "the unnamed statement, after a Close behind an error",
            [parse("select a"), sync], [bind("no"), close(statement: ""), sync], [run(), sync]),
        Script(
            "the unnamed statement, after a Bind that failed, in the failed transaction",
            [query("begin")], [parse("select $1"), bind(""), sync, bind(""), sync],
            [query("rollback")]),
        Script(
            "COPY FROM STDIN in one go",
            [parse("copy in"), run(), copyData("x"), copyDone, sync], [query("select a")]),
        Script(
            "COPY FROM STDIN in one go, with a Sync that the server ignores",
            [parse("copy in"), run(), sync, copyData("x"), copyDone, sync], [query("select a")]),
        Script(
            "a Sync behind a simple query with COPY FROM STDIN",
            [query("copy in"), sync, copyData("x"), copyDone], [query("select a")]),
        Script(
            "an error message that names the statement",
            [parse("select $1", as: "s"), sync], [bind("s"), sync]),
        Script(
            "an answer of ours behind a description that comes in pieces",
            [parse("select a", as: "s"), sync],
            [describe(statement: "s"), parse("select a", as: "t"), sync]),
        Script(
            "the unnamed statement, after we set the other client's parameters",
            clients: [
                (0, [query("set application_name=a")]), (0, [parse("select a"), sync]),
                (1, [callFunction(1)]), (0, [run(), sync]),
            ]),
        Script(
            "a name closed after it was parsed twice",
            [
                parse("select a", as: "s"), parse("select b", as: "s"), sync,
                close(statement: "s"), sync, run("s"), sync,
            ]),
    ]
}
