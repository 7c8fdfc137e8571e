// Keys of [databases], [users], [http] and [log]. The texts end up in Docs/Configuration.md.

internal import Pooling
internal import Worker

extension SettingKey {
    static let databases: [SettingKey] = [
        SettingKey(
            name: "host", section: .database, landing: .database(.always(\.hosts, .list)),
            meaning: "Host names, addresses, or directories of unix sockets (`/…`, `@…`), a list "
                + "or separated by commas. Unset = `/var/run/postgresql`."),
        SettingKey(
            name: "port", section: .database, landing: .database(.always(\.ports, .ports)),
            meaning: "One port for all hosts, or a list with one per host."),
        .database(
            "dbname", \.name, .text, "Name on the server. Unset = the name that the client used."),
        .database(
            "user", \.forcedUser, .text,
            "Log in to the server as this user, whoever the client is; all clients share one "
                + "pool. Unset = as the client's user."),
        .database(
            "password", \.forcedPassword, .text,
            "Password of `user`. Unset = from `auth_file`. Shown nowhere."
        ).secret,
        SettingKey(
            name: "load_balance_hosts", section: .database,
            landing: .database(
                .always(\.balancesHosts, .words(true: "round-robin", false: "disable"))),
            meaning: "`round-robin` = hosts in turn; `disable` = the first until it fails."),
        .database("pool_mode", \.mode, .choice, "For this database."),
        .database(
            "pool_size", \.serversMax, .count(1...1_000_000), unsetBy: .negative,
            "Instead of `default_pool_size`. -1 = unset."),
        .database(
            "min_pool_size", \.serversMin, .count(0...1_000_000), unsetBy: .negative,
            "For this database. -1 = unset."),
        .database(
            "reserve_pool_size", \.reserveMax, .count(0...1_000_000), unsetBy: .negative,
            "For this database. -1 = unset."),
        .database(
            "max_db_connections", \.databaseServersMax, .count(1...1_000_000),
            unsetBy: .zeroAndNegative, "For this database. 0 = unset."),
        .database(
            "max_db_client_connections", \.databaseClientsMax, .count(1...10_000_000),
            unsetBy: .zeroAndNegative, "For this database. 0 = unset."),
        .database(
            "server_lifetime", \.serverLifetime, .duration, unsetBy: .zeroAndNegative,
            "For this database, seconds. 0 = unset."),
        .database(
            "query_wait_timeout", \.queryWaitTimeout, .duration,
            "For this database, seconds. 0 = for ever."),
        .database(
            "connect_query", \.connectQuery, .text,
            "Sent after each login to the server. An error is logged and otherwise ignored."),
        .database(
            "client_encoding", \.startupParameters["client_encoding"], .text,
            "Set on each server connection."),
        .database(
            "datestyle", \.startupParameters["datestyle"], .text, "Set on each server connection."),
        .database(
            "timezone", \.startupParameters["timezone"], .text, "Set on each server connection."),
        .database(
            "application_name", \.startupParameters["application_name"], .text,
            "Set on each server connection."),
    ]

    static let users: [SettingKey] = [
        .user("pool_mode", \.mode, .choice, unsetBy: .never, "For this user."),
        .user(
            "pool_size", \.serversMax, .count(1...1_000_000), unsetBy: .negative,
            "For this user's pool in each database. -1 = unset."),
        .user(
            "reserve_pool_size", \.reserveMax, .count(0...1_000_000), unsetBy: .negative,
            "For this user's pool in each database. -1 = unset."),
        .user(
            "max_user_connections", \.userServersMax, .count(1...1_000_000),
            unsetBy: .zeroAndNegative, "For this user. 0 = unset."),
        .user(
            "max_user_client_connections", \.userClientsMax, .count(1...10_000_000),
            unsetBy: .zeroAndNegative, "For this user. 0 = unset."),
        .user(
            "query_timeout", \.queryTimeout, .duration, unsetBy: .zeroAndNegative,
            "For this user, seconds. 0 = unset."),
        .user(
            "query_wait_timeout", \.queryWaitTimeout, .duration, unsetBy: .never,
            "For this user, seconds. 0 = for ever."),
        .user(
            "idle_transaction_timeout", \.idleTransactionTimeout, .duration,
            unsetBy: .zeroAndNegative, "For this user, seconds. 0 = unset."),
        .user(
            "transaction_timeout", \.transactionTimeout, .duration, unsetBy: .zeroAndNegative,
            "For this user, seconds. 0 = unset."),
        .user(
            "client_idle_timeout", \.clientIdleTimeout, .duration, unsetBy: .zeroAndNegative,
            "For this user, seconds. 0 = unset."),
    ]

    static let http: [SettingKey] = [
        SettingKey(
            name: "listen", section: .http, landing: .draft(.always(\.http, .endpoint)),
            meaning: "Reserved for metrics and health checks. Not available in this version: any "
                + "address is an error.",
            formats: [.toml], isChangeable: false)
    ]

    static let log: [SettingKey] = [
        SettingKey(
            name: "level", section: .log, landing: .draft(.always(\.log.level, .choice)),
            meaning: "Least important messages to log: `trace`, `debug`, `info`, `notice`, "
                + "`warning`, `error`.",
            formats: [.toml]),
        SettingKey(
            name: "format", section: .log, landing: .draft(.always(\.log.format, .choice)),
            meaning: "`text`, or `json` = one object per line.", formats: [.toml]),
        SettingKey(
            name: "file", section: .log, landing: .draft(.always(\.log.file, .path)),
            meaning: logFileMeaning, formats: [.toml]),
    ]
}

/// Of `logfile` and of `file` in [log].
let logFileMeaning =
    "File that log lines are appended to; opened again at RELOAD and SIGHUP, so that it can be "
    + "rotated. Empty = standard error."

extension Kind<HTTPSettings?> {
    /// "ADDRESS:PORT"; "" = none.
    static var endpoint: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                let text = try value.text()
                guard !text.isEmpty else { return nil }
                guard let colon = text.lastIndex(of: ":"),
                    let port = UInt16(text[text.index(after: colon)...])
                else { throw Complaint("expected \"ADDRESS:PORT\", found \(value.quoted)") }
                var address = String(text[..<colon])
                if address.hasPrefix("["), address.hasSuffix("]") {
                    address = String(address.dropFirst().dropLast())
                } else if address.contains(":") {
                    throw Complaint("an IPv6 address needs brackets: \"[::1]:9930\"")
                }
                guard !address.isEmpty else {
                    throw Complaint("no address in \(value.quoted); \"*\" = every address")
                }
                return HTTPSettings(address: address, port: port)
            },
            show: { endpoint in
                guard let endpoint else { return .text("") }
                let address = endpoint.address
                let shown = address.contains(":") ? "[\(address)]" : address
                return .text("\(shown):\(endpoint.port)")
            })
    }
}
