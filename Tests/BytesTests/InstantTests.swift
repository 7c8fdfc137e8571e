import Bytes
import Testing

@Suite struct InstantTests {
    @Test func `instants are ordered, and never is the last`() {
        let early = Instant(nanoseconds: -5)
        #expect(early < .zero)
        #expect(.zero < Instant.never)
        #expect(Instant.never == Instant(nanoseconds: .max))
    }

    @Test func `durations are added and taken between`() {
        let start = Instant(nanoseconds: 100)
        #expect(start + .microseconds(2) == Instant(nanoseconds: 2100))
        #expect(start + .nanoseconds(-100) == .zero)
        #expect((start + .milliseconds(3)) - start == .milliseconds(3))
        #expect(start - (start + .seconds(1)) == .seconds(-1))
    }

    @Test func `what is too late is never`() {
        #expect(Instant.never + .seconds(1) == .never)
        #expect(Instant.zero + .seconds(Int64.max) == .never)
        #expect(Instant(nanoseconds: 1) + .nanoseconds(Int64.max) == .never)
    }

    @Test(
        arguments: [
            (Duration.zero, 0), (.nanoseconds(1), 1),
            (.seconds(2) + .nanoseconds(5), 2_000_000_005),
            (.milliseconds(-1500), -1_500_000_000), (.nanoseconds(Int64.max), Int64.max),
            (.seconds(Int64.max), Int64.max), (.seconds(Int64.min), Int64.min),
        ] as [(Duration, Int64)])
    func `a duration in nanoseconds`(_ duration: Duration, _ nanoseconds: Int64) {
        #expect(duration.nanoseconds == nanoseconds)
        #expect(duration.microseconds == nanoseconds / 1000)
    }
}
