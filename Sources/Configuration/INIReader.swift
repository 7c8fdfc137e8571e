internal import Foundation

/// Cuts pgbouncer.ini, and what it includes, into entries. Source: PgBouncer, pgbouncer.ini(5).
struct INIReader {
    private(set) var parsed = ParsedFile()
    private let directory: String
    private var section: String?
    /// Deeper %include is refused; this also ends files that include themselves.
    private static let includeDepthMax = 10

    /// `directory` is where relative names of included files start.
    static func read(text: String, name: String, directory: String) -> ParsedFile {
        var reader = INIReader(directory: directory)
        reader.take(text: text, name: name, depth: 0)
        return reader.parsed
    }

    private init(directory: String) {
        self.directory = directory
    }

    private mutating func take(text: String, name: String, depth: Int) {
        for (index, rawLine) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = rawLine.trimmingCharacters(in: .whitespacesAndNewlines)
            let position = Position(file: name, line: index + 1)
            if line.isEmpty || line.hasPrefix(";") || line.hasPrefix("#") { continue }
            if line.hasPrefix("%include") {
                include(String(line.dropFirst("%include".count)), at: position, depth: depth)
            } else if line.hasPrefix("[") {
                open(line, at: position)
            } else {
                takePair(line, at: position)
            }
        }
    }

    private mutating func fail(_ position: Position, _ key: String?, _ message: String) {
        parsed.problems.append(position.problem(key, message))
    }

    private mutating func include(_ rest: String, at position: Position, depth: Int) {
        let file = rest.trimmingCharacters(in: .whitespaces)
        guard !file.isEmpty, rest.first?.isWhitespace == true else {
            return fail(position, nil, "expected %include FILE")
        }
        guard depth < INIReader.includeDepthMax else {
            return fail(position, nil, "%include is nested too deep; does \(file) include itself?")
        }
        let path = Place(directory: directory).resolve(file)
        switch readText(path) {
        case .success(let text): take(text: text, name: path, depth: depth + 1)
        case .failure(let complaint): fail(position, nil, "%include \(file): \(complaint.message)")
        }
    }

    private mutating func open(_ line: String, at position: Position) {
        let known = ["databases", "users", "peers", "pgbouncer"]
        let name = String(line.dropFirst().dropLast())
        guard line.hasSuffix("]"), known.contains(name) else {
            section = nil
            let hint = nearest(to: name, among: known).map { "; did you mean [\($0)]?" } ?? ""
            return fail(position, nil, "unknown section \(line)\(hint)")
        }
        section = name
    }

    private mutating func takePair(_ line: String, at position: Position) {
        var rest = Substring(line)
        guard let name = INIReader.name(&rest), rest.first == "=" else {
            return fail(position, nil, "expected key = value")
        }
        let value = rest.dropFirst().trimmingCharacters(in: .whitespaces)
        switch section {
        case "pgbouncer":
            add(.service, owner: "", name, value, position)
        case "databases":
            takeConnection(.database, name, value, position)
        case "users":
            takeConnection(.user, name, value, position)
        case "peers":
            parsed.warnings.append(
                position.problem(name, "ignored; one process uses all cores and needs no peers"))
        case _:
            // Of an unknown section only the header is reported.
            if parsed.problems.isEmpty { fail(position, name, "stands before any [section]") }
        }
    }

    private mutating func add(
        _ section: Section, owner: String, _ key: String, _ value: String, _ position: Position
    ) {
        parsed.entries.append(
            Entry(
                section: section, owner: owner, key: key, value: .bare(value), position: position))
    }

    /// `name = key=value key='quoted ''value'''`. Errors do not show the text: it may hold a
    /// password.
    private mutating func takeConnection(
        _ section: Section, _ owner: String, _ text: String, _ position: Position
    ) {
        let isRepeated = parsed.owners.contains { $0.section == section && $0.name == owner }
        parsed.owners.append((section, owner, position))
        // The name is reported as repeated; its keys would only add noise.
        if isRepeated { return }
        var rest = text[...]
        while true {
            rest = rest.drop(while: \.isWhitespace)
            if rest.isEmpty { return }
            let key = String(rest.prefix { $0 != "=" && !$0.isWhitespace })
            rest = rest.dropFirst(key.count).drop(while: \.isWhitespace)
            guard !key.isEmpty, rest.first == "=" else {
                return fail(position, owner, "expected key=value pairs, blanks between them")
            }
            rest = rest.dropFirst().drop(while: \.isWhitespace)
            if rest.first == "'" {
                guard let value = INIReader.quoted(&rest, by: "'") else {
                    return fail(position, key, "the quote ' does not end")
                }
                add(section, owner: owner, key, value, position)
            } else {
                let value = String(rest.prefix { !$0.isWhitespace })
                rest = rest.dropFirst(value.count)
                add(section, owner: owner, key, value, position)
            }
        }
    }

    /// A bare name, or one in double quotes, and the blanks behind it.
    private static func name(_ rest: inout Substring) -> String? {
        var name: String?
        if rest.first == "\"" {
            name = quoted(&rest, by: "\"")
        } else {
            let bare = rest.prefix { $0 != "=" && !$0.isWhitespace }
            rest = rest.dropFirst(bare.count)
            name = bare.isEmpty ? nil : String(bare)
        }
        rest = rest.drop(while: \.isWhitespace)
        return name
    }

    /// Text between quotes, in which a doubled quote stands for one. nil = it does not end.
    private static func quoted(_ rest: inout Substring, by quote: Character) -> String? {
        var value = ""
        rest = rest.dropFirst()
        while let character = rest.first {
            rest = rest.dropFirst()
            if character != quote {
                value.append(character)
            } else if rest.first == quote {
                value.append(quote)
                rest = rest.dropFirst()
            } else {
                return value
            }
        }
        return nil
    }
}

/// The text of a file, or why there is none.
func readText(_ path: String) -> Result<String, Complaint> {
    guard FileManager.default.fileExists(atPath: path) else {
        return .failure(Complaint("\(path) does not exist"))
    }
    guard let bytes = FileManager.default.contents(atPath: path) else {
        return .failure(Complaint("\(path) cannot be read"))
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        return .failure(Complaint("\(path) is not UTF-8 text"))
    }
    return .success(text)
}
