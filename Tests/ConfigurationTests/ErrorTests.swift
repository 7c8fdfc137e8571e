import Configuration
import Testing

@Suite struct ErrorTests {
    let files: Directory

    init() throws { files = try Directory() }

    /// What is wrong behind "[pgweir]" from line 3 on, and what is said about it.
    static let tomlCases: [(String, String)] = [
        ("pool_mdoe = \"session\"", "t.toml:3: pool_mdoe: unknown key; did you mean pool_mode?"),
        ("xyzzy = 1", "t.toml:3: xyzzy: unknown key"),
        (
            "[databases.app]\npool_szie = 5",
            "t.toml:4: pool_szie: unknown key; did you mean pool_size?"
        ),
        (
            "pool_size = 5",
            "t.toml:3: pool_size: belongs in [databases.NAME] or [users.NAME] or [tenants.NAME]"
        ),
        (
            "connect_qeury = \"x\"",
            "t.toml:3: connect_qeury: unknown key; did you mean connect_query in [databases.NAME]?"
        ),
        (
            "pool_mode = \"lazy\"",
            "t.toml:3: pool_mode: \"lazy\" is not one of session, transaction, statement"
        ),
        ("workers = 1000", "t.toml:3: workers: 1000 is out of range; allowed: 0 to 127"),
        ("workers = \"2\"", "t.toml:3: workers: expected a whole number, found \"2\""),
        ("workers = 2.5", "t.toml:3: workers: expected a whole number, found 2.5"),
        (
            "listen_port = 70000",
            "t.toml:3: listen_port: 70000 is out of range; allowed: 0 to 65535"
        ),
        (
            "query_timeout = \"5 apples\"",
            "t.toml:3: query_timeout: expected a duration such as 5, \"200ms\", \"5s\", \"1m\", "
                + "\"1h\", found \"5 apples\""
        ),
        (
            "query_timeout = -1",
            "t.toml:3: query_timeout: -1 is out of range; allowed: 0 to 1000000000 seconds"
        ),
        (
            "server_connect_timeout = 0",
            "t.toml:3: server_connect_timeout: must be more than 0"
        ),
        (
            "tcp_user_timeout = 30",
            "t.toml:3: tcp_user_timeout: expected a duration with its unit, such as \"30s\""
        ),
        ("log_stats = \"yes\"", "t.toml:3: log_stats: expected true or false, found \"yes\""),
        (
            "unix_socket_mode = 777",
            "t.toml:3: unix_socket_mode: expected octal digits from 0000 to 0777 (in TOML in "
                + "quotes), found 777"
        ),
        ("admin_users = [1]", "t.toml:3: admin_users: expected text in quotes, found 1"),
        (
            "admin_users = { a = 1 }",
            "t.toml:3: admin_users: expected text in quotes, found a table"
        ),
        (
            "workers = 1\nio = \"auto\"\nworkers = 2",
            "t.toml:5: pgweir.workers: written twice, first on line 3"
        ),
        (
            "[databases.a]\n[users.a]\n[databases.a]",
            "t.toml:5: databases.a: written twice, first on line 3"
        ),
        (
            "[databases.pgbouncer]",
            "t.toml:3: pgbouncer: this name is the console's; no database can have it"
        ),
        (
            "[databases]\npgweir.host = \"x\"",
            "t.toml:4: pgweir: this name is the console's; no database can have it"
        ),
        ("[databases]\napp = \"host=x\"", "t.toml:4: app: expected a table, [databases.app]"),
        (
            "[databases.app]\nhost = [\"a\", \"b\", \"c\"]\nport = [1, 2]",
            "t.toml:5: port: 2 ports for 3 hosts; write one, or one per host"
        ),
        ("[sharding]\nx = 1", "t.toml:4: x: expected a table, [sharding.x]"),
        ("[[tenants]]", "t.toml:3: tenants: expected a table, [tenants]"),
        (
            "[database.a]",
            "t.toml:3: database: unknown section; did you mean [databases]?"
        ),
        ("[pgbouncer]", "t.toml:3: pgbouncer: unknown section; here it is [pgweir]"),
        (
            "listen_addr = \"\"\nunix_socket_dir = \"\"",
            "t.toml:3: listen_addr: nowhere to listen: no address, and no unix_socket_dir"
        ),
        (
            "client_tls_sslmode = \"require\"\nclient_tls_key_file = \"users.txt\"",
            "t.toml:3: client_tls_sslmode: require requires client_tls_cert_file"
        ),
        (
            "server_tls_key_file = \"users.txt\"",
            "t.toml:3: server_tls_key_file: server_tls_cert_file and server_tls_key_file need "
                + "each other"
        ),
        (
            "client_tls_protocols = \"tlsv9\"",
            "t.toml:3: client_tls_protocols: \"tlsv9\" is not a list of secure, default, "
                + "all, legacy, tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3"
        ),
        (
            "auth_type = \"any\"\n[databases.app]",
            "t.toml:4: user: required here because auth_type is any"
        ),
        (
            "logfile = \"x\"",
            "t.toml:3: logfile: only in ini files. File that log lines are appended to; opened "
                + "again at RELOAD and SIGHUP, so that it can be rotated. Empty = standard error. "
                + "In TOML: `file` in [log]."
        ),
        (
            "workers = 1\nio = \"epoll\"",
            "t.toml:4: io: epoll is not available in this version, only io_uring; leave the key "
                + "out"
        ),
        (
            "[http]\nlisten = \"[::1]:9930\"",
            "t.toml:4: listen: metrics and health checks are not available in this version; leave "
                + "the key out, and use SHOW STATS and SHOW POOLS on the console"
        ),
        (
            "[http]\nlisten = \"::1:99\"",
            "t.toml:4: listen: an IPv6 address needs brackets: \"[::1]:9930\""
        ),
        (
            "[http]\nlisten = \"9930\"",
            "t.toml:4: listen: expected \"ADDRESS:PORT\", found \"9930\""
        ),
    ]

