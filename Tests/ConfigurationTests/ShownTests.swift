import Configuration
import Testing

@Suite struct ShownTests {
    let files: Directory

    init() throws { files = try Directory() }

    @Test func `SHOW CONFIG has PgBouncer's names and notation, sorted`() throws {
        let shown = try files.toml(
            "query_wait_timeout = \"1m\"\nunix_socket_mode = \"0700\"\nadmin_users = [\"a\", \"b\"]"
        ).shown
        func row(_ key: String) -> ShownSetting? { shown.first { $0.key == key } }
        #expect(row("query_wait_timeout")?.value == "60")
        #expect(row("query_wait_timeout")?.default == "120")
        #expect(row("query_wait_timeout")?.isChangeable == true)
        #expect(row("unix_socket_mode")?.value == "0700")
        #expect(row("unix_socket_mode")?.isChangeable == false)
        #expect(row("admin_users")?.value == "a,b")
        #expect(row("log_stats")?.value == "1")
        #expect(row("pool_mode")?.default == "transaction")
        #expect(row("server_check_query")?.value == "<empty>")
        #expect(shown.map(\.key) == shown.map(\.key).sorted())
    }

    @Test func `SHOW CONFIG shows no secret`() throws {
        let shown = try files.toml(
            "[databases.app]\nuser = \"u\"\npassword = \"geheim\"\n"
        ).shown
        #expect(!shown.isEmpty)
        #expect(!shown.contains { $0.value.contains("geheim") || $0.key.contains("password") })
    }
}
