// Keys of [pgweir] and [pgbouncer] on logins, TLS, TCP and logging.
// The texts end up in Docs/Configuration.md.

internal import Authentication
internal import TLS
internal import Worker

extension SettingKey {
    static let authentication: [SettingKey] = [
        .service(
            "auth_type", \.settings.authentication.method, .method,
            "How clients prove who they are: `scram-sha-256`, `md5` (SCRAM for users whose secret "
                + "is SCRAM's), `plain` (the password itself travels), `trust` (no proof, but the "
                + "user must be in `auth_file`), `any` (no proof, any user; each database needs "
                + "`user`)."),
        .service(
            "auth_file", \.authFile, .readableFile,
            "Users and their secrets, one `\"user\" \"secret\"` per line. A secret is a password, "
                + "`md5` and 32 digits, or `SCRAM-SHA-256$…` as in `pg_authid`. Required unless "
                + "`auth_type` is `any`. Read again at RELOAD."),
        .service(
            "scram_iterations", \.settings.authentication.scramIterations, .count(1...1_000_000),
            "Iterations of the SCRAM secrets that are made of plain passwords. More = slower for "
                + "attackers and for logins."),
        .service(
            "admin_users", \.settings.adminUsers, .list,
            "Users who may do everything on the console, a list or separated by commas."),
        .service(
            "stats_users", \.settings.statsUsers, .list,
            "Users who may use SHOW on the console, a list or separated by commas."),
        .service(
            "error_sqlstate", \.settings.usesFittingSQLStates,
            .words(true: "fitting", false: "pgbouncer"),
            "SQLSTATE of our refusals: `fitting` = the one that PostgreSQL would use, such as "
                + "53300; `pgbouncer` = always 08P01."
        ).only(.toml),
    ]

    static let clientTLS: [SettingKey] = [
        .service(
            "client_tls_sslmode", \.settings.clientTLS.mode, .choice,
            "`disable` = no TLS; `allow`, `prefer` = if the client asks; `require` = others are "
                + "refused; `verify-ca`, `verify-full` = the client must also show a certificate "
                + "signed by `client_tls_ca_file`."),
        .service(
            "client_tls_cert_file", \.settings.clientTLS.certificateFile, .readableFile,
            "Our certificate and its chain, PEM. Required unless TLS is disabled."),
        .service(
            "client_tls_key_file", \.settings.clientTLS.keyFile, .readableFile,
            "Key of that certificate, PEM."),
        .service(
            "client_tls_ca_file", \.settings.clientTLS.authorityFile, .readableFile,
            "Authorities whose client certificates are accepted, PEM."),
        .service(
            "client_tls_protocols", \.settings.clientTLS.protocols, .protocols,
            "`secure` = TLS 1.2 and 1.3; `all`; or names such as `tlsv1.3`, separated by commas."),
        .service(
            "client_tls_ciphers", \.settings.clientTLS.ciphers, .text,
            "Ciphers for TLS 1.2 in OpenSSL's notation. `default` = OpenSSL's choice."),
        .service(
            "client_tls13_ciphers", \.settings.clientTLS.cipherSuites, .textOrNone,
            "Cipher suites for TLS 1.3 in OpenSSL's notation. Empty = OpenSSL's choice."),
    ]

    static let serverTLS: [SettingKey] = [
        .service(
            "server_tls_sslmode", \.settings.serverTLS.mode, .choice,
            "As libpq's `sslmode`: `disable`, `allow`, `prefer` = TLS if the server has it, "
                + "`require`, `verify-ca` = and its certificate is checked, `verify-full` = and "
                + "its name. Not used on unix sockets."),
        .service(
            "server_tls_cert_file", \.settings.serverTLS.certificateFile, .readableFile,
            "Certificate that we show to servers, PEM."),
        .service(
            "server_tls_key_file", \.settings.serverTLS.keyFile, .readableFile,
            "Key of that certificate, PEM."),
        .service(
            "server_tls_ca_file", \.settings.serverTLS.authorityFile, .readableFile,
            "Authorities whose server certificates are accepted, PEM."),
        .service(
            "server_tls_protocols", \.settings.serverTLS.protocols, .protocols,
            "As `client_tls_protocols`."),
        .service(
            "server_tls_ciphers", \.settings.serverTLS.ciphers, .text, "As `client_tls_ciphers`."),
        .service(
            "server_tls13_ciphers", \.settings.serverTLS.cipherSuites, .textOrNone,
            "As `client_tls13_ciphers`."),
    ]

