import Authentication
import Configuration
import Foundation
import Pooling
import Session
import TLS
import Testing
import Worker

@Suite struct LoadingTests {
    let files: Directory

    init() throws { files = try Directory() }

    @Test func `defaults are ours in TOML and PgBouncer's in ini files`() throws {
        let toml = try files.toml("").settings
        #expect(toml.session.mode == .transaction)
        #expect(toml.clientsMax == 10_000)
        #expect(toml.authentication.method == .scramSHA256)
        #expect(toml.listen.addresses == ["127.0.0.1"])
        let ini = try files.load("t.ini", "[pgbouncer]\nauth_file = users.txt\n").settings
        #expect(ini.session.mode == .session)
        #expect(ini.clientsMax == 100)
        #expect(ini.authentication.method == .md5)
        #expect(ini.listen.addresses == [])
        #expect(ini.authentication.secrets == ["app": .plain("geheim")])
    }

    @Test func `TOML values land where they should`() throws {
        let loaded = try files.toml(
            """
            listen_addr = ["127.0.0.1", "::1"]
            workers = 3
            io = "io_uring"
            error_sqlstate = "pgbouncer"
            host_max_connections = 90
            server_opening_max = 4
            max_waiting_clients = 77
            query_wait_timeout = "200ms"
            server_lifetime = "1h"
            server_idle_timeout = 1.5
            tcp_user_timeout = "30s"
            tcp_defer_accept = 1
            unix_socket_mode = "0700"
            server_check_query = ""
            ignore_startup_parameters = ["Extra_Float_Digits", "options"]
            log_stats = false
            server_tls_sslmode = "verify-full"

            [databases.app]
            host = ["a", "b"]
            port = [5432, 5433]
            [databases]
            "quoted name".host = "/run"
            "*" = { host = "c", load_balance_hosts = "disable", timezone = "UTC" }
            [users.batch]
            pool_size = 5
            pool_mode = "session"
            [http]
            listen = ""
            [log]
            level = "debug"
            format = "json"
            file = "weir.log"
            """)
        let settings = loaded.settings
        #expect(settings.listen.addresses == ["127.0.0.1", "::1"])
        #expect(settings.workers == 3)
        #expect(settings.io == .ioUring)
        #expect(!settings.usesFittingSQLStates)
        #expect(settings.hostServersMax == 90)
        #expect(settings.pool.openingMax == 4)
        #expect(settings.pool.waitingMax == 77)
        #expect(settings.session.queryWaitTimeout == .milliseconds(200))
        #expect(settings.pool.serverLifetime == .seconds(3600))
        #expect(settings.pool.serverIdleTimeout == .milliseconds(1500))
        #expect(settings.tcp.userTimeout == .seconds(30))
        #expect(settings.tcp.deferAccept == .seconds(45))
        #expect(settings.listen.unixSocketMode == 0o700)
        #expect(settings.session.checkQuery == nil)
        #expect(settings.ignoredStartupParameters == ["extra_float_digits", "options"])
        #expect(!settings.logsStats)
        #expect(settings.serverTLS.mode == .verifyFull)
        #expect(settings.databases["app"]?.hosts == ["a", "b"])
        #expect(settings.databases["app"]?.ports == [5432, 5433])
        #expect(settings.databases["quoted name"]?.hosts == ["/run"])
        #expect(settings.databases["*"] == nil)
        #expect(settings.wildcardDatabase?.balancesHosts == false)
        #expect(settings.wildcardDatabase?.startupParameters == ["timezone": "UTC"])
        #expect(settings.users["batch"]?.serversMax == 5)
        #expect(settings.users["batch"]?.mode == .session)
        #expect(loaded.http == nil)
        #expect(loaded.log.level == .debug)
        #expect(loaded.log.format == .json)
        #expect(loaded.log.file == files.path + "/weir.log")
        #expect(loaded.warnings.isEmpty)
    }