    @Test(arguments: tomlCases)
    func `a mistake in TOML is reported with its line`(_ text: String, _ expected: String) {
        #expect(files.problems { try files.toml(text) } == [expected])
    }

    /// What is wrong behind "[pgbouncer]" from line 4 on, and what is said about it.
    static let iniCases: [(String, String)] = [
        ("pool_mdoe = session", "t.ini:4: pool_mdoe: unknown key; did you mean pool_mode?"),
        (
            "workers = 2",
            "t.ini:4: workers: not in ini files, only in TOML; `pgweir convert` makes one of this "
                + "file"
        ),
        (
            "query_timeout = 5s",
            "t.ini:4: query_timeout: expected a number of seconds, found \"5s\""
        ),
        (
            "query_timeout = nan",
            "t.ini:4: query_timeout: expected a number of seconds, found \"nan\""
        ),
        (
            "log_stats = maybe",
            "t.ini:4: log_stats: \"maybe\" is neither 1, true, yes, on nor 0, false, no, off"
        ),
        (
            "unix_socket_mode = 0999",
            "t.ini:4: unix_socket_mode: expected octal digits from 0000 to 0777 (in TOML in "
                + "quotes), found \"0999\""
        ),
        (
            "log_stats = 1\n\nlog_stats = 0",
            "t.ini:6: log_stats: written twice, first on line 4"
        ),
        (
            "[databases]\na = host=x\na = host=y",
            "t.ini:6: a: written twice, first on line 5"
        ),
        (
            "[databases]\na = host=x host=y",
            "t.ini:5: host: written twice, first on line 5"
        ),
        (
            "[databases]\na = reserve_pool=1 reserve_pool_size=2",
            "t.ini:5: reserve_pool_size: written twice, first on line 5"
        ),
        (
            "[databases]\na = host=x nonsense",
            "t.ini:5: a: expected key=value pairs, blanks between them"
        ),
        ("[databases]\na = password='abc", "t.ini:5: password: the quote ' does not end"),
        (
            "[databases]\npgbouncer = host=x",
            "t.ini:5: pgbouncer: this name is the console's; no database can have it"
        ),
        (
            "[databases]\na = pool_size=0",
            "t.ini:5: pool_size: 0 is out of range; allowed: 1 to 1000000"
        ),
        (
            "[datbases]\na = host=x",
            "t.ini:4: unknown section [datbases]; did you mean [databases]?"
        ),
        ("nonsense", "t.ini:4: expected key = value"),
        (
            "%include nowhere.ini",
            "t.ini:4: %include nowhere.ini: DIRECTORY/nowhere.ini does not exist"
        ),
        (
            "auth_type = ldap",
            "t.ini:4: auth_type: \"ldap\" is not available in this version; available: trust, "
                + "any, plain, md5, scram-sha-256"
        ),
    ]

