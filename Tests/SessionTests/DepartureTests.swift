import Bytes
import TestSupport
import Testing

/// A client hangs up after any byte; the next client must not notice.
@Suite struct DepartureTests {
    static let scripts: [Script] = [
        Script("a query", [query("select a")]),
        Script("a transaction", [query("begin"), query("select a"), query("commit")]),
        Script("a failed transaction", [query("begin"), query("fail"), query("select a")]),
        Script(
            "a batch",
            [parse("select a", as: "s"), run("s"), flush, parse("select b"), run(), sync]
        ),
        Script("a batch that fails", [parse("fail"), run(), parse("select a", as: "t"), sync]),
        Script("a portal", [parse("rows 5"), bind(portal: "p"), execute("p", rows: 2), flush]),
        Script("a COPY", [query("copy in")], [copyData("x"), copyData("y"), copyDone]),
        Script(
            "a COPY in a batch", [parse("copy in"), run(), flush],
            [copyData("x"), copyDone, sync]),
        Script("a COPY to it", [query("copy out"), query("select a")]),
        Script("settings", [query("set application_name=gone"), query("begin")]),
        Script(
            "many statements",
            [
                parse("select a", as: "s"), parse("select b", as: "t"), run("s"), sync, run("t"),
                close(statement: "t"), sync,
            ]),
        Script("goodbye", [parse("select a"), run(), sync, message("X")]),
    ]

    @Test(arguments: scripts, World.Pace.allCases)
    func `whenever a client leaves, the next one finds a clean server`(
        _ script: Script, _ pace: World.Pace
    ) throws {
        let boundaries = script.boundaries
        for cut in 0...script.byteCount {
            do {
                let serversClosed = try leave(script, after: cut, pace)
                // What the server has not said yet can make it necessary to close it.
                guard pace == .eager, boundaries.contains(cut) else { continue }
                #expect(serversClosed == 0, "left after \(cut) bytes")
            } catch {
                Issue.record("left after \(cut) bytes: \(error)")
            }
        }
    }

    /// Returns how many servers were closed for it.
    private func leave(
        _ script: Script, after byteCount: Int, _ pace: World.Pace
    ) throws -> Int {
        let world = World(clientCount: 2, pace: pace)
        try world.turn(1, (parse("select x", as: "s") + sync))
        var left = byteCount
        for turn in script.turns where !world.clients[0].isGone {
            if left <= turn.bytes.count {
                try world.leave(0, after: Array(turn.bytes.prefix(left)))
                break
            }
            try world.turn(0, turn.bytes)
            left -= turn.bytes.count
        }
        try world.turn(1, query("show application_name"))
        try world.turn(1, run("s") + run() + sync)
        try world.turn(1, parse("select a", as: "t") + run("t") + sync)
        try world.turn(1, query("select z"))
        try world.end()
        return world.serversClosed
    }
}
