// Keys of PgBouncer 1.25 and 1.26 that have no effect here, and those that must not be ignored.
// The texts follow "key: " in warnings and errors, and end up in Docs/Configuration.md.

extension SettingKey {
    static let ignored: [SettingKey] = [
        .ignored("pkt_buf", "ignored; buffers have a fixed size and are shared by all clients"),
        .ignored("sbuf_loopcnt", "ignored; each turn serves every ready connection"),
        .ignored("so_reuseport", "ignored; one process uses all cores, see workers"),
        .ignored("job_name", "ignored; the log says pgweir"),
        .ignored("service_name", "ignored; it concerns Windows only"),
        .ignored("conffile", "ignored; the file named at the start is read again at RELOAD"),
        .ignored("dns_zone_check_period", "ignored; names are looked up after dns_max_ttl"),
        .ignored("resolv_conf", "ignored; the system's resolver and its configuration are used"),
        .ignored("suspend_timeout", "ignored; there is no SUSPEND"),
        .ignored("pidfile", "ignored; the process stays in the foreground, systemd knows its id"),
        .ignored("user", "ignored; start the process as that user"),
        .ignored("syslog", unless: ["0"], "ignored; the log goes to standard error or logfile"),
        .ignored("syslog_ident", "ignored; the log goes to standard error or logfile"),
        .ignored("syslog_facility", "ignored; the log goes to standard error or logfile"),
        .ignored(
            "peer_id", unless: ["0"],
            "ignored; one process uses all cores and finds every "
                + "cancel request's server itself"),
        .ignored("auth_ident_file", unless: [""], "ignored; without auth_hba_file it has no use"),
        .ignored("auth_dbname", unless: [""], "ignored; without auth_query it has no use"),
        .ignored(
            "auth_ldap_options", unless: [""], "ignored; without auth_type ldap it has no use"),
        .ignored("client_tls_dheparams", unless: ["auto"], "ignored; OpenSSL chooses"),
        .ignored("client_tls_ecdhcurve", unless: ["auto"], "ignored; OpenSSL chooses"),
        .ignored(
            "track_extra_parameters",
            "ignored; every parameter that the server reports is "
                + "kept per client"),
        .ignored("login_notify_message", unless: [""], "ignored; no such notice is sent"),
        .ignored("pool_idle_timeout", unless: ["0"], "ignored; an empty pool costs nothing"),
        .ignored(
            "server_fast_close", unless: ["0"],
            "ignored; RECONNECT closes a server when its "
                + "client is done with it"),
        .ignored(
            "auth_dbname", in: .database, unless: [""],
            "ignored; without auth_query it has no use"),
    ]

    static let refused: [SettingKey] = [
        .refused(
            "auth_hba_file",
            "not available in this version; it decides who may log in, so "
                + "it is not ignored. Remove it, and restrict addresses with a firewall"
        ),
        .refused(
            "auth_query",
            "not available in this version; it decides who may log in, so it "
                + "is not ignored. Remove it, and list the users in auth_file"),
        .refused(
            "auth_user",
            "not available in this version; it decides who may log in, so it "
                + "is not ignored. Remove it, and list the users in auth_file"),
        .refused(
            "disable_pqexec", unless: ["0"],
            "not available in this version; it forbids "
                + "simple queries, so it is not ignored. Remove it"),
        .refused(
            "auth_query", in: .database,
            "not available in this version; it decides who may "
                + "log in, so it is not ignored. Remove it, and list the users in auth_file"),
        .refused(
            "auth_user", in: .database,
            "not available in this version; it decides who may "
                + "log in, so it is not ignored. Remove it, and list the users in auth_file"),
    ]
}
