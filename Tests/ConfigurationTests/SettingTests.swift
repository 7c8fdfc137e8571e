import Authentication
import Configuration
import Pooling
import Session
import Testing
import Worker

@Suite struct SettingTests {
    let files: Directory

    init() throws { files = try Directory() }

    private func refusal(_ key: String, _ value: String) throws -> SettingRefusal? {
        let loaded = try files.toml("")
        do throws(SettingRefusal) {
            _ = try loaded.setting(key, to: value)
            return nil
        } catch {
            return error
        }
    }

    @Test func `one key changes and the others stay`() throws {
        let before = try files.toml(
            "query_timeout = 3\n[databases.app]\nhost = \"h\"\n[databases.\"*\"]\nhost = \"i\"\n"
                + "[users.batch]\npool_size = 5")
        let after = try before.setting("default_pool_size", to: "7")
        var expected = before.settings
        expected.pool.serversMax = 7
        #expect(after.settings == expected)
        #expect(after.log == before.log)
        #expect(after.shown.first { $0.key == "default_pool_size" }?.value == "7")
    }

    @Test func `values are written as in pgbouncer.ini`() throws {
        let loaded = try files.toml("")
            .setting("log_connections", to: "off").setting("admin_users", to: "a, b")
            .setting("query_wait_timeout", to: "0.5").setting("tcp_user_timeout", to: "1500")
            .setting("server_check_query", to: "").setting("auth_type", to: "md5")
        #expect(!loaded.settings.logsConnections)
        #expect(loaded.settings.adminUsers == ["a", "b"])
        #expect(loaded.settings.session.queryWaitTimeout == .milliseconds(500))
        #expect(loaded.settings.tcp.userTimeout == .milliseconds(1500))
        #expect(loaded.settings.session.checkQuery == nil)
        #expect(loaded.settings.authentication.method == .md5)
    }

    @Test func `keys of ini files change what TOML has elsewhere`() throws {
        let loaded = try files.toml("").setting("verbose", to: "1").setting("logfile", to: "a.log")
        #expect(loaded.log.level == .debug)
        #expect(loaded.log.file == files.path + "/a.log")
    }

    @Test func `a new file of users is read at once`() throws {
        try files.write("more.txt", "\"eve\" \"pomme\"\n")
        let loaded = try files.toml("").setting("auth_file", to: "more.txt")
        #expect(loaded.settings.authentication.secrets == ["eve": .plain("pomme")])
    }

    @Test(arguments: [
        ("no_such_key", "1", "no_such_key: unknown key"),
        ("query_timeuot", "1", "query_timeuot: unknown key; did you mean query_timeout?"),
        ("workers", "3", "workers: read at the start only"),
        ("listen_addr", "*", "listen_addr: read at the start only"),
        ("max_client_conn", "0", "max_client_conn: 0 is out of range; allowed: 1 to 10000000"),
        ("query_timeout", "5s", "query_timeout: expected a number of seconds, found \"5s\""),
        (
            "so_reuseport", "1",
            "so_reuseport: ignored; one process uses all cores, see workers"
        ),
        (
            "client_tls_sslmode", "require",
            "client_tls_sslmode: require requires client_tls_cert_file"
        ),
        ("auth_file", "", "auth_file: required because auth_type is scram-sha-256"),
    ])
    func `what cannot be set says why`(_ key: String, _ value: String, _ reason: String) throws {
        #expect(try refusal(key, value)?.reason == reason)
    }

    @Test func `what is read at the start only says what to do`() throws {
        let hint = try refusal("workers", "3")?.hint
        #expect(hint == "Change it in the configuration file, and start pgweir again.")
    }
}
