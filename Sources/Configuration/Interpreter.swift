internal import Sharding
internal import Worker

/// Fills the settings from entries. Collects every problem instead of stopping at the first.
struct Interpreter {
    let format: Format
    let place: Place
    /// As the operator named it.
    let file: String
    var draft: Draft
    var databases: [String: DatabaseSettings] = [:]
    var users: [String: UserSettings] = [:]
    var written = WrittenSharding()
    var problems: [ConfigurationProblem]
    var warnings: [ConfigurationProblem]
    /// Where each key of each owner was said.
    private var positions: [Path: Position] = [:]

    /// `key` is nil for the database or user as a whole.
    struct Path: Hashable {
        let section: Section
        let owner: String
        let key: String?
    }

    init(_ parsed: ParsedFile, format: Format, file: String, directory: String) {
        self.format = format
        self.file = file
        place = Place(directory: directory)
        draft = Draft(format)
        problems = parsed.problems
        warnings = parsed.warnings
        for owner in parsed.owners { open(owner.section, owner.name, owner.position) }
        for entry in parsed.entries { take(entry) }
    }

    /// Where `key` was said; else where its owner was; else the top of the file.
    func position(_ section: Section, owner: String = "", _ key: String? = nil) -> Position {
        positions[Path(section: section, owner: owner, key: key)]
            ?? positions[Path(section: section, owner: owner, key: nil)]
            ?? Position(file: file, line: 1)
    }

    func isSet(_ key: String, in section: Section, owner: String = "") -> Bool {
        positions[Path(section: section, owner: owner, key: key)] != nil
    }

    private mutating func open(_ section: Section, _ name: String, _ position: Position) {
        let path = Path(section: section, owner: name, key: nil)
        if let first = positions[path] {
            problems.append(position.problem(name, twice(first, here: position)))
            return
        }
        positions[path] = position
        guard !name.isEmpty else {
            problems.append(position.problem(nil, "the name is empty"))
            return
        }
        guard section == .database else {
            if section == .user {
                users[name] = UserSettings()
            } else {
                written.open(section, name)
            }
            return
        }
        databases[name] = DatabaseSettings()
        if name == "pgbouncer" || name == "pgweir" {
            problems.append(
                position.problem(name, "this name is the console's; no database can have it"))
        }
    }

    private func twice(_ first: Position, here: Position) -> String {
        let isSameFile = first.file == here.file
        return "written twice, first on "
            + (isSameFile ? "line \(first.line)" : "\(first.file):\(first.line)")
    }

    private mutating func take(_ entry: Entry) {
        let name = entry.section == .database ? aliases[entry.key] ?? entry.key : entry.key
        let path = Path(section: entry.section, owner: entry.owner, key: name)
        if let first = positions[path] {
            problems.append(entry.position.problem(entry.key, twice(first, here: entry.position)))
            return
        }
        positions[path] = entry.position
        guard let key = SettingKey.named(name, in: entry.section), key.isIn(format) else {
            problems.append(entry.position.problem(entry.key, unknown(entry)))
            return
        }
        do throws(Complaint) {
            try land(entry, by: key)
        } catch {
            // The complaint of a secret might quote it.
            let message = key.isSecret ? "not a text" : error.message
            problems.append(entry.position.problem(entry.key, message))
        }
    }

    /// Source: PgBouncer, which takes both.
    private var aliases: [String: String] { ["reserve_pool": "reserve_pool_size"] }

    private mutating func land(_ entry: Entry, by key: SettingKey) throws(Complaint) {
        switch key.landing {
        case .draft(let slot):
            try slot.read(entry.value, place, &draft)
        case .database(let slot):
            try slot.read(entry.value, place, &databases[entry.owner, default: .init()])
        case .user(let slot):
            try slot.read(entry.value, place, &users[entry.owner, default: .init()])
        case .destination(let slot):
            try slot.read(entry.value, place, &written.destinations[entry.owner, default: .init()])
        case .shard(let slot):
            try slot.read(entry.value, place, &written.shards[entry.owner, default: .init()])
        case .server(let slot):
            try slot.read(entry.value, place, &written.servers[entry.owner, default: .init()])
        case .map(let slot):
            try slot.read(entry.value, place, &written.maps[entry.owner, default: .init()])
        case .place(let slot):
            let standard = MapDescription.Place(shard: "")
            try slot.read(entry.value, place, &written.places[entry.owner, default: standard])
        case .tenant(let slot):
            try slot.read(entry.value, place, &written.tenants[entry.owner, default: .init()])
        case .ignored(let harmless):
            guard !harmless.contains(entry.value.plain) else { return }
            warnings.append(entry.position.problem(entry.key, key.meaning))
        case .refused(let harmless):
            guard !harmless.contains(entry.value.plain) else { return }
            problems.append(entry.position.problem(entry.key, key.meaning))
        }
    }

    private func unknown(_ entry: Entry) -> String {
        if let key = SettingKey.named(entry.key, in: entry.section) {
            return format == .ini
                ? "not in ini files, only in TOML; `pgweir convert` makes one of this file"
                : "only in ini files. " + key.meaning
        }
        let homes = SettingKey.all.filter { $0.name == entry.key && $0.isIn(format) }
        if !homes.isEmpty {
            let names = homes.map { $0.section.name(in: format) }
            return "belongs in " + names.joined(separator: " or ")
        }
        let here = SettingKey.all.filter { $0.section == entry.section && $0.isIn(format) }
        if let name = nearest(to: entry.key, among: here.map(\.name)) {
            return "unknown key; did you mean \(name)?"
        }
        let anywhere = SettingKey.all.filter { $0.isIn(format) }
        if let name = nearest(to: entry.key, among: anywhere.map(\.name)),
            let key = anywhere.first(where: { $0.name == name })
        {
            return "unknown key; did you mean \(name) in \(key.section.name(in: format))?"
        }
        return "unknown key"
    }
}

extension WrittenValue {
    /// To compare with the values that an ignored or refused key may have.
    fileprivate var plain: String {
        switch self {
        case .bare(let text), .string(let text): text
        case .integer(let value): "\(value)"
        case .boolean(let value): value ? "1" : "0"
        case .number, .list, .table, .unfitting: quoted
        }
    }
}
