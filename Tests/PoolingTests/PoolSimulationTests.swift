import Bytes
import Foundation
import Pooling
import Testing

@Suite struct PoolSimulationTests {
    /// 200 seeds, or the one in the environment variable SEED, to replay a failure.
    static let seeds: [UInt64] = {
        let text = ProcessInfo.processInfo.environment["SEED"]
        return text.flatMap(UInt64.init).map { [$0] } ?? Array(1...200)
    }()

    /// Clients ask, finish and vanish, servers open and die, time passes: at random, from one seed.
    @Test(arguments: seeds)
    func `every server has one owner, and in the end every waiter is served`(_ seed: UInt64) {
        var world = PoolWorld(seed: seed)
        var stepCount = 0
        do {
            for _ in 0..<2_000 {
                stepCount += 1
                try world.step()
            }
            try world.settle()
        } catch {
            Issue.record("SEED=\(seed), step \(stepCount): \(error)")
        }
        #expect(world.grantCount > 0)
    }

    @Test func `a seed gives the same world again`() throws {
        var first = PoolWorld(seed: 42)
        var second = PoolWorld(seed: 42)
        for _ in 0..<500 {
            try first.step()
            try second.step()
            #expect(first.pool.counts == second.pool.counts)
        }
    }
}
