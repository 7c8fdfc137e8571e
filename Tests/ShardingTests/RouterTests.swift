import Bytes
import Testing

@testable import Sharding

@Suite struct RouterTests {
    private func shard(_ answer: PlacementAnswer) -> Int? {
        if case .shard(let shard, _) = answer { shard } else { nil }
    }

    private func router(_ description: MapDescription) throws -> Router {
        Router(try ShardingMap(description))
    }

    @Test func `the shard is the remainder`() throws {
        var description = description()
        description.shards = ["a", "b", "c", "d"]
        let router = try router(description)
        let expected: [Int64: Int] = [1: 0, 2: 2, 3: 1, 4: 3, 5: 1, 6: 3, 7: 3, 8: 1]
        for (key, remainder) in expected {
            #expect(
                router.place([.integer(key)])
                    == .shard(remainder, .remainder(remainder, modulus: 4)))
        }
    }

    @Test func `a larger modulus moves nothing by itself, and buckets one by one`() throws {
        let plain = try router(description())
        let buckets = try router(description { $0.modulus = 12 })
        let moved = try router(
            description {
                $0.modulus = 12
                $0.places = [remainders(4, on: "s0")]
            })
        var movedCount = 0
        for number in 0..<1000 {
            let key: [KeyValue?] = [.integer(Int64(number))]
            #expect(shard(plain.place(key)) == shard(buckets.place(key)))
            let isBucket = buckets.place(key) == .shard(1, .remainder(4, modulus: 12))
            #expect(shard(moved.place(key)) == (isBucket ? 0 : shard(plain.place(key))))
            if isBucket { movedCount += 1 }
        }
        #expect((50...120).contains(movedCount))
    }

    @Test func `exceptions come first`() throws {
        let router = try router(
            description {
                $0.places = [
                    values(42, 1500, on: "s2"), range(1000, 2000, on: "s0"),
                    range(3000, nil, on: "s1"), range(nil, -10, on: "s1"),
                ]
            })
        #expect(router.place([.integer(42)]) == .shard(2, .place(0)))
        #expect(router.place([.integer(1500)]) == .shard(2, .place(0)))
        #expect(router.place([.integer(1000)]) == .shard(0, .place(1)))
        #expect(router.place([.integer(1999)]) == .shard(0, .place(1)))
        #expect(router.place([.integer(3000)]) == .shard(1, .place(2)))
        #expect(router.place([.integer(.max)]) == .shard(1, .place(2)))
        #expect(router.place([.integer(.min)]) == .shard(1, .place(3)))
        for key: Int64 in [-10, 0, 999, 2000, 2999] {
            guard case .shard(_, .remainder) = router.place([.integer(key)]) else {
                Issue.record("\(key)")
                continue
            }
        }
    }

    @Test func `a key that no rule places is refused`() throws {
        let router = try router(
            description {
                $0.placement = .list
                $0.places = [values(1, 2, on: "s0")]
            })
        #expect(shard(router.place([.integer(2)])) == 0)
        guard case .refused(let refusal) = router.place([.integer(3)]) else {
            Issue.record("3 has no shard")
            return
        }
        #expect(refusal.detail == "No place of map m has 3.")
        #expect(refusal.hint == "Add it to a [[sharding.m.place]] and RELOAD.")
        #expect(shard(router.place([nil])) == nil)
        #expect(shard(router.place([.integer(1), .integer(1)])) == nil)
    }

    @Test func `ranges of several columns are in the order of the columns`() throws {
        let router = try router(
            description(key: ["bigint", "text"]) {
                var low = MapDescription.Place(shard: "s0")
                low.to = [.init("5", isQuoted: false), .init("m", isQuoted: true)]
                var high = MapDescription.Place(shard: "s1")
                high.from = low.to
                $0.placement = .range
                $0.places = [low, high]
            })
        func place(_ number: Int64, _ text: String) -> Int? {
            shard(router.place([.integer(number), .bytes(Array(text.utf8))]))
        }
        #expect(place(4, "z") == 0)
        #expect(place(5, "lz") == 0)
        #expect(place(5, "m") == 1)
        #expect(place(6, "a") == 1)
        #expect(shard(router.place([.integer(6), nil])) == nil)
    }

    @Test func `a look-up is asked for, and its answer must be a shard`() throws {
        let router = try router(
            description {
                $0.placement = .lookup
                $0.lookup.database = "d"
                $0.lookup.query = "SELECT 1"
                $0.places = [values(42, on: "s2")]
            })
        #expect(router.place([.integer(42)]) == .shard(2, .place(0)))
        guard case .lookup(let settings) = router.place([.integer(1)]) else {
            Issue.record("no look-up")
            return
        }
        #expect(settings.database == "d")
        #expect(router.shard(named: "s1", for: [.integer(1)]) == .success(1))
        for name in [nil, "s9", ""] {
            guard case .failure = router.shard(named: name, for: [.integer(1)]) else {
                Issue.record("\(name ?? "no row") is no shard")
                continue
            }
        }
        #expect(shard(router.place([nil])) == nil)
    }

    @Test func `a schema's name is a key`() throws {
        let router = try router(
            description(key: []) {
                $0.placement = .schema
                $0.tables = [:]
                $0.places = [names("acme", "umbrella", on: "s1")]
            })
        #expect(router.map.isBySchema)
        #expect(shard(router.place([.bytes(Array("acme".utf8))])) == 1)
        #expect(shard(router.place([.bytes(Array("other".utf8))])) == nil)
    }

    /// Against a search through the rules in their order.
    @Test(arguments: 1...50)
    func `random exceptions place what a plain search places`(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        var cuts = Set((0..<8).map { _ in Int.random(in: -50...50, using: &random) }).sorted()
        if cuts.count % 2 == 1 { cuts.removeLast() }
        var ranges: [(Range<Int>, Int)] = []
        for index in stride(from: 0, to: cuts.count, by: 2) {
            ranges.append((cuts[index]..<cuts[index + 1], Int.random(in: 0..<3, using: &random)))
        }
        let exceptions = Set((0..<5).map { _ in Int.random(in: -50...50, using: &random) })
        let router = try router(
            description {
                $0.placement = .range
                $0.places = exceptions.map { values($0, on: "s\(abs($0) % 3)") }
                $0.places += ranges.map { range($0.lowerBound, $0.upperBound, on: "s\($1)") }
                    .shuffled(using: &random)
            })
        for key in -60...60 {
            let expected =
                exceptions.contains(key)
                ? abs(key) % 3 : ranges.first { $0.0.contains(key) }?.1
            #expect(shard(router.place([.integer(Int64(key))])) == expected, "\(key)")
        }
    }
}
