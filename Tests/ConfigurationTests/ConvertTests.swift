import Configuration
import Testing

@Suite struct ConvertTests {
    let files: Directory

    init() throws { files = try Directory() }

    private func expectEqual(_ ini: String) throws {
        try files.write("pgbouncer.ini", ini)
        let path = files.path + "/pgbouncer.ini"
        let original = try ConfigurationFile.load(path: path)
        let text = try ConfigurationFile.convert(iniPath: path)
        let converted = try files.load("pgweir.toml", text)
        #expect(converted.settings == original.settings, "\(text)")
        #expect(converted.log == original.log)
        #expect(converted.http == original.http)
        #expect(converted.warnings == [])
    }

    @Test func `a file from real life means the same as TOML`() throws {
        try files.write("more.ini", "max_db_connections = 50\n")
        try expectEqual(realINI)
    }

    @Test func `a file that says nothing keeps PgBouncer's defaults`() throws {
        try expectEqual("[pgbouncer]\nauth_file = users.txt\n")
    }

    /// One value per key that differs from every default.
    @Test func `every key survives`() throws {
        try expectEqual(
            """
            [pgbouncer]
            listen_addr = a, b
            listen_port = 6543
            listen_backlog = 5
            unix_socket_dir =
            unix_socket_mode = 0750
            unix_socket_group = g
            max_client_conn = 7
            max_db_connections = 8
            max_user_connections = 9
            max_db_client_connections = 10
            max_user_client_connections = 11
            max_packet_size = 65536
            max_prepared_statements = 0
            pool_mode = statement
            default_pool_size = 12
            min_pool_size = 13
            reserve_pool_size = 14
            reserve_pool_timeout = 0.000015
            server_round_robin = 1
            autodb_idle_timeout = 16
            server_reset_query =
            server_reset_query_always = yes
            server_check_query =
            server_check_delay = 17
            server_lifetime = 18
            server_idle_timeout = 19
            server_connect_timeout = 20
            server_login_retry = 21
            dns_max_ttl = 22
            dns_nxdomain_ttl = 23
            ignore_startup_parameters = x, y
            application_name_add_host = 1
            query_wait_timeout = 24
            query_wait_notify = 25
            query_timeout = 26
            idle_transaction_timeout = 27
            transaction_timeout = 28
            client_idle_timeout = 29
            client_login_timeout = 30
            cancel_wait_timeout = 31
            stats_period = 32
            auth_type = plain
            auth_file = users.txt
            scram_iterations = 33
            admin_users = a"b, c\\d
            stats_users = e
            client_tls_sslmode = verify-full
            client_tls_cert_file = users.txt
            client_tls_key_file = users.txt
            client_tls_ca_file = users.txt
            client_tls_protocols = tlsv1.2, tlsv1.3
            client_tls_ciphers = HIGH
            client_tls13_ciphers = X
            server_tls_sslmode = disable
            server_tls_cert_file = users.txt
            server_tls_key_file = users.txt
            server_tls_ca_file = users.txt
            server_tls_protocols = all
            server_tls_ciphers = LOW
            server_tls13_ciphers = Y
            tcp_keepalive = 0
            tcp_keepidle = 34
            tcp_keepintvl = 35
            tcp_keepcnt = 36
            tcp_user_timeout = 37
            tcp_socket_buffer = 38
            tcp_defer_accept = 0
            log_connections = 0
            log_disconnections = 0
            log_pooler_errors = 0
            log_stats = 0
            logfile = x.log
            verbose = 2
            [databases]
            a = host=a,b port=1,2 dbname=d user=u password='p ''"\\' load_balance_hosts=disable \
            pool_mode=session pool_size=1 min_pool_size=2 reserve_pool_size=3 \
            max_db_connections=4 max_db_client_connections=5 server_lifetime=6 \
            query_wait_timeout=0 connect_query='x' client_encoding=utf8 datestyle=ISO \
            timezone=UTC application_name=me
            "strange "" name" = host=@abstract
            * = host=z
            [users]
            a = pool_mode=session pool_size=1 reserve_pool_size=0 max_user_connections=2 \
            max_user_client_connections=3 query_timeout=4 query_wait_timeout=0 \
            idle_transaction_timeout=5 transaction_timeout=6 client_idle_timeout=7
            "b.c" = pool_size=2
            """)
    }

    @Test func `what has no effect is named in a comment`() throws {
        try files.write("p.ini", "[pgbouncer]\nauth_file = users.txt\npkt_buf = 1\n")
        let text = try ConfigurationFile.convert(iniPath: files.path + "/p.ini")
        #expect(text.contains("# Left out: pkt_buf: ignored; "))
        #expect(text.contains("auth_file = \"users.txt\"\n"))
    }
}
