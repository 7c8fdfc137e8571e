/// Dates and times as PostgreSQL counts them, in the one notation that no setting changes.
enum Calendar {
    static let microsecondsPerDay: Int64 = 86_400_000_000

    /// Days from 2000-01-01 to a date of the proleptic Gregorian calendar; nil if there is none.
    static func days(year: Int, month: Int, day: Int) -> Int32? {
        guard year >= 1, (1...12).contains(month), day >= 1, day <= dayCount(year, month) else {
            return nil
        }
        // Years that begin in March have their leap day at the end.
        let shifted = month > 2 ? year : year - 1
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int32(era * 146_097 + dayOfEra - 730_425)
    }

    private static func dayCount(_ year: Int, _ month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    static func text(days: Int32) -> String {
        if days == .max { return "infinity" }
        if days == .min { return "-infinity" }
        let shifted = Int(days) + 730_425
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let index = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * index + 2) / 5 + 1
        let month = index < 10 ? index + 3 : index - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        // There is no year 0: 1 BC comes before 1.
        let shownYear = year > 0 ? year : 1 - year
        return "\(padded(shownYear, 4))-\(padded(month, 2))-\(padded(day, 2))"
            + (year > 0 ? "" : " BC")
    }

    static func text(microseconds: Int64) -> String {
        if microseconds == .max { return "infinity" }
        if microseconds == .min { return "-infinity" }
        let (quotient, rest) = microseconds.quotientAndRemainder(dividingBy: microsecondsPerDay)
        let days = rest < 0 ? quotient - 1 : quotient
        let time = rest < 0 ? rest + microsecondsPerDay : rest
        let second = Int(time / 1_000_000)
        let fraction = Int(time % 1_000_000)
        let clock = [second / 3600, second / 60 % 60, second % 60].map { padded($0, 2) }
        return text(days: Int32(truncatingIfNeeded: days)) + " " + clock.joined(separator: ":")
            + (fraction == 0 ? "" : ".\(padded(fraction, 6))")
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Reads ISO 8601 from left to right.
struct CalendarReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// Exactly `count` digits.
    mutating func digits(_ count: Int) -> Int? {
        guard offset + count <= bytes.count else { return nil }
        var number = 0
        for _ in 0..<count {
            let digit = bytes[offset] &- 0x30
            guard digit < 10 else { return nil }
            number = number * 10 + Int(digit)
            offset += 1
        }
        return number
    }

    /// Goes on behind the next byte if it is one of `bytes`.
    mutating func take(_ wanted: UInt8...) -> UInt8? {
        guard offset < bytes.count, wanted.contains(bytes[offset]) else { return nil }
        offset += 1
        return bytes[offset - 1]
    }

    /// YYYY-MM-DD, in days.
    mutating func date() -> Int32? {
        guard let year = digits(4), take(0x2d) != nil, let month = digits(2), take(0x2d) != nil,
            let day = digits(2)
        else { return nil }
        return Calendar.days(year: year, month: month, day: day)
    }

    /// HH:MM[:SS[.ffffff]], in microseconds.
    mutating func time() -> Int64? {
        guard let hour = digits(2), hour < 24, take(0x3a) != nil, let minute = digits(2),
            minute < 60
        else { return nil }
        var second = 0
        var fraction = 0
        if take(0x3a) != nil {
            guard let found = digits(2), found < 60 else { return nil }
            second = found
            if take(0x2e) != nil {
                var scale = 100_000
                guard let first = digits(1) else { return nil }
                fraction = first * scale
                while let digit = digits(1) {
                    scale /= 10
                    // A seventh digit would be rounded.
                    guard scale > 0 else { return nil }
                    fraction += digit * scale
                }
            }
        }
        return Int64((hour * 60 + minute) * 60 + second) * 1_000_000 + Int64(fraction)
    }

    /// Z, ±HH, ±HHMM or ±HH:MM: microseconds east of Greenwich.
    mutating func zone() -> Int64? {
        if take(0x5a, 0x7a) != nil { return 0 }
        guard let sign = take(0x2b, 0x2d), let hour = digits(2), hour < 16 else { return nil }
        var minute = 0
        if take(0x3a) != nil || !isAtEnd {
            guard let found = digits(2), found < 60 else { return nil }
            minute = found
        }
        let microseconds = Int64(hour * 60 + minute) * 60_000_000
        return sign == 0x2d ? -microseconds : microseconds
    }
}
