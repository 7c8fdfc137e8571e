internal import Sharding
internal import Worker

/// Which part of a file a key belongs to.
enum Section: String, Sendable, Hashable, CaseIterable {
    /// `[pgweir]`, in an ini file `[pgbouncer]`.
    case service
    case database
    case user
    case cluster
    case shard
    case server
    case map
    case place
    case tenant
    case http
    case log

    func name(in format: Format) -> String {
        switch (self, format) {
        case (.service, _): "[\(format.serviceSection)]"
        case (.database, .toml): "[databases.NAME]"
        case (.database, .ini): "[databases]"
        case (.user, .toml): "[users.NAME]"
        case (.user, .ini): "[users]"
        case (.cluster, _): "[clusters.NAME]"
        case (.shard, _): "[[clusters.NAME.shards]]"
        case (.server, _): "primary = { … } and replicas = [{ … }] of a shard"
        case (.map, _): "[sharding.NAME]"
        case (.place, _): "[[sharding.NAME.place]]"
        case (.tenant, _): "[tenants.NAME]"
        case (.http, _): "[http]"
        case (.log, _): "[log]"
        }
    }
}

/// What becomes of a key's value.
enum Landing: Sendable {
    case draft(Slot<Draft>)
    case database(Slot<DatabaseSettings>)
    case user(Slot<UserSettings>)
    case destination(Slot<WrittenDestination>)
    case shard(Slot<Shard>)
    case server(Slot<ShardServer>)
    case map(Slot<WrittenMap>)
    case place(Slot<MapDescription.Place>)
    case tenant(Slot<WrittenTenant>)
    /// Accepted with a warning, unless written as one of `harmless`.
    case ignored(harmless: [String])
    /// An error, unless written as one of `harmless`: leaving it out would open a door.
    case refused(harmless: [String])
}

/// One key that a file may contain. The tables of these drive reading, SHOW CONFIG, `convert`,
/// the search for the nearest key, and the tables in Docs/Configuration.md.
struct SettingKey: Sendable {
    let name: String
    let section: Section
    let landing: Landing
    /// What it does, its unit, what happens at the limit. For ignored and refused keys: what
    /// happens instead, fit to follow "name: ".
    let meaning: String
    var formats: [Format] = [.ini, .toml]
    /// By RELOAD.
    var isChangeable = true
    /// Its value is shown nowhere.
    var isSecret = false

    /// Only at the next start.
    var atStart: SettingKey {
        var key = self
        key.isChangeable = false
        return key
    }

    var secret: SettingKey {
        var key = self
        key.isSecret = true
        return key
    }

    func only(_ format: Format) -> SettingKey {
        var key = self
        key.formats = [format]
        return key
    }

    func isIn(_ format: Format) -> Bool { formats.contains(format) }
}

extension SettingKey {
    static func service<Stored>(
        _ name: String, _ path: any WritableKeyPath<Draft, Stored> & Sendable, _ kind: Kind<Stored>,
        _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: .service, landing: .draft(.always(path, kind)), meaning: meaning)
    }

    static func database<Stored>(
        _ name: String, _ path: any WritableKeyPath<DatabaseSettings, Stored?> & Sendable,
        _ kind: Kind<Stored>, unsetBy inherits: Inherits = .never, _ meaning: String
    ) -> SettingKey {
        let slot = Slot.override(path, kind, unsetBy: inherits)
        return SettingKey(
            name: name, section: .database, landing: .database(slot), meaning: meaning)
    }

    static func user<Stored>(
        _ name: String, _ path: any WritableKeyPath<UserSettings, Stored?> & Sendable,
        _ kind: Kind<Stored>, unsetBy inherits: Inherits, _ meaning: String
    ) -> SettingKey {
        let slot = Slot.override(path, kind, unsetBy: inherits)
        return SettingKey(name: name, section: .user, landing: .user(slot), meaning: meaning)
    }

    static func ignored(
        _ name: String, in section: Section = .service, unless harmless: [String] = [],
        _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: section, landing: .ignored(harmless: harmless), meaning: meaning)
    }

    static func refused(
        _ name: String, in section: Section = .service, unless harmless: [String] = [""],
        _ meaning: String
    ) -> SettingKey {
        SettingKey(
            name: name, section: section, landing: .refused(harmless: harmless), meaning: meaning)
    }
}

/// Keys on one subject: a heading of Docs/Configuration.md.
struct KeyGroup: Sendable {
    let title: String
    let keys: [SettingKey]
}

extension SettingKey {
    /// Everything that a file may contain.
    static let groups: [KeyGroup] = [
        KeyGroup(title: "Listening", keys: listening),
        KeyGroup(title: "Threads and limits", keys: limits),
        KeyGroup(title: "Pools", keys: pools),
        KeyGroup(title: "Server connections", keys: servers),
        KeyGroup(title: "Timeouts", keys: timeouts),
        KeyGroup(title: "Who may log in", keys: authentication),
        KeyGroup(title: "TLS towards clients", keys: clientTLS),
        KeyGroup(title: "TLS towards servers", keys: serverTLS),
        KeyGroup(title: "TCP", keys: tcp),
        KeyGroup(title: "What is logged", keys: logging),
        KeyGroup(title: "Databases", keys: databases + destinations),
        KeyGroup(title: "Users", keys: users),
        KeyGroup(title: "Shards", keys: shards),
        KeyGroup(title: "Servers of a shard", keys: shardServers),
        KeyGroup(title: "Sharding maps", keys: maps),
        KeyGroup(title: "Places in a sharding map", keys: places),
        KeyGroup(title: "Tenants", keys: tenants),
        KeyGroup(title: "HTTP", keys: http),
        KeyGroup(title: "Log", keys: log),
        KeyGroup(title: "Accepted and ignored", keys: ignored),
        KeyGroup(title: "Refused", keys: refused),
    ]

    static let all: [SettingKey] = groups.flatMap(\.keys)

    static func named(_ name: String, in section: Section) -> SettingKey? {
        all.first { $0.name == name && $0.section == section }
    }
}
