internal import TOMLKit

/// Cuts our TOML file into entries.
struct TOMLReader {
    private var parsed = ParsedFile()
    private let name: String
    private let lines: TOMLLines

    static func read(text: String, name: String) -> ParsedFile {
        var reader = TOMLReader(name: name, lines: TOMLLines(text))
        reader.take(text)
        reader.parsed.entries.sort { $0.position.line < $1.position.line }
        return reader.parsed
    }

    private init(name: String, lines: TOMLLines) {
        self.name = name
        self.lines = lines
    }

    private func position(_ path: [String]) -> Position {
        Position(file: name, line: lines.line(of: path))
    }

    private mutating func fail(_ path: [String], _ key: String?, _ message: String) {
        parsed.problems.append(position(path).problem(key, message))
    }

    private mutating func take(_ text: String) {
        for key in lines.repeated {
            let position = Position(file: name, line: key.second)
            let what = key.path.joined(separator: ".")
            parsed.problems.append(
                position.problem(what, "written twice, first on line \(key.first)"))
        }
        // The parser would refuse the second one too, or cut the text at the zero.
        guard parsed.problems.isEmpty else { return }
        guard !text.contains("\0"), !text.contains("\\u0000"), !text.contains("\\U00000000") else {
            return fail([], nil, "zero characters are not allowed")
        }
        do {
            takeRoot(try TOMLTable(string: text))
        } catch {
            let line = (error as? TOMLParseError)?.source.begin.line ?? 1
            let reason = (error as? TOMLParseError)?.description ?? "not TOML"
            parsed.problems.append(
                Position(file: name, line: max(line, 1)).problem(nil, reason))
        }
    }

    private mutating func takeRoot(_ root: TOMLTable) {
        let known = [
            "pgweir", "databases", "users", "clusters", "sharding", "tenants", "http", "log",
        ]
        for section in root.keys {
            guard known.contains(section) else {
                refuse(section, known: known)
                continue
            }
            guard let table = root[section]?.table else {
                fail([section], section, "expected a table, [\(section)]")
                continue
            }
            switch section {
            case "databases": takeOwners(.database, section, table)
            case "users": takeOwners(.user, section, table)
            case "clusters": takeOwners(.cluster, section, table)
            case "sharding": takeOwners(.map, section, table)
            case "tenants": takeOwners(.tenant, section, table)
            case "http": takeKeys(.http, "", [section], table)
            case "log": takeKeys(.log, "", [section], table)
            case _: takeKeys(.service, "", [section], table)
            }
        }
    }

    private mutating func refuse(_ section: String, known: [String]) {
        if section == "pgbouncer" {
            return fail([section], section, "unknown section; here it is [pgweir]")
        }
        if SettingKey.named(section, in: .service) != nil {
            return fail([section], section, "belongs in [pgweir]")
        }
        let hint = nearest(to: section, among: known).map { "did you mean [\($0)]?" }
        let all = "known are " + known.map { "[\($0)]" }.joined(separator: ", ")
        fail([section], section, "unknown section; \(hint ?? all)")
    }

    private mutating func takeOwners(_ section: Section, _ name: String, _ table: TOMLTable) {
        for owner in table.keys {
            let path = [name, owner]
            guard let keys = table[owner]?.table else {
                fail(path, owner, "expected a table, [\(name).\(owner)]")
                continue
            }
            parsed.owners.append((section, owner, position(path)))
            takeKeys(section, owner, path, keys)
        }
    }

    /// What stands inside of `owner`: tables of their own, each with keys of its own.
    private static func parts(of section: Section) -> [String: Section] {
        switch section {
        case .cluster: ["shards": .shard]
        case .shard: ["primary": .server, "replicas": .server]
        case .map: ["place": .place]
        case .service, .database, .user, .server, .place, .tenant, .http, .log: [:]
        }
    }

    private mutating func takePart(
        _ section: Section, _ owner: String, _ path: [String], _ key: String,
        _ value: any TOMLValueConvertible
    ) {
        let place = Part.path(of: owner, key)
        if let table = value.table, key == "primary" {
            return takePart(section, place, path, table)
        }
        let items = value.array.map { Array($0) } ?? []
        guard value.type == .array, key != "primary", items.allSatisfy({ $0.type == .table }) else {
            let expected = key == "primary" ? "a table" : "a list of tables"
            return fail(path, key, "expected \(expected), \(section.name(in: .toml))")
        }
        for (index, item) in items.enumerated() {
            guard let table = item.table else { continue }
            takePart(
                section, Part.path(of: place, "\(index)"), path + [TOMLLines.element(index)], table)
        }
    }

    private mutating func takePart(
        _ section: Section, _ owner: String, _ path: [String], _ table: TOMLTable
    ) {
        parsed.owners.append((section, owner, position(path)))
        takeKeys(section, owner, path, table)
    }

    private mutating func takeKeys(
        _ section: Section, _ owner: String, _ path: [String], _ table: TOMLTable
    ) {
        for key in table.keys {
            guard let value = table[key] else { continue }
            if let part = TOMLReader.parts(of: section)[key] {
                takePart(part, owner, path + [key], key, value)
                continue
            }
            parsed.entries.append(
                Entry(
                    section: section, owner: owner, key: key,
                    value: TOMLReader.written(value), position: position(path + [key])))
        }
    }

    private static func pairs(_ table: TOMLTable?) -> [WrittenPair] {
        guard let table else { return [] }
        return table.keys.sorted().compactMap { name in
            table[name].map { WrittenPair(name: name, value: written($0)) }
        }
    }

    static func written(_ value: any TOMLValueConvertible) -> WrittenValue {
        switch value.type {
        case .string: value.string.map { .string($0) } ?? .unfitting("text")
        case .int: value.int.map { .integer($0) } ?? .unfitting("number")
        case .double: value.double.map { .number($0) } ?? .unfitting("number")
        case .bool: value.bool.map { .boolean($0) } ?? .unfitting("boolean")
        case .array:
            .list((value.array.map { Array($0) } ?? []).map { TOMLReader.written($0) })
        case .table: .table(pairs(value.table))
        case .date, .time, .dateTime: .unfitting("date")
        }
    }
}
