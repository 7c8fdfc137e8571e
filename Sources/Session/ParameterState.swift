internal import SQL

/// Session parameters and their values, at one moment: what a client wants, or what a server has.
///
/// Immutable and shared, so that "the same as last time" is one comparison of references. A value
/// that a server has reported or accepted is proven; one that only a client named is not.
public final class ParameterState: Sendable {
    /// Lower-case name to value; the parameters that a session can set and the server reports.
    public let reported: [String: String]
    /// Lower-case name to value; set on purpose, and not reported by the server.
    public let extra: [String: String]
    public let isProven: Bool
    /// standard_conforming_strings, looked up once.
    let hasConformingStrings: Bool
    /// client_encoding, the same.
    let isUTF8: Bool
    /// Stands for the values that decide what literals mean; above 2. Differs from one run of the
    /// process to the next, so that nobody can make two that are the same.
    public let literals: UInt64
    /// Stands for those that decide what names mean, in the same way.
    public let path: UInt64

    public init(reported: [String: String], extra: [String: String], isProven: Bool) {
        self.reported = reported
        self.extra = extra
        self.isProven = isProven
        hasConformingStrings = reported["standard_conforming_strings"] != "off"
        isUTF8 = reported["client_encoding"] == "UTF8"
        var hasher = Hasher()
        for name in TextMeaning.reportedSettings + TextMeaning.otherSettings {
            hasher.combine(reported[name] ?? extra[name])
        }
        literals = UInt64(bitPattern: Int64(hasher.finalize())) | 4
        hasher = Hasher()
        hasher.combine(reported["search_path"] ?? extra["search_path"])
        // "$user" is in it as a rule.
        hasher.combine(reported["session_authorization"])
        hasher.combine(extra["role"])
        path = UInt64(bitPattern: Int64(hasher.finalize()))
    }

    public static let empty = ParameterState(reported: [:], extra: [:], isProven: true)

    /// Parameters that a server reports and that are not set as the others are.
    public static let fixed: Set<String> = [
        "in_hot_standby", "integer_datetimes", "is_superuser", "server_encoding",
        "server_version", "session_authorization",
    ]

    /// The same with one reported value changed; `self` when nothing changes.
    public func reporting(_ name: String, _ value: String) -> ParameterState {
        let key = name.lowercased()
        guard reported[key] != value else { return self }
        var changed = reported
        changed[key] = value
        return ParameterState(reported: changed, extra: extra, isProven: isProven)
    }

    public func fits(_ other: ParameterState) -> Bool {
        self === other || (settable == other.settable && extra == other.extra)
    }

    private var settable: [String: String] {
        reported.filter { !Self.fixed.contains($0.key) }
    }

    /// The query that makes a server with state `self` fit a client that wants `wanted`; nil when
    /// it fits already. Values go through set_config, which reads them as a startup packet does.
    public func change(to wanted: ParameterState) -> String? {
        if self === wanted { return nil }
        var statements: [String] = []
        for name in extra.keys.sorted() where name != "role" && wanted.extra[name] == nil {
            statements.append("RESET \(Self.quoted(identifier: name))")
        }
        var sets = Self.difference(from: extra, to: wanted.extra).filter { $0.0 != "role" }
        sets += Self.difference(from: reported, to: wanted.reported).filter {
            !Self.fixed.contains($0.0)
        }
        if !sets.isEmpty { statements.append(Self.setting(sets)) }
        let identity = (own: Identity(self), wanted: Identity(wanted))
        guard !statements.isEmpty || identity.own != identity.wanted else { return nil }
        // Who may set what depends on the role: the user who logged in sets everything.
        statements.insert(contentsOf: identity.own.leaving(for: identity.wanted), at: 0)
        if let role = identity.wanted.role { statements.append(Self.setting([("role", role)])) }
        return statements.joined(separator: "; ")
    }

    /// Who a session acts as.
    private struct Identity: Equatable {
        let user: String?
        let role: String?

        init(_ state: ParameterState) {
            user = state.reported["session_authorization"]
            role = state.extra["role"]
        }

        func leaving(for wanted: Identity) -> [String] {
            var statements: [String] = []
            if role != nil { statements.append("RESET ROLE") }
            if let name = wanted.user, name != user {
                statements.append(
                    "SET SESSION AUTHORIZATION \(ParameterState.quoted(literal: name))")
            }
            return statements
        }
    }

    /// Names and values of `wanted` that are missing or different in `own`, by name.
    private static func difference(
        from own: [String: String], to wanted: [String: String]
    ) -> [(String, String)] {
        wanted.filter { own[$0.key] != $0.value }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
    }

    private static func setting(_ sets: [(String, String)]) -> String {
        let calls = sets.map { name, value in
            "pg_catalog.set_config(\(quoted(literal: name)), \(quoted(literal: value)), false)"
        }
        return "SELECT " + calls.joined(separator: ", ")
    }

    /// `text` as a string literal that means the same whatever standard_conforming_strings is.
    static func quoted(literal text: String) -> String {
        let doubled = text.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "''")
        guard doubled.contains("\\") else { return "'\(doubled)'" }
        let escaped = doubled.split(separator: "\\", omittingEmptySubsequences: false)
            .joined(separator: "\\\\")
        return "E'\(escaped)'"
    }

    static func quoted(identifier text: String) -> String {
        text.split(separator: ".", omittingEmptySubsequences: false).map { part in
            let doubled = part.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"")
            return "\"\(doubled)\""
        }.joined(separator: ".")
    }
}
