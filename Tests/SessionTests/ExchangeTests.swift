import Bytes
import TestSupport
import Testing

/// Scripted exchanges through `ClientSession` and `ServerSession`. The world compares what each
/// client gets with what a backend of its own would have said, and watches `isReleasable`.
@Suite struct ExchangeTests {
    /// What came out of one run of a script.
    private struct Outcome: Equatable {
        var received: [[UInt8]]
        var sentToServer: [UInt8]
        var serverByteCount: Int
    }

    private func play(
        _ script: Script, _ pace: World.Pace, clientCuts: Cuts = .none, serverCuts: Cuts = .none,
        sharesServers: Bool = true
    ) throws -> Outcome {
        let world = World(
            clientCount: script.clientCount, statementsMax: script.statementsMax,
            sharesServers: sharesServers, pace: pace, clientCuts: clientCuts,
            serverCuts: serverCuts)
        for turn in script.turns { try world.turn(turn.client, turn.bytes) }
        let outcome = Outcome(
            received: world.received, sentToServer: world.sentToServer,
            serverByteCount: world.serverByteCount)
        try world.end()
        return outcome
    }

    @Test(arguments: Script.all)
    func `clients get what they would get without a pooler`(_ script: Script) throws {
        for pace in World.Pace.allCases {
            let outcome = try play(script, pace)
            for received in outcome.received { #expect(!shown(received).contains("pgweir")) }
            #expect(!outcome.received.contains([]))
        }
    }

    @Test(arguments: Script.ofOneClient)
    func `a client that keeps its server gets its names through`(_ script: Script) throws {
        let outcome = try play(script, .eager, sharesServers: false)
        #expect(!shown(outcome.sentToServer).contains("pgweir"))
    }

    @Test(arguments: Script.all, World.Pace.allCases)
    func `the clients' bytes may be cut anywhere`(_ script: Script, _ pace: World.Pace) throws {
        let whole = try play(script, pace)
        for cuts in Cuts.eachSingle(of: script.byteCount) + [.everyByte(of: script.byteCount)] {
            compare(try play(script, pace, clientCuts: cuts), whole, pace, "client \(cuts)")
        }
    }

    @Test(arguments: Script.all, World.Pace.allCases)
    func `the server's bytes may be cut anywhere`(_ script: Script, _ pace: World.Pace) throws {
        let whole = try play(script, pace)
        let byteCount = whole.serverByteCount
        for cuts in Cuts.eachSingle(of: byteCount) + [.everyByte(of: byteCount)] {
            compare(try play(script, pace, serverCuts: cuts), whole, pace, "server \(cuts)")
        }
    }

    @Test(arguments: Seeds.suite(20))
    func `both may be cut at random`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for script in Script.all {
            for pace in World.Pace.allCases {
                let whole = try play(script, pace)
                let cuts = Cuts.random(of: script.byteCount, countMax: 8, using: &random)
                let serverCuts = Cuts.random(
                    of: whole.serverByteCount, countMax: 8, using: &random)
                let outcome = try play(script, pace, clientCuts: cuts, serverCuts: serverCuts)
                compare(outcome, whole, pace, "SEED=\(seed) \(script.name) \(cuts) \(serverCuts)")
            }
        }
    }

    @Test(arguments: Seeds.suite(300))
    func `random exchanges go as they would without a pooler`(_ seed: UInt64) throws {
        var generator = RandomScript(seed: seed, clientCount: 3)
        let script = generator.script(turnCount: 20)
        var random = SeededRandom(seed: seed)
        for pace in World.Pace.allCases {
            do {
                let whole = try play(script, pace)
                let cuts = Cuts.random(of: script.byteCount, countMax: 40, using: &random)
                let serverCuts = Cuts.random(
                    of: whole.serverByteCount, countMax: 40, using: &random)
                let outcome = try play(script, pace, clientCuts: cuts, serverCuts: serverCuts)
                compare(outcome, whole, pace, "SEED=\(seed)")
            } catch {
                Issue.record("SEED=\(seed) \(pace): \(error)")
            }
        }
    }

    /// When the server answers early, it depends on the cuts what it is still asked.
    private func compare(
        _ outcome: Outcome, _ whole: Outcome, _ pace: World.Pace, _ what: String
    ) {
        #expect(outcome.received == whole.received, "\(what)")
        guard pace == .lazy else { return }
        #expect(outcome.sentToServer == whole.sentToServer, "\(what)")
    }
}
