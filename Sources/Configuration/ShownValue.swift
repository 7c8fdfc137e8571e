/// A setting on its way out: to SHOW CONFIG, or into a TOML file.
enum ShownValue: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case integers([Int])
    case boolean(Bool)
    case duration(Duration)
    /// PgBouncer has this one in milliseconds.
    case milliseconds(Duration)
    case list([String])
    /// Absolute, or as the directory of the configuration was named.
    case path(String)

    /// As PgBouncer would print it.
    var console: String {
        switch self {
        case .text(let text), .path(let text): text
        case .integer(let value): "\(value)"
        case .integers(let values): values.map(String.init).joined(separator: ",")
        case .boolean(let value): value ? "1" : "0"
        case .duration(let value): value.secondsText
        case .milliseconds(let value): "\(value.microseconds / 1000)"
        case .list(let items): items.joined(separator: ",")
        }
    }

    /// For the right side of a `key =`. Files in `directory` are named relative to it.
    func toml(in directory: String) -> String {
        switch self {
        case .text(let text): return tomlQuoted(text)
        case .integer, .duration: return console
        case .integers(let values):
            if values.count == 1 { return "\(values[0])" }
            return "[" + values.map(String.init).joined(separator: ", ") + "]"
        case .boolean(let value): return value ? "true" : "false"
        case .milliseconds(let value):
            return value == .zero ? "0" : "\"\(value.microseconds / 1000)ms\""
        case .list(let items):
            if items.count == 1, !items[0].contains(",") { return tomlQuoted(items[0]) }
            return "[" + items.map(tomlQuoted).joined(separator: ", ") + "]"
        case .path(let path):
            let prefix = directory + "/"
            guard path.hasPrefix(prefix), path != prefix else { return tomlQuoted(path) }
            return tomlQuoted(String(path.dropFirst(prefix.count)))
        }
    }
}

/// A TOML basic string.
func tomlQuoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case "\r": quoted += "\\r"
        case "\t": quoted += "\\t"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
            let digits = String(scalar.value, radix: 16)
            quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        case _: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}

extension Duration {
    var microseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }

    /// "120", "0.2", to the microsecond.
    var secondsText: String {
        let (whole, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard fraction != 0 else { return "\(whole)" }
        let digits = String(fraction)
        var text = String(repeating: "0", count: 6 - digits.count) + digits
        while text.hasSuffix("0") { text.removeLast() }
        return "\(whole).\(text)"
    }
}
