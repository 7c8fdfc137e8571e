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

    public init(reported: [String: String], extra: [String: String], isProven: Bool) {
        self.reported = reported
        self.extra = extra
        self.isProven = isProven
    }

    public static let empty = ParameterState(reported: [:], extra: [:], isProven: true)

    /// Parameters that a server reports and a session cannot set.
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
        var resets: [String] = []
        var sets: [(String, String)] = []
        for name in extra.keys.sorted() where wanted.extra[name] == nil {
            resets.append("RESET \(Self.quoted(identifier: name));")
        }
        for (name, value) in wanted.extra.sorted(by: { $0.key < $1.key })
        where extra[name] != value {
            sets.append((name, value))
        }
        for (name, value) in wanted.reported.sorted(by: { $0.key < $1.key })
        where !Self.fixed.contains(name) && reported[name] != value {
            sets.append((name, value))
        }
        guard !resets.isEmpty || !sets.isEmpty else { return nil }
        var text = resets.joined()
        if !sets.isEmpty {
            let calls = sets.map { name, value in
                "pg_catalog.set_config(\(Self.quoted(literal: name)), "
                    + "\(Self.quoted(literal: value)), false)"
            }
            text += "SELECT " + calls.joined(separator: ", ")
        }
        return text
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
