internal import Authentication
internal import Pooling
internal import Session
internal import Sharding
internal import Worker

/// Which of the two notations a file is in. They share the keys, and differ in some defaults.
enum Format: Sendable {
    /// pgbouncer.ini.
    case ini
    case toml

    /// Name of the section for what concerns the whole service.
    var serviceSection: String {
        switch self {
        case .ini: "pgbouncer"
        case .toml: "pgweir"
        }
    }
}

/// The configuration while it is being read.
struct Draft: Sendable, Equatable {
    var settings = ServiceSettings()
    var sharding: ShardingSettings {
        get { settings.sharding }
        set { settings.sharding = newValue }
    }
    var log = LogSettings()
    var http: HTTPSettings?
    /// Read when everything else is known.
    var authFile: String?

    /// The defaults: PgBouncer's in an ini file, ours in TOML.
    init(_ format: Format) {
        settings.session.mode = .session
        settings.clientsMax = 100
        settings.authentication.method = .md5
        settings.listen.addresses = []
        guard format == .toml else { return }
        settings.session.mode = .transaction
        settings.clientsMax = 10_000
        settings.authentication.method = .scramSHA256
        settings.listen.addresses = ["127.0.0.1"]
    }
}
