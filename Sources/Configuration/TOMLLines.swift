/// Where the keys of a TOML text stand. The parser tells values but no positions, so this looks
/// for them on its own: it skips values without judging them.
struct TOMLLines {
    /// By the whole path, such as `databases`, `app`, `host`.
    private(set) var lines: [[String]: Int] = [:]
    /// Keys and tables written twice.
    private(set) var repeated: [(path: [String], first: Int, second: Int)] = []

    /// Of each array of tables, how many tables there were so far.
    private var elementCounts: [[String]: Int] = [:]
    private let bytes: [UInt8]
    private var offset = 0
    private var line = 1

    init(_ text: String) {
        bytes = Array(text.utf8)
        scan()
    }

    /// Line of the key; else where something inside it, or the nearest table around it, starts;
    /// 1 if there is none.
    func line(of path: [String]) -> Int {
        if let line = lines[path] { return line }
        let inside = lines.filter { $0.key.starts(with: path) }.map(\.value)
        if !path.isEmpty, let line = inside.min() { return line }
        var path = path
        while !path.isEmpty {
            if let line = lines[path] { return line }
            path.removeLast()
        }
        return 1
    }

    private var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func advance() {
        if byte == UInt8(ascii: "\n") { line += 1 }
        offset += 1
    }

    private func startsHere(_ text: StaticString) -> Bool {
        let wanted = Array("\(text)".utf8)
        return bytes[offset...].starts(with: wanted)
    }

    private mutating func scan() {
        var tables: Set<[String]> = []
        var table: [String] = []
        while let byte {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                advance()
            case UInt8(ascii: "#"):
                skipLine()
            case UInt8(ascii: "["):
                let isArray = startsHere("[[")
                offset += isArray ? 2 : 1
                table = entered(path(), isArray: isArray)
                // A parent table may be opened after its child, but each only once.
                let isNew = isArray || tables.insert(table).inserted
                note(table, isNew: isNew)
                skipLine()
            case _:
                let key = table + path()
                note(key, isNew: lines[key] == nil)
                skipBlanks()
                if self.byte == UInt8(ascii: "=") {
                    offset += 1
                    skipValue()
                } else {
                    skipLine()
                }
            }
        }
    }

    /// How an element of an array of tables stands in a path: the first is `[0]`.
    static func element(_ index: Int) -> String { "[\(index)]" }

    /// `path` with the elements that it goes through: of each array the last one, or a new one.
    private mutating func entered(_ path: [String], isArray: Bool) -> [String] {
        var whole: [String] = []
        for (index, part) in path.enumerated() {
            whole.append(part)
            if isArray, index == path.count - 1 { elementCounts[whole, default: 0] += 1 }
            if let count = elementCounts[whole] { whole.append(Self.element(count - 1)) }
        }
        return whole
    }

    private mutating func note(_ path: [String], isNew: Bool) {
        // Malformed; the parser will say so.
        guard !path.contains("") else { return }
        if let first = lines[path], !isNew {
            repeated.append((path, first, line))
        } else if lines[path] == nil {
            lines[path] = line
        }
    }

    private mutating func skipLine() {
        while let byte, byte != UInt8(ascii: "\n") { offset += 1 }
    }

    private mutating func skipBlanks() {
        while byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { offset += 1 }
    }

    /// `a."b c".d`, without the blanks.
    private mutating func path() -> [String] {
        var parts: [String] = []
        while true {
            skipBlanks()
            parts.append(part())
            skipBlanks()
            guard byte == UInt8(ascii: ".") else { return parts }
            offset += 1
        }
    }

    private mutating func part() -> String {
        if let quote = byte, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            offset += 1
            var content: [UInt8] = []
            while let byte, byte != quote, byte != UInt8(ascii: "\n") {
                offset += 1
                if quote == UInt8(ascii: "\""), byte == UInt8(ascii: "\\"), let next = self.byte {
                    content.append(next)
                    offset += 1
                } else {
                    content.append(byte)
                }
            }
            if byte == quote { offset += 1 }
            return String(decoding: content, as: UTF8.self)
        }
        let ends = Array(" \t\r\n.=]#".utf8)
        let start = offset
        while let byte, !ends.contains(byte) { offset += 1 }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    /// To the end of the line on which the value ends.
    private mutating func skipValue() {
        var depth = 0
        while let byte {
            switch byte {
            case UInt8(ascii: "\n"):
                if depth <= 0 { return }
                advance()
            case UInt8(ascii: "#"):
                skipLine()
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                advance()
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                depth -= 1
                advance()
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                skipString(byte)
            case _:
                advance()
            }
        }
    }

    private mutating func skipString(_ quote: UInt8) {
        let hasEscapes = quote == UInt8(ascii: "\"")
        let isLong = hasEscapes ? startsHere("\"\"\"") : startsHere("'''")
        offset += isLong ? 3 : 1
        while let byte {
            if hasEscapes, byte == UInt8(ascii: "\\") {
                advance()
                if self.byte != nil { advance() }
            } else if isLong, hasEscapes ? startsHere("\"\"\"") : startsHere("'''") {
                offset += 3
                return
            } else if !isLong, byte == quote {
                offset += 1
                return
            } else if !isLong, byte == UInt8(ascii: "\n") {
                return
            } else {
                advance()
            }
        }
    }
}
