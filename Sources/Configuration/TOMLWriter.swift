internal import Worker

/// Writes a configuration as TOML: what differs from TOML's defaults.
enum TOMLWriter {
    static func text(
        _ draft: Draft, warnings: [ConfigurationProblem], directory: String
    ) -> String {
        var text = "# Made by pgweir convert. Keys that are not here have their default.\n"
        for warning in warnings {
            let key = warning.key.map { "\($0): " } ?? ""
            text += "# Left out: \(key)\(warning.message)\n"
        }
        text += table("pgweir", .service, draft, directory, isAlways: true)
        for name in draft.settings.databases.keys.sorted() {
            if let database = draft.settings.databases[name] {
                text += owner("databases", name, .database, database, .init(), directory)
            }
        }
        if let database = draft.settings.wildcardDatabase {
            text += owner("databases", "*", .database, database, .init(), directory)
        }
        for name in draft.settings.users.keys.sorted() {
            if let user = draft.settings.users[name] {
                text += owner("users", name, .user, user, .init(), directory)
            }
        }
        text += table("http", .http, draft, directory, isAlways: false)
        text += table("log", .log, draft, directory, isAlways: false)
        return text
    }

    private static func table(
        _ name: String, _ section: Section, _ draft: Draft, _ directory: String, isAlways: Bool
    ) -> String {
        let defaults = Draft(.toml)
        var lines = ""
        for key in SettingKey.all where key.section == section && key.isIn(.toml) {
            guard case .draft(let slot) = key.landing else { continue }
            lines += line(key, slot.show(draft), slot.show(defaults), directory)
        }
        return lines.isEmpty && !isAlways ? "" : "\n[\(name)]\n" + lines
    }

    private static func owner<Target>(
        _ table: String, _ name: String, _ section: Section, _ target: Target, _ defaults: Target,
        _ directory: String
    ) -> String {
        var text = "\n[\(table).\(bareOrQuoted(name))]\n"
        for key in SettingKey.all where key.section == section && key.isIn(.toml) {
            switch key.landing {
            case .database(let slot):
                guard let target = target as? DatabaseSettings else { continue }
                text += line(key, slot.show(target), slot.show(.init()), directory)
            case .user(let slot):
                guard let target = target as? UserSettings else { continue }
                text += line(key, slot.show(target), slot.show(.init()), directory)
            case .draft, .destination, .shard, .server, .map, .place, .tenant, .ignored, .refused:
                continue
            }
        }
        return text
    }

    private static func line(
        _ key: SettingKey, _ value: ShownValue?, _ standard: ShownValue?, _ directory: String
    ) -> String {
        guard let value, value != standard else { return "" }
        return "\(key.name) = \(value.toml(in: directory))\n"
    }

    private static func bareOrQuoted(_ name: String) -> String {
        let isBare = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            case _: false
            }
        }
        return isBare ? name : tomlQuoted(name)
    }
}
