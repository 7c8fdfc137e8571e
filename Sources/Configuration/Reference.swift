internal import Sharding
internal import Worker

/// The tables of Docs/Configuration.md, made from the tables of keys.
enum Reference {
    /// Markdown: one heading and table per group of keys.
    static func markdown() -> String {
        SettingKey.groups.map { group in
            let rows = group.keys.map(row).joined()
            let sections = Set(group.keys.map(\.section))
            let places = Section.allCases.filter { sections.contains($0) }
                .map { "`\($0.name(in: .toml))`" }
            return "### \(group.title)\n\nIn \(places.joined(separator: " and ")).\n\n"
                + "| key | default | meaning |\n|---|---|---|\n" + rows
        }
        .joined(separator: "\n")
    }

    private static func row(_ key: SettingKey) -> String {
        var meaning = key.meaning
        if !meaning.hasSuffix(".") { meaning += "." }
        if key.formats == [.toml] { meaning += " TOML only." }
        if key.formats == [.ini] { meaning += " Ini files only." }
        if !key.isChangeable { meaning += " *Read at the start only.*" }
        return "| `\(key.name)` | \(standard(key)) | \(meaning) |\n"
    }

    private static func standard(_ value: ShownValue?) -> String {
        let text = value?.console ?? ""
        return text.isEmpty ? "unset" : "`\(text)`"
    }

    private static func standard(_ key: SettingKey) -> String {
        switch key.landing {
        case .draft(let slot):
            let shown = key.formats.map { format in
                let value = slot.show(Draft(format))?.console ?? ""
                return value.isEmpty ? "empty" : "`\(value)`"
            }
            if shown.count == 2, shown[0] != shown[1] { return "\(shown[1]); ini: \(shown[0])" }
            return shown[0]
        case .database(let slot):
            let value = slot.show(DatabaseSettings())?.console ?? ""
            return value.isEmpty ? "unset" : "`\(value)`"
        case .map(let slot): return standard(slot.show(WrittenMap()))
        case .place(let slot): return standard(slot.show(.init(shard: "")))
        case .tenant(let slot): return standard(slot.show(WrittenTenant()))
        case .shard(let slot): return standard(slot.show(Shard()))
        case .server(let slot): return standard(slot.show(ShardServer()))
        case .user, .destination:
            return "unset"
        case .ignored, .refused:
            return "–"
        }
    }
}
