/// The startup parameter `options`: command-line switches for the session, with PostgreSQL's own
/// quoting: blanks separate, a backslash takes the next character as it is.
///
/// Source: PostgreSQL documentation, "libpq: Connection Parameters", options; postgres(1), -c.
public enum StartupOptions {
    /// What stands in `text`.
    public static func parse(_ text: String) throws(Malformed) -> [StartupParameter] {
        var found: [StartupParameter] = []
        var words = split(text)[...]
        while let word = words.popFirst() {
            var setting: Substring
            if word == "-c" {
                guard let next = words.popFirst() else { throw .unknownSwitch(word) }
                setting = next[...]
            } else if word.hasPrefix("-c") {
                setting = word.dropFirst(2)
            } else if word.hasPrefix("--") {
                setting = word.dropFirst(2)
            } else {
                throw .unknownSwitch(word)
            }
            guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
                let flag = word.hasPrefix("--") ? "--" : "-c "
                throw .noValue("\(flag)\(setting.drop { $0 == "=" })")
            }
            // In a long option a hyphen stands for an underscore, as in PostgreSQL.
            let name = String(setting[..<equals].map { $0 == "-" ? "_" : $0 })
            found.append(
                StartupParameter(
                    name: name, value: String(setting[setting.index(after: equals)...])))
        }
        return found
    }

    public enum Malformed: Error, Equatable, Sendable {
        /// A word that is neither `-c name=value` nor `--name=value`.
        case unknownSwitch(String)
        /// One of these without a value: as far as the name.
        case noValue(String)
    }

    private static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isInWord = false
        var characters = text.unicodeScalars.makeIterator()
        while let character = characters.next() {
            switch character {
            case " ", "\t", "\n", "\r", "\u{0b}", "\u{0c}":
                if isInWord { words.append(word) }
                word = ""
                isInWord = false
            case "\\":
                isInWord = true
                if let escaped = characters.next() { word.unicodeScalars.append(escaped) }
            default:
                isInWord = true
                word.unicodeScalars.append(character)
            }
        }
        if isInWord { words.append(word) }
        return words
    }
}
