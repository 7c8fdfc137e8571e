internal import Bytes
internal import Sharding
internal import Wire

// What is answered without its text reaching a server.

extension MessageRouter {
    /// A Parse of a statement of ours: another text goes to the server.
    func replace(
        _ bytes: borrowing RawSpan, _ text: Range<Int>, _ message: Message, _ parse: Parsed,
        _ context: Context, _ route: borrowing ClientRoute, _ survey: inout Survey
    ) {
        let command = SessionCommand.read(bytes, in: text, isConforming: context.isConforming)
        let replaced: String
        switch command {
        case .setHint(let change): replaced = change.markedText
        case .malformed:
            survey.target = .refused(.hintNotUnderstood)
            return
        case .show where route.doubt != nil:
            survey.target = route.doubt.map { .refused($0) } ?? .none
            return
        default:
            guard let query = query(for: command, bytes, text, context, route) else { return }
            replaced = query
        }
        var whole = ByteBuffer()
        whole.appendMessage(ClientTag.parse) {
            $0.append(bytes.extracting(parse.name))
            $0.append(UInt8(0))
            $0.append(cString: replaced)
            $0.append(bigEndian: UInt16(0))
        }
        survey.target = .replaced(whole.bytes.array(), nil)
    }

    func answer(
        to command: SessionCommand, _ bytes: borrowing RawSpan, _ text: Range<Int>,
        _ context: Context, _ route: borrowing ClientRoute
    ) -> Survey.Target? {
        var whole = ByteBuffer()
        switch command {
        case .malformed: return .refused(.hintNotUnderstood)
        case .show where route.doubt != nil: return route.doubt.map { .refused($0) }
        case .setHint(let change):
            ClientMessages.query(change.markedText, to: &whole)
            return .replaced(whole.bytes.array(), change)
        default:
            guard let query = query(for: command, bytes, text, context, route) else { return nil }
            ClientMessages.query(query, to: &whole)
            return .replaced(whole.bytes.array(), nil)
        }
    }

    /// The query whose answer is the answer to SHOW pgweir.key or EXPLAIN (SHARDS).
    private func query(
        for command: SessionCommand, _ bytes: borrowing RawSpan, _ text: Range<Int>,
        _ context: Context, _ route: borrowing ClientRoute
    ) -> String? {
        switch command {
        case .show(let shown, let column):
            let value =
                switch (shown, route.shownHint) {
                case (.key, .key(let columns)?): columns.joined(separator: ",")
                case (.shard, .shard(let name)?): name
                case (.shard, .key?):
                    if case .shard(let shard, _)? = route.hinted {
                        router.map.shards[shard]
                    } else {
                        ""
                    }
                case _: column == "shard" ? "any" : ""
                }
            return "SELECT \(Self.literal(value)) AS \"\(column)\""
        case .explain(let start):
            var values = ExecutionValues()
            values.isUTF8 = context.isUTF8
            if router.isBySchema { values.searchPath = context.searchPath }
            let found = statements.route(
                bytes, in: start..<text.upperBound, values, isConforming: context.isConforming,
                hint: route.hinted)
            let explanation = RouteExplanation(found, router.map)
            let columns = [
                (explanation.shard, "shard"), (explanation.role, "role"),
                (explanation.rule, "rule"), (explanation.reason, "reason"),
            ]
            return "SELECT "
                + columns.map { "\(Self.literal($0)) AS \($1)" }.joined(separator: ", ")
        case .begin, .end, .chain, .setHint, .resetAll, .setSearchPath, .savepoint, .rollbackTo,
            .malformed, .other:
            return nil
        }
    }

    /// Holds whatever standard_conforming_strings is.
    private static func literal(_ text: String) -> String {
        let doubled = text.map { $0 == "'" ? "''" : $0 == "\\" ? "\\\\" : String($0) }.joined()
        return (text.contains("\\") ? " E'" : "'") + doubled + "'::text"
    }
}
