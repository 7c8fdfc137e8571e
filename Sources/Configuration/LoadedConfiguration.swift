public import Worker

/// What a file said, checked, with every default filled in.
public struct LoadedConfiguration: Sendable, Equatable {
    public let settings: ServiceSettings
    /// Keys that were accepted and have no effect, with what happens instead.
    public let warnings: [ConfigurationProblem]
    /// For SHOW CONFIG, sorted by key. Contains no secret.
    public let shown: [ShownSetting]
    public let log: LogSettings
    /// nil = no HTTP at all.
    public let http: HTTPSettings?
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