    @Test func `a pgbouncer.ini from real life is accepted`() throws {
        try files.write("more.ini", "; more\nmax_db_connections = 50\n")
        let loaded = try files.load("pgbouncer.ini", realINI)
        let settings = loaded.settings
        #expect(settings.listen.addresses == ["*", "::"])
        #expect(settings.databaseServersMax == 50)
        #expect(settings.session.mode == .transaction)
        #expect(settings.pool.serverLoginRetry == .milliseconds(1500))
        #expect(settings.logsConnections == false)
        #expect(settings.tcp.userTimeout == .milliseconds(12500))
        #expect(settings.adminUsers == ["postgres", "root"])
        #expect(settings.databases.keys.sorted() == ["app", "local", "my db", "reports"])
        let app = try #require(settings.databases["app"])
        #expect(app.hosts == ["10.0.0.1", "10.0.0.2"])
        #expect(app.forcedPassword == "it's secret")
        #expect(app.connectQuery == "SET a = 'b'")
        #expect(app.name == "app_production")
        #expect(settings.databases["local"]?.hosts == ["/var/run/postgresql"])
        #expect(settings.wildcardDatabase?.ports == [5433])
        #expect(settings.users["batch"]?.queryTimeout == .seconds(600))
        #expect(loaded.log.file == "/var/log/postgresql/pgbouncer.log")
        #expect(loaded.log.level == .debug)
        #expect(
            loaded.warnings.map(\.key)
                == ["1", "pidfile", "so_reuseport", "pkt_buf", "user", "syslog"])
        #expect(loaded.warnings.map(\.line) == [11, 16, 33, 34, 35, 36])
    }

    @Test func `what PgBouncer calls unset is left to the next in line`() throws {
        let settings = try files.ini(
            """
            [databases]
            a = pool_size=-1 max_db_connections=0 server_lifetime=0 query_wait_timeout=0
            b = pool_size=7 max_db_connections=8 server_lifetime=9 min_pool_size=0 reserve_pool=3
            [users]
            u = pool_size=-1 query_timeout=0 query_wait_timeout=0 max_user_connections=0
            v = pool_size=4 query_timeout=5 reserve_pool_size=0 idle_transaction_timeout=6
            """
        ).settings
        var a = DatabaseSettings()
        a.hosts = ["/var/run/postgresql"]
        a.queryWaitTimeout = .zero
        #expect(settings.databases["a"] == a)
        var b = DatabaseSettings()
        b.hosts = ["/var/run/postgresql"]
        b.serversMax = 7
        b.serversMin = 0
        b.reserveMax = 3
        b.databaseServersMax = 8
        b.serverLifetime = .seconds(9)
        #expect(settings.databases["b"] == b)
        var u = UserSettings()
        u.queryWaitTimeout = .zero
        #expect(settings.users["u"] == u)
        var v = UserSettings()
        v.serversMax = 4
        v.reserveMax = 0
        v.queryTimeout = .seconds(5)
        v.idleTransactionTimeout = .seconds(6)
        #expect(settings.users["v"] == v)
    }

    @Test func `every ignored key gives one warning, or none where it changes nothing`() throws {
        #expect(try files.ini("syslog = 0\npeer_id = 0\nauth_hba_file =\n").warnings == [])
        let loaded = try files.ini("sbuf_loopcnt = 5\nauth_dbname = x\n[databases]\na=password=b")
        #expect(
            loaded.warnings.map(\.description) == [
                "t.ini:4: sbuf_loopcnt: ignored; each turn serves every ready connection",
                "t.ini:5: auth_dbname: ignored; without auth_query it has no use",
                "t.ini:7: password: ignored; it has no user beside it",
            ])
    }

    @Test func `line ends and byte order marks of other systems do not matter`() throws {
        let text = "\u{FEFF}[pgweir]\r\nauth_file = \"users.txt\"\r\nworkers = 2\r\n"
        #expect(try files.load("t.toml", text).settings.workers == 2)
        let ini = "\u{FEFF}[pgbouncer]\r\nauth_file = users.txt\r\nmax_client_conn = 2\r\n"
        #expect(try files.load("t.ini", ini).settings.clientsMax == 2)
    }

    @Test func `lines are right behind long strings, arrays and comments`() {
        let problems = files.problems {
            try files.toml(
                """
                # [databases.x]
                server_reset_query = \"\"\"
                [users]
                a = 1
                \"\"\"
                admin_users = [
                  "a", # ]
                  "b]",
                ]
                nonsense = 1
                """)
        }
        #expect(problems == ["t.toml:12: nonsense: unknown key"])
    }

    @Test func `a text cut anywhere is read or refused, with lines inside it`() throws {
        let toml = """
            [pgweir]
            auth_file = 'users.txt' # comment
            admin_users = ["a", 'b',
              \"\"\"c\"\"\"]
            [databases."a\\"b"]
            host = \"\"\"x
            y\"\"\"
            [users]
            u = { pool_size = 3 }
            """
        for (name, text) in [("t.toml", toml), ("t.ini", realINI)] {
            let lineCount = text.split(separator: "\n", omittingEmptySubsequences: false).count
            for cut in 0...text.unicodeScalars.count {
                let part = String(text.unicodeScalars.prefix(cut))
                do {
                    _ = try files.load(name, part)
                } catch let errors as ConfigurationErrors {
                    #expect(!errors.problems.isEmpty)
                    #expect(errors.problems.allSatisfy { (1...lineCount + 1).contains($0.line) })
                }
            }
        }
    }

    @Test func `every example is read without a warning and can be run`() throws {
        let names = try FileManager.default.contentsOfDirectory(
            atPath: packageDirectory + "/Config"
        ).filter { $0.hasSuffix(".toml") || $0.hasSuffix(".ini") }
        #expect(names.count >= 6)
        for name in names {
            let loaded = try ConfigurationFile.load(path: packageDirectory + "/Config/" + name)
            #expect(loaded.warnings.isEmpty, "\(name)")
            #expect(loaded.unavailable == nil, "\(name)")
        }
    }

    @Test func `the examples to start from are right`() throws {
        for name in ["pgweir.toml", "pgbouncer.ini"] {
            let loaded = try ConfigurationFile.load(path: packageDirectory + "/Config/" + name)
            #expect(loaded.settings.databases["app"]?.hosts == ["127.0.0.1"])
            #expect(loaded.settings.session.mode == .transaction)
        }
    }
}