    @Test(arguments: iniCases)
    func `a mistake in an ini file is reported with its line`(_ text: String, _ expected: String) {
        let expected = expected.replacing("DIRECTORY", with: files.path)
        #expect(files.problems { try files.ini(text) } == [expected])
    }

    @Test(arguments: [
        "auth_hba_file = hba.conf", "auth_query = SELECT 1", "auth_user = u", "auth_type = hba",
        "auth_type = cert", "auth_type = pam", "auth_type = peer", "disable_pqexec = 1",
        "[databases]\na = auth_user=u", "[databases]\na = auth_query='SELECT 1'",
    ])
    func `what decides who may log in is never ignored`(_ text: String) {
        let problems = files.problems { try files.ini(text) }
        #expect(problems.count == 1)
        #expect(problems.first?.contains("not available in this version") == true)
    }

    @Test func `every problem is reported, in the order of the file`() {
        let problems = files.problems {
            try files.toml("workers = 999\nnonsense = 1\n[users.u]\npool_size = \"x\"\n")
        }
        #expect(problems.map { $0.prefix(9) } == ["t.toml:3:", "t.toml:4:", "t.toml:6:"])
    }

    @Test func `a syntax error in TOML has its line`() {
        let problems = files.problems { try files.toml("workers = 1\nio = \n") }
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("t.toml:4: ") == true)
    }

    @Test func `an auth_file is required`() {
        #expect(
            files.problems { try files.load("t.toml", "[pgweir]\nauth_type = \"md5\"\n") }
                == ["t.toml:2: auth_file: required because auth_type is md5"])
        #expect(
            files.problems { try files.load("t.ini", "[pgbouncer]\n") }
                == ["t.ini:1: auth_file: required because auth_type is md5"])
        #expect(
            files.problems { try files.load("t.toml", "[pgweir]\nauth_file = \"gone.txt\"\n") }
                == ["t.toml:2: auth_file: \(files.path)/gone.txt does not exist or cannot be read"])
        #expect(
            files.problems { try files.load("t.toml", "[pgweir]\nauth_type = \"any\"\n") } == [])
    }

    @Test func `an error in the auth_file has its line there`() throws {
        try files.write("users.txt", "\"a\" \"b\"\nnonsense geheim\n")
        let problems = files.problems { try files.toml("") }
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("\(files.path)/users.txt:2: ") == true)
        #expect(problems.first?.contains("geheim") == false)
    }

    @Test(arguments: [
        "password = geheim", "password = \"geheim", "password = 'geheim\n'",
        "password = [\"geheim\"]",
        "password = { geheim = 1 }", "password = \"geheim\"\npassword = \"geheim\"",
        "password = \"geheim\" x", "user = \"u\" password = \"geheim\"",
    ])
    func `errors show no password from TOML`(_ text: String) {
        let problems = files.problems { try files.toml("[databases.app]\n" + text) }
        #expect(!problems.isEmpty)
        #expect(!problems.joined().contains("geheim"))
    }

    @Test(arguments: [
        "password='geheim", "password geheim", "password=a geheim", "passwrod=geheim",
        "password=a password=geheim",
    ])
    func `errors show no password from an ini file`(_ text: String) {
        let problems = files.problems { try files.ini("[databases]\napp = " + text) }
        #expect(!problems.isEmpty)
        #expect(!problems.joined().contains("geheim"))
    }

    @Test func `a file that includes itself ends`() throws {
        try files.write("loop.ini", "%include loop.ini\n")
        let problems = files.problems { try files.ini("%include loop.ini\n") }
        #expect(problems.count == 1)
        #expect(problems.first?.contains("nested too deep") == true)
    }

    @Test func `a file that is not there is one problem`() {
        #expect(throws: ConfigurationErrors.self) {
            try ConfigurationFile.load(path: files.path + "/none.toml")
        }
    }
}
