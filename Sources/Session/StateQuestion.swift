internal import Bytes
internal import SQL

/// What we ask a server about the session that a client is about to leave: one query, one row.
///
/// Columns: one for each kind of state that is suspected or pins, '' or 't', or the channels as one
/// text; then the parameters of the session as one text; then one column for each parameter that
/// is asked for by name; then one for each witness of an UNLISTEN.
public struct StateQuestion: Sendable {
    /// Kinds whose columns come first, in this order.
    let kinds: [Suspicions]
    let asksAllParameters: Bool
    /// Everything is asked for, whatever the texts say.
    let isAudit: Bool
    /// What was suspected when it was asked; what the client has sent since then is not in it.
    let traces: SessionTraces
    /// Names asked for one by one, because no list has them.
    let names: [String]
    /// Asked for by name as well, behind the others.
    let witnesses: [ClientChannels.Witness]
    /// The row, when it has come; nil = the column is NULL.
    var answer: [String?]?

    /// Kinds with a question of their own, and the question.
    static let questions: [(kind: Suspicions, sql: String)] = [
        (
            .advisoryLocks,
            "EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' "
                + "AND pid = pg_catalog.pg_backend_pid())"
        ),
        (
            .temporaryObjects,
            "EXISTS (SELECT FROM pg_catalog.pg_class "
                + "WHERE relnamespace = pg_catalog.pg_my_temp_schema()) "
                + "OR EXISTS (SELECT FROM pg_catalog.pg_proc "
                + "WHERE pronamespace = pg_catalog.pg_my_temp_schema()) "
                + "OR EXISTS (SELECT FROM pg_catalog.pg_type "
                + "WHERE typnamespace = pg_catalog.pg_my_temp_schema())"
        ),
        (.heldCursors, "EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"),
        (
            .preparedStatements,
            "EXISTS (SELECT FROM pg_catalog.pg_prepared_statements "
                + "WHERE from_sql AND pg_catalog.left(name, 7) <> 'pgweir_')"
        ),
        (
            .channels,
            "(SELECT pg_catalog.string_agg(channel, pg_catalog.chr(2)) "
                + "FROM pg_catalog.pg_listening_channels() AS channel)"
        ),
    ]

    /// Between the parameters of the list, and between name and value.
    private static let separators: (between: Character, inside: Character) = ("\u{2}", "\u{1}")

    init(
        _ traces: SessionTraces, reported: [String: String], extra: [String: String],
        asksAll: Bool = false, witnesses: [ClientChannels.Witness] = []
    ) {
        // Once something pins, a DROP or an unlock may have ended it.
        let asked = traces.suspected.union(traces.pins)
        isAudit = asksAll
        self.traces = traces
        kinds = Self.questions.map(\.kind).filter { asksAll || asked.contains($0) }
        self.witnesses = kinds.contains(.channels) ? witnesses : []
        // Only the list says whether a parameter is set: a RESET may have been rolled back.
        asksAllParameters =
            asksAll || asked.contains(.anyParameter)
            || traces.touched.contains { $0.value && !$0.key.contains(".") && $0.key != "role" }
        var names = Set(traces.touched.keys)
        if asksAllParameters {
            names.formUnion(extra.keys)
            names.insert("role")
        }
        self.names = names.filter { reported[$0] == nil }.sorted()
    }

    var isEmpty: Bool { kinds.isEmpty && !asksAllParameters && names.isEmpty }

    /// The query's text; its literals hold whatever standard_conforming_strings is.
    var sql: String {
        var columns = kinds.map { kind in
            Self.questions.first { $0.kind == kind }?.sql ?? "false"
        }
        if asksAllParameters {
            columns.append(
                "(SELECT pg_catalog.string_agg("
                    + "name || pg_catalog.chr(1) || pg_catalog.current_setting(name), "
                    + "pg_catalog.chr(2)) FROM pg_catalog.pg_settings WHERE source = 'session' "
                    + "AND name NOT LIKE 'transaction%')")
        }
        columns += (names + witnesses.map(\.name)).map {
            "pg_catalog.current_setting(\(ParameterState.quoted(literal: $0)), true)"
        }
        return "SELECT " + columns.joined(separator: ", ")
    }

    /// Reads a DataRow's body. Source: PostgreSQL documentation, "Message Formats", DataRow.
    mutating func read(_ row: borrowing RawSpan) {
        let values = Self.values(row)
        let count = namesStart + names.count + witnesses.count
        if values.count == count { answer = values }
    }

    /// The columns of a DataRow's body; nil = NULL. None if it is malformed.
    static func values(_ row: borrowing RawSpan) -> [String?] {
        guard row.byteCount >= 2 else { return [] }
        var offset = 2
        var values: [String?] = []
        for _ in 0..<Int(row.uint16BigEndian(at: 0)) {
            guard offset + 4 <= row.byteCount else { return [] }
            let length = Int(Int32(bitPattern: row.uint32BigEndian(at: offset)))
            offset += 4
            guard length >= 0 else {
                values.append(nil)
                continue
            }
            guard length <= row.byteCount - offset else { return [] }
            values.append(row.string(in: offset..<offset + length))
            offset += length
        }
        return values
    }

    private var namesStart: Int { kinds.count + (asksAllParameters ? 1 : 0) }

    /// What the server listens to, in the order in which it began to; nil = not asked.
    var channels: [String]? {
        guard let answer, let place = kinds.firstIndex(of: .channels) else { return nil }
        let names = (answer[place] ?? "").split(separator: Self.separators.between)
        return names.map(String.init)
    }

    var committedWitnesses: [ClientChannels.Witness] {
        guard let answer else { return [] }
        let values = answer.dropFirst(namesStart + names.count)
        return zip(witnesses, values).filter { $0.value == $1 }.map(\.0)
    }

    /// Kinds of state that the server says are there.
    var found: Suspicions {
        var found: Suspicions = []
        for (kind, value) in zip(kinds, answer ?? []) where value == "t" && kind != .channels {
            found.insert(kind)
        }
        return found
    }

    /// All parameters that the session has set, but for those that no list shows; nil = not asked.
    var allParameters: [String: String]? {
        guard asksAllParameters, let answer else { return nil }
        var all: [String: String] = [:]
        let text = answer[kinds.count] ?? ""
        for part in text.split(separator: Self.separators.between) {
            guard let cut = part.firstIndex(of: Self.separators.inside) else { continue }
            all[part[..<cut].lowercased()] = String(part[part.index(after: cut)...])
        }
        return all
    }

    /// The parameters asked for by name; nil = no such parameter.
    var named: [(name: String, value: String?)] {
        guard let answer else { return [] }
        return Array(zip(names, answer.dropFirst(namesStart)))
    }
}