    static let tcp: [SettingKey] = [
        .service(
            "tcp_keepalive", \.settings.tcp.isKeepaliveOn, .flag,
            "Let the kernel find out that a silent peer has gone."),
        .service(
            "tcp_keepidle", \.settings.tcp.keepaliveIdle, .duration,
            "Seconds of silence before the first probe. 0 = the kernel's value."),
        .service(
            "tcp_keepintvl", \.settings.tcp.keepaliveInterval, .duration,
            "Seconds between probes. 0 = the kernel's value."),
        .service(
            "tcp_keepcnt", \.settings.tcp.keepaliveCount, .count(0...127),
            "Probes without an answer until the connection is closed. 0 = the kernel's value."),
        .service(
            "tcp_user_timeout", \.settings.tcp.userTimeout, .milliseconds,
            "How long sent bytes may stay unacknowledged until the connection is closed. In an "
                + "ini file milliseconds, in TOML with a unit: `\"30s\"`. 0 = the kernel's value."),
        .service(
            "tcp_socket_buffer", \.settings.tcp.socketBufferByteCount, .count(0...1_073_741_824),
            "Send and receive buffer of each socket, in bytes. 0 = the kernel's value."),
        .service(
            "tcp_defer_accept", \.settings.tcp.deferAccept, .deferAccept,
            "Seconds for which the kernel keeps a new TCP connection that sends nothing from us; "
                + "`client_login_timeout` starts after them. 1 = 45 seconds; 0 = off."
        ).atStart,
    ]

    static let logging: [SettingKey] = [
        .service("log_connections", \.settings.logsConnections, .flag, "Log each login."),
        .service(
            "log_disconnections", \.settings.logsDisconnections, .flag,
            "Log each disconnection with its reason."),
        .service(
            "log_pooler_errors", \.settings.logsPoolerErrors, .flag,
            "Log the errors that we send to clients."),
        .service(
            "log_stats", \.settings.logsStats, .flag,
            "Log a line with the averages of all databases each `stats_period`."),
        .service(
            "logfile", \.log.file, .path,
            logFileMeaning + " In TOML: `file` in [log]."
        ).only(.ini),
        .service(
            "verbose", \.log.level, .verbosity,
            "0 = level info, 1 = debug, 2 and more = trace. In TOML: `level` in [log]."
        ).only(.ini),
    ]
}

extension Kind<AuthenticationMethod> {
    /// Says of PgBouncer's other methods that they are known and not there.
    static var method: Kind {
        let choice = Kind.choice
        return Kind(
            read: { (value, place) throws(Complaint) in
                if let text = try? value.text(),
                    ["hba", "cert", "pam", "ldap", "peer"].contains(text)
                {
                    let allowed = AuthenticationMethod.allCases.map(\.rawValue)
                    throw Complaint(
                        "\"\(text)\" is not available in this version; available: "
                            + allowed.joined(separator: ", "))
                }
                return try choice.read(value, place)
            },
            show: choice.show)
    }
}

extension Kind<String> {
    /// "secure", "all", or names of versions, separated by commas or colons, in any case.
    static var protocols: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                let text = try value.text()
                let known = [
                    "secure", "default", "all", "legacy",
                    "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3",
                ]
                let names = text.split { $0 == "," || $0 == ":" }
                    .map { $0.lowercased().filter { $0 != " " } }
                guard !names.isEmpty, names.allSatisfy({ known.contains($0) }) else {
                    throw Complaint(
                        "\(value.quoted) is not a list of \(known.joined(separator: ", "))")
                }
                return text
            },
            show: { .text($0) })
    }
}

extension Kind<LogLevel> {
    /// PgBouncer's `verbose`.
    static var verbosity: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                switch try value.integer(in: 0...100) {
                case 0: .info
                case 1: .debug
                case _: .trace
                }
            },
            show: { level in
                switch level {
                case .trace: .integer(2)
                case .debug: .integer(1)
                case .info, .notice, .warning, .error: .integer(0)
                }
            })
    }
}
