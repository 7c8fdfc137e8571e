// Keys of [pgweir] and [pgbouncer] on listening, limits, pools, servers and time.
// The texts end up in Docs/Configuration.md.

internal import Pooling
internal import Session
internal import Worker

extension SettingKey {
    static let listening: [SettingKey] = [
        .service(
            "listen_addr", \.settings.listen.addresses, .list,
            "Addresses or host names to listen on, a list or separated by commas. `*` = every "
                + "address. Empty = no TCP, only the unix socket."
        ).atStart,
        .service(
            "listen_port", \.settings.listen.port, .count(0...65535),
            "Port, for TCP and in the name of the unix socket. 0 = any free one; the log names it."
        ).atStart,
        .service(
            "listen_backlog", \.settings.listen.backlog, .count(1...65535),
            "Connections that the kernel holds until they are accepted. When full, the kernel "
                + "lets clients retry; it also applies its own limit, `net.core.somaxconn`."
        ).atStart,
        .service(
            "unix_socket_dir", \.settings.listen.unixSocketDirectory, .textOrNone,
            "Directory of the unix socket `.s.PGSQL.PORT`. A leading `@` = abstract socket. "
                + "Empty = none."
        ).atStart,
        .service(
            "unix_socket_mode", \.settings.listen.unixSocketMode, .octal,
            "Permissions of the unix socket, octal; in TOML in quotes."
        ).atStart,
        .service(
            "unix_socket_group", \.settings.listen.unixSocketGroup, .textOrNone,
            "Group of the unix socket. Empty = the group of the process."
        ).atStart,
    ]

    static let limits: [SettingKey] = [
        .service(
            "workers", \.settings.workers, .count(0...127),
            "Threads. 0 = one per core that the process may use. Pool sizes do not depend on it."
        ).atStart.only(.toml),
        .service(
            "io", \.settings.io, .choice,
            "How bytes are moved: `io_uring`, or `auto`, which is the same in this version. "
                + "`epoll` is an error: not available in this version."
        ).atStart.only(.toml),
        .service(
            "max_client_conn", \.settings.clientsMax, .count(1...10_000_000),
            "Most clients, those logging in included. One more is refused with an error. Not "
                + "applied to the console. The limit of open files must be higher: clients plus "
                + "servers plus a hundred."),
        .service(
            "max_db_connections", \.settings.databaseServersMax, .count(0...1_000_000),
            "Most servers per database, all users together; 0 = no limit. When reached, an idle "
                + "server of another user is closed, or clients wait."),
        .service(
            "max_user_connections", \.settings.userServersMax, .count(0...1_000_000),
            "Most servers per user, all databases together; 0 = no limit. When reached, an idle "
                + "server of another database is closed, or clients wait."),
        .service(
            "max_db_client_connections", \.settings.databaseClientsMax, .count(0...10_000_000),
            "Most clients per database; 0 = no limit. One more is refused."),
        .service(
            "max_user_client_connections", \.settings.userClientsMax, .count(0...10_000_000),
            "Most clients per user; 0 = no limit. One more is refused."),
        .service(
            "host_max_connections", \.settings.hostServersMax, .count(0...1_000_000),
            "Most servers on one host and port, all pools together; 0 = no limit. Keep it below "
                + "the server's `max_connections`. When reached, clients wait."
        ).only(.toml),
        .service(
            "max_packet_size", \.settings.messageLengthMax, .count(1024...2_147_483_647),
            "Longest message of a client, in bytes. Who sends a longer one is disconnected."),
        .service(
            "max_prepared_statements", \.settings.session.preparedStatementsMax,
            .count(0...1_000_000),
            "Prepared statements kept on each server connection. When full, the least recently "
                + "used is closed there, and prepared again when it is needed. 0 = statements are "
                + "passed on untouched, which suits session pooling only."),
        .service(
            "pin_policy", \.settings.session.pinPolicy, .choice,
            "In transaction mode, of a client that leaves what no other server has: temporary "
                + "objects, advisory locks, cursors WITH HOLD and the like. `pin` = it keeps its "
                + "server while that is there; `refuse` = it is disconnected."),
        .service(
            "max_pinned_servers", \.settings.session.pinnedMax, .count(0...1_000_000),
            "Servers of one pool that clients may keep so. 0 = no limit."),
        .service(
            "max_channels", \.settings.session.channelsMax, .count(0...1_000_000),
            "Channels of one client that its pool's listener hears for it. A client that listens "
                + "to more keeps its server."
        ).only(.toml),
        .service(
            "max_waiting_notification_bytes", \.settings.session.notificationByteCountMax,
            .count(16_384...1_073_741_824),
            "Bytes of notifications that may wait for one client, which is in a transaction block "
                + "or does not read. Who has more is disconnected."
        ).only(.toml),
        .service(
            "audit_releases", \.settings.session.auditsReleases, .flag,
            "Ask every server after each transaction what is left in its session, whatever the "
                + "texts show; what they did not show is logged. One more query for each "
                + "transaction."),
        .service(
            "function_check_interval", \.settings.session.functionCheckInterval, .duration,
            "How often a database is asked whether functions that leave something in a session, "
                + "and what calls them (triggers, views, defaults), were changed past pgweir. "
                + "0 = functions are not looked into, and what they leave is not seen."
        ).only(.toml),
    ]

