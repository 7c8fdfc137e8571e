/// A point of the monotonic clock, in nanoseconds since some start. Machines get it as an argument.
public struct Instant: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable public static var zero: Instant { Instant(nanoseconds: 0) }
    /// Later than every other instant: a deadline that never comes.
    @inlinable public static var never: Instant { Instant(nanoseconds: .max) }

    @inlinable public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `duration` later; `never` stays never, and a sum too large becomes never.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return overflow ? .never : Instant(nanoseconds: sum)
    }

    /// How long after `earlier` this is.
    public static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds &- earlier.nanoseconds)
    }
}

extension Duration {
    /// The whole duration in nanoseconds, at most about 292 years.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowSum) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowSum ? .max : sum
    }

    /// In microseconds, as PgBouncer's statistics count.
    public var microseconds: Int64 { nanoseconds / 1000 }
}
