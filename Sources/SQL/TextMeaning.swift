internal import Bytes

/// What a statement's text means besides its words. PostgreSQL reads a literal when it parses the
/// statement, not when it executes it: `'2026-01-01'::timestamptz` is a moment that depends on the
/// session's TimeZone at that time, and `'today'::date` on the day.
public enum TextMeaning: Sendable {
    /// The same in every session.
    case constant
    /// It may depend on settings: there is a string, a byte that is not ASCII, or `= NULL`.
    case ofSettings
    /// It depends on when it is parsed, too.
    case ofMoment

    /// Settings that decide what a literal is: as ParameterStatus reports them.
    public static let reportedSettings = [
        "client_encoding", "datestyle", "intervalstyle", "standard_conforming_strings", "timezone",
    ]
    /// The same of those that are not reported.
    public static let otherSettings = [
        "array_nulls", "backslash_quote", "bytea_output", "extra_float_digits", "lc_monetary",
        "timezone_abbreviations", "transform_null_equals", "xmloption",
    ]

    /// A number for each of both, below 16.
    public static let numbers = Dictionary(
        uniqueKeysWithValues: (reportedSettings + otherSettings).enumerated().map {
            ($0.element, $0.offset)
        })

    /// What stands for the time at which it is read. Source: PostgreSQL documentation, "Date/Time
    /// Types", special values.
    private static let moments = ["now", "today", "tomorrow", "yesterday"]

    public init(_ text: borrowing RawSpan, in range: Range<Int>) {
        var hasStrings = false
        for offset in range {
            switch text.uint8(at: offset) {
            case UInt8(ascii: "'"), 0x80...:
                hasStrings = true
            case UInt8(ascii: "$"):
                // $1 is a parameter.
                let next = offset + 1 < range.upperBound ? text.uint8(at: offset + 1) : 0
                if next &- 0x30 >= 10 { hasStrings = true }
            case UInt8(ascii: "="):
                // transform_null_equals makes IS NULL of = NULL.
                hasStrings = Self.isBesideNull(text, offset, range)
            default: continue
            }
            if hasStrings { break }
        }
        guard hasStrings else {
            self = .constant
            return
        }
        // Where literals end may depend on settings: a word is looked for wherever it stands, but
        // not as a function.
        for offset in range where Self.isMoment(text, offset, range) {
            self = .ofMoment
            return
        }
        self = .ofSettings
    }

    /// Whether NULL stands before or behind the sign at `offset`.
    private static func isBesideNull(
        _ text: borrowing RawSpan, _ offset: Int, _ range: Range<Int>
    ) -> Bool {
        var behind = offset + 1
        while behind < range.upperBound, isSpace(text.uint8(at: behind)) { behind += 1 }
        var before = offset
        while before > range.lowerBound, isSpace(text.uint8(at: before - 1)) { before -= 1 }
        return behind + 4 <= range.upperBound && text.hasWord("null", at: behind)
            || before - 4 >= range.lowerBound && text.hasWord("null", at: before - 4)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 0x09 < 5 }

    private static func isMoment(
        _ text: borrowing RawSpan, _ offset: Int, _ range: Range<Int>
    ) -> Bool {
        guard offset == range.lowerBound || !isLetter(text.uint8(at: offset - 1)) else {
            return false
        }
        for word in moments where text.hasWord(word, at: offset) {
            let end = offset + word.utf8.count
            guard end < range.upperBound else { return end == range.upperBound }
            let next = text.uint8(at: end)
            return !isLetter(next) && next != UInt8(ascii: "(")
        }
        return false
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte | 0x20 &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "_") || byte >= 0x80
    }
}
