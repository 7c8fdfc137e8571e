public import Sharding
public import Worker

/// What a file said, checked, with every default filled in.
public struct LoadedConfiguration: Sendable, Equatable {
    /// Keys that were accepted and have no effect, with what happens instead.
    public let warnings: [ConfigurationProblem]
    let draft: Draft
    let format: Format
    /// Where relative file names start.
    let directory: String

    public var settings: ServiceSettings { draft.settings }
    public var sharding: ShardingSettings { draft.sharding }
    public var log: LogSettings { draft.log }
    /// nil = no HTTP at all.
    public var http: HTTPSettings? { draft.http }

    /// What is configured rightly and cannot be done yet; nil = nothing.
    public var unavailable: String? {
        for (name, router) in sharding.routers.sorted(by: { $0.key < $1.key }) {
            if router.map.unkeyedReads == .scatter {
                return "[sharding.\(name)]: unkeyed_reads = \"scatter\" is not available in this "
                    + "version; write \"refuse\" or a shard's name"
            }
        }
        return nil
    }

    /// For SHOW CONFIG, sorted by key. Contains no secret.
    public var shown: [ShownSetting] {
        let defaults = Draft(format)
        var shown: [ShownSetting] = []
        for key in SettingKey.all where key.section == .service {
            guard case .draft(let slot) = key.landing, let value = slot.show(draft) else {
                continue
            }
            shown.append(
                ShownSetting(
                    key: key.name, value: key.isSecret ? "***" : value.console,
                    default: slot.show(defaults)?.console ?? "",
                    isChangeable: key.isChangeable))
        }
        return shown.sorted { $0.key < $1.key }
    }
}

/// One row of SHOW CONFIG.
public struct ShownSetting: Sendable, Equatable {
    /// PgBouncer's name, where it has one.
    public let key: String
    /// In PgBouncer's notation: seconds, 0 or 1, lists with commas.
    public let value: String
    public let `default`: String
    /// false: takes effect at the next start only.
    public let isChangeable: Bool
}
