internal import Foundation

/// A value as a file has it, before its key has looked at it.
enum WrittenValue: Sendable, Equatable {
    /// From an ini file, where everything is text.
    case bare(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case list([WrittenValue])
    /// In the order of the names.
    case table([WrittenPair])
    /// Dates, which no key takes.
    case unfitting(String)
}

/// One `name = value` inside of a value.
struct WrittenPair: Sendable, Equatable {
    let name: String
    let value: WrittenValue
}

/// Why a value does not suit its key.
struct Complaint: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

extension WrittenValue {
    /// For error texts. Callers with secrets do not show it.
    var quoted: String {
        switch self {
        case .bare(let text), .string(let text): "\"\(text)\""
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .boolean(let value): "\(value)"
        case .list: "a list"
        case .table: "a table"
        case .unfitting(let type): "a \(type)"
        }
    }

    func text() throws(Complaint) -> String {
        switch self {
        case .bare(let text), .string(let text): return text
        case .integer, .number, .boolean, .list, .table, .unfitting:
            throw Complaint("expected text in quotes, found \(quoted)")
        }
    }

    func integer(in range: ClosedRange<Int>) throws(Complaint) -> Int {
        let value: Int? =
            switch self {
            case .bare(let text): Int(text)
            case .integer(let value): value
            case .string, .number, .boolean, .list, .table, .unfitting: nil
            }
        guard let value else { throw Complaint("expected a whole number, found \(quoted)") }
        guard range.contains(value) else {
            throw Complaint("\(value) is out of range; allowed: \(range.described)")
        }
        return value
    }

    func boolean() throws(Complaint) -> Bool {
        switch self {
        case .boolean(let value): return value
        case .integer(0): return false
        case .integer(1): return true
        case .bare(let text):
            switch text.lowercased() {
            case "0", "false", "no", "off": return false
            case "1", "true", "yes", "on": return true
            case _: throw Complaint("\(quoted) is neither 1, true, yes, on nor 0, false, no, off")
            }
        case .string, .integer, .number, .list, .table, .unfitting:
            throw Complaint("expected true or false, found \(quoted)")
        }
    }

    /// Items are trimmed, empty ones dropped. Commas separate inside a text.
    func list() throws(Complaint) -> [String] {
        if case .list(let items) = self {
            var texts: [String] = []
            for item in items { texts.append(try item.text()) }
            return texts.filter { !$0.isEmpty }
        }
        return try text().split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }

    /// Rounded to microseconds.
    func duration() throws(Complaint) -> Duration {
        let seconds: Double
        switch self {
        case .bare(let text):
            guard let value = plainNumber(text) else {
                throw Complaint("expected a number of seconds, found \(quoted)")
            }
            seconds = value
        case .integer(let value): seconds = Double(value)
        case .number(let value): seconds = value
        case .string(let text): seconds = try secondsWithUnit(text)
        case .boolean, .list, .table, .unfitting:
            throw Complaint("expected a duration such as 5 or \"200ms\", found \(quoted)")
        }
        // A bound of 30 years keeps the arithmetic of deadlines far from overflow.
        guard seconds >= 0, seconds <= 1_000_000_000 else {
            throw Complaint("\(quoted) is out of range; allowed: 0 to 1000000000 seconds")
        }
        return .microseconds(Int64((seconds * 1_000_000).rounded()))
    }

    private func secondsWithUnit(_ text: String) throws(Complaint) -> Double {
        let units: [(suffix: String, seconds: Double)] = [
            ("us", 0.000_001), ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            let digits = text.dropLast(unit.suffix.count).trimmingCharacters(in: .whitespaces)
            guard let value = plainNumber(digits) else { continue }
            return value * unit.seconds
        }
        throw Complaint(
            "expected a duration such as 5, \"200ms\", \"5s\", \"1m\", \"1h\", found \(quoted)")
    }

    /// Only digits and a point: no "nan", "inf", signs or hexadecimals.
    private func plainNumber(_ text: String) -> Double? {
        guard text.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }) else { return nil }
        return Double(text)
    }
}

extension ClosedRange<Int> {
    var described: String { "\(lowerBound) to \(upperBound)" }
}
