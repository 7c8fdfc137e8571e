internal import Bytes
internal import Foundation

/// What the time of day was at an instant of the monotonic clock.
struct WallClock {
    private let origin: Int64

    /// `monotonic`: the instant that is now.
    init(monotonic: Instant) {
        self.init(
            monotonic: monotonic, secondsSince1970: Int64(Date().timeIntervalSince1970.rounded()))
    }

    init(monotonic: Instant, secondsSince1970: Int64) {
        origin = secondsSince1970 - monotonic.nanoseconds / 1_000_000_000
    }

    /// "2026-01-31 23:59:59 UTC"; empty for an instant that never was.
    func text(_ instant: Instant) -> String {
        guard instant != .zero else { return "" }
        let seconds = origin + instant.nanoseconds / 1_000_000_000
        let (days, second) = (seconds / 86_400, seconds % 86_400)
        let (year, month, day) = WallClock.date(ofDay: days)
        let date = "\(year)-\(two(month))-\(two(day))"
        return "\(date) \(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) UTC"
    }

    private func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Counts years that begin in March, so that the leap day is the last of its year.
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let sinceMarch = day + 719_468
        let era = sinceMarch / 146_097
        let dayOfEra = sinceMarch % 146_097
        let leaps = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
        let yearOfEra = (dayOfEra - leaps) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * march + 2) / 5 + 1)
    }
}