    static let pools: [SettingKey] = [
        .service(
            "pool_mode", \.settings.session.mode, .choice,
            "When a server is free for the next client: `session` = when the client leaves, "
                + "`transaction` = when its transaction ends, `statement` = after each statement; "
                + "transaction blocks are refused then."),
        .service(
            "default_pool_size", \.settings.pool.serversMax, .count(1...1_000_000),
            "Most servers per database and user, in the whole process. When all are busy, clients "
                + "wait, at most `query_wait_timeout`."),
        .service(
            "min_pool_size", \.settings.pool.serversMin, .count(0...1_000_000),
            "Servers kept open per database and user while clients are connected."),
        .service(
            "reserve_pool_size", \.settings.pool.reserveMax, .count(0...1_000_000),
            "Servers beyond the pool size for clients that have waited `reserve_pool_timeout`."),
        .service(
            "reserve_pool_timeout", \.settings.pool.reserveAfter, .duration,
            "Seconds a client waits before the reserve is used. 0 = the reserve is not used."),
        .service(
            "max_waiting_clients", \.settings.pool.waitingMax, .count(0...10_000_000),
            "Most clients that wait for a server of one pool. One more gets an error at once."
        ).only(.toml),
        .service(
            "server_opening_max", \.settings.pool.openingMax, .count(1...10_000),
            "Connections of one pool that may be in the making at once; the rest wait their turn. "
                + "After a failure it is one at a time, see `server_login_retry`."
        ).only(.toml),
        .service(
            "server_round_robin", \.settings.pool.isRoundRobin, .flag,
            "On = the longest idle server is used next; off = the last one used, so that a quiet "
                + "pool shrinks."),
        .service(
            "autodb_idle_timeout", \.settings.wildcardIdleTimeout, .duration,
            "Seconds until a pool whose database came from `*` is forgotten when it has no clients "
                + "and no servers. Its statistics are forgotten too, as PgBouncer's are."),
    ]

    static let servers: [SettingKey] = [
        .service(
            "server_reset_query", \.settings.session.resetQuery, .text,
            "Sent when a client of a session pool leaves, before the next one gets the server. "
                + "Empty = nothing."),
        .service(
            "server_reset_query_always", \.settings.session.resetsAlways, .flag,
            "Send it after each transaction in the other pool modes too. Costs a round trip each "
                + "time."),
        .service(
            "server_check_query", \.settings.session.checkQuery, .checkQuery,
            "Sent to a server that idled for `server_check_delay`; on an error it is closed and "
                + "another one used. `<empty>` = an empty query; empty = no check."),
        .service(
            "server_check_delay", \.settings.pool.serverCheckDelay, .duration,
            "Seconds that a server may idle and be used without a check."),
        .service(
            "server_lifetime", \.settings.pool.serverLifetime, .duration,
            "Seconds after which an unused server is closed. Servers opened together are closed "
                + "spread over the last tenth. 0 = each is used once."),
        .service(
            "server_idle_timeout", \.settings.pool.serverIdleTimeout, .duration,
            "Seconds until an idle server is closed, never below `min_pool_size`. 0 = never."),
        .service(
            "server_connect_timeout", \.settings.serverConnectTimeout, .positiveDuration,
            "Seconds for connecting and logging in to a server. Then the attempt has failed."),
        .service(
            "server_login_retry", \.settings.pool.serverLoginRetry, .duration,
            "Seconds of pause after a failed attempt. Clients get the server's error meanwhile "
                + "if the pool has no server at all. Once in that time a login that merely breaks "
                + "off, as when the server process was killed, is tried again without a pause."),
        .service(
            "dns_max_ttl", \.settings.dnsLifetime, .duration,
            "Seconds for which the address of a host name is kept."),
        .service(
            "dns_nxdomain_ttl", \.settings.dnsFailureLifetime, .duration,
            "Seconds for which a failed look-up of a host name is kept."),
        .service(
            "ignore_startup_parameters", \.settings.ignoredStartupParameters, .lowercaseNames,
            "Startup parameters of clients to drop instead of refusing the client, a list or "
                + "separated by commas. `options` drops all that is inside `options`."),
        .service(
            "application_name_add_host", \.settings.addsHostToApplicationName, .flag,
            "Add the client's address to its `application_name`."),
    ]

    static let timeouts: [SettingKey] = [
        .service(
            "query_wait_timeout", \.settings.session.queryWaitTimeout, .duration,
            "Seconds a client waits for a server; then it gets an error and is disconnected. 0 = "
                + "for ever."),
        .service(
            "query_wait_notify", \.settings.session.queryWaitNotify, .duration,
            "Seconds of waiting after which the client gets a NOTICE. 0 = none."),
        .service(
            "query_timeout", \.settings.session.queryTimeout, .duration,
            "Seconds from a query to its answer, waiting included; then client and server are "
                + "disconnected. 0 = no limit. `statement_timeout` of PostgreSQL is gentler."),
        .service(
            "idle_transaction_timeout", \.settings.session.idleTransactionTimeout, .duration,
            "Seconds a client may do nothing inside a transaction; then client and server are "
                + "disconnected. 0 = no limit."),
        .service(
            "transaction_timeout", \.settings.session.transactionTimeout, .duration,
            "Seconds a transaction may last; then client and server are disconnected. 0 = no "
                + "limit."),
        .service(
            "client_idle_timeout", \.settings.session.clientIdleTimeout, .duration,
            "Seconds a client may do nothing outside a transaction; then it is disconnected. 0 = "
                + "no limit."),
        .service(
            "client_login_timeout", \.settings.clientLoginTimeout, .duration,
            "Seconds for a client's login, TLS included; then it is disconnected. 0 = no limit."),
        .service(
            "cancel_wait_timeout", \.settings.cancelWaitTimeout, .duration,
            "Seconds a cancel request waits for a connection to its server; then it is dropped. "
                + "0 = for ever."),
        .service(
            "stats_period", \.settings.statsPeriod, .positiveDuration,
            "Seconds over which the averages of SHOW STATS are taken, and between the log lines "
                + "of `log_stats`."),
    ]
}
