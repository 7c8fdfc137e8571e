import Session
import Testing

@Suite struct ParameterStateTests {
    private func state(
        _ reported: [String: String] = [:], extra: [String: String] = [:]
    ) -> ParameterState {
        ParameterState(reported: reported, extra: extra, isProven: true)
    }

    @Test func `nothing is to be changed between equal states`() {
        let one = state(["timezone": "UTC"], extra: ["work_mem": "4MB"])
        let same = state(["timezone": "UTC"], extra: ["work_mem": "4MB"])
        #expect(one.change(to: one) == nil)
        #expect(one.change(to: same) == nil)
        #expect(one.fits(same))
    }

    @Test func `what differs is set, in order of names, in one statement`() {
        let change = state(["timezone": "UTC", "datestyle": "ISO"])
            .change(
                to: state(
                    ["timezone": "Asia/Tokyo", "datestyle": "SQL"], extra: ["work_mem": "1GB"]))
        #expect(
            change == "SELECT pg_catalog.set_config('work_mem', '1GB', false), "
                + "pg_catalog.set_config('datestyle', 'SQL', false), "
                + "pg_catalog.set_config('timezone', 'Asia/Tokyo', false)")
    }

    @Test func `what the client did not set is reset`() {
        let change = state(extra: ["work_mem": "1GB", "a.b": "x"]).change(to: state())
        #expect(change == #"RESET "a"."b"; RESET "work_mem""#)
    }

    @Test func `resets go before settings`() {
        let change = state(extra: ["b": "1"]).change(to: state(extra: ["a": "1"]))
        #expect(change == #"RESET "b"; SELECT pg_catalog.set_config('a', '1', false)"#)
    }

    @Test(arguments: [
        "in_hot_standby", "integer_datetimes", "is_superuser", "server_encoding",
        "server_version",
    ])
    func `parameters that nobody can set are left alone`(_ name: String) {
        let server = state([name: "1"])
        let wanted = state([name: "2"])
        #expect(server.change(to: wanted) == nil)
        #expect(server.fits(wanted))
    }

    @Test func `who the session is comes first, its role last`() {
        let server = state(["session_authorization": "a"], extra: ["role": "r", "x": "1"])
        let wanted = state(["session_authorization": "b"], extra: ["role": "s", "x": "1"])
        #expect(
            server.change(to: wanted) == "RESET ROLE; SET SESSION AUTHORIZATION 'b'; "
                + "SELECT pg_catalog.set_config('role', 's', false)")
        let other = state(["session_authorization": "a"], extra: ["role": "r", "x": "2"])
        #expect(
            server.change(to: other)
                == "RESET ROLE; SELECT pg_catalog.set_config('x', '2', false); "
                + "SELECT pg_catalog.set_config('role', 'r', false)")
        let plain = state(["session_authorization": "a"])
        #expect(server.change(to: plain) == #"RESET ROLE; RESET "x""#)
    }

    @Test func `a parameter that the client does not know of is left alone`() {
        #expect(state(["timezone": "UTC"]).change(to: state()) == nil)
    }

    @Test(arguments: [
        ("plain", "'plain'"), ("", "''"), ("it's", "'it''s'"), (#"a\b"#, #"E'a\\b'"#),
        (#"\'; drop table x; --"#, #"E'\\''; drop table x; --'"#), ("''", "''''''"),
        (#"\\"#, #"E'\\\\'"#), ("ü\n", "'ü\n'"),
    ])
    func `values are quoted so that nothing in them is SQL`(_ value: String, _ literal: String) {
        let change = state().change(to: state(extra: ["n": value]))
        #expect(change == "SELECT pg_catalog.set_config('n', \(literal), false)")
    }

    @Test func `names are quoted too`() {
        let change = state(extra: [#"x"; drop"#: "1"]).change(to: state())
        #expect(change == #"RESET "x""; drop""#)
    }

    @Test func `a report changes one value, under its name in lower case`() {
        let before = state(["timezone": "UTC"], extra: ["a": "b"])
        let after = before.reporting("TimeZone", "Asia/Tokyo")
        #expect(after.reported == ["timezone": "Asia/Tokyo"])
        #expect(after.extra == ["a": "b"])
        #expect(after.isProven)
        #expect(after.reporting("TIMEZONE", "Asia/Tokyo") === after)
        #expect(!before.fits(after))
    }
}
