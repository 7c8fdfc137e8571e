import Bytes
import Testing

@Suite struct SeededRandomTests {
    private func numbers(_ seed: UInt64, _ count: Int) -> [UInt64] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in random.next() }
    }

    @Test func `the numbers are those of SplitMix64`() {
        #expect(
            numbers(1_234_567, 5) == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test func `a seed gives the same numbers again, another seed others`() {
        #expect(numbers(7, 100) == numbers(7, 100))
        #expect(numbers(7, 100) != numbers(8, 100))
    }

    @Test func `all bits move`() {
        let ones = numbers(3, 1000).reduce(into: [Int](repeating: 0, count: 64)) { counts, number in
            for bit in 0..<64 where number >> bit & 1 == 1 { counts[bit] += 1 }
        }
        #expect(ones.allSatisfy { (400...600).contains($0) })
    }
}