let realINI = """
    ;; a comment
    [databases]
    app = host=10.0.0.1,10.0.0.2 port=5432 dbname=app_production user=app \
    password='it''s secret' connect_query='SET a = ''b''' pool_size=30
    "my db" = dbname='my db'
    reports=host=/run/pg pool_mode=session
    local =
    # any other
    * = port = 5433

    [peers]
    1 = host=/tmp/peer1

    [pgbouncer]
    logfile = /var/log/postgresql/pgbouncer.log
    verbose = 1
    pidfile = /var/run/postgresql/pgbouncer.pid

    listen_addr = *, ::
    listen_port = 6432
    unix_socket_dir = /var/run/postgresql
    auth_type = md5
    auth_file = users.txt
    admin_users = postgres, root
    pool_mode = transaction
    server_reset_query = DISCARD ALL
    ignore_startup_parameters = extra_float_digits, search_path
    max_client_conn = 5000
    default_pool_size = 50
    %include more.ini
    server_login_retry = 1.5
    log_connections = off
    tcp_user_timeout = 12500
    so_reuseport = 1
    pkt_buf = 8192
    user = postgres
    syslog = 1
    server_check_query = select 1
    server_check_delay = 0.25

    [users]
    batch = pool_mode=session max_user_connections=10 query_timeout=600
    """
