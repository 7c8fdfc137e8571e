internal import Bytes
internal import SQL
internal import Sharding

/// What is done with the text of a query. All read the same one, of 60 bytes.
enum Texts {
    private static let query = Array(
        "SELECT balance FROM accounts WHERE tenant_id = 42 AND id = 7".utf8)

    /// All tokens of the query.
    static func lexer(_ count: Int) -> UInt64 {
        var sum: UInt64 = 0
        query.withRawSpan { text in
            for _ in 0..<count {
                var lexer = Lexer()
                while let token = lexer.next(in: text, before: text.byteCount) {
                    sum &+= UInt64(token.range.upperBound)
                }
            }
        }
        return sum
    }

    /// What the query may leave behind in its server's session: nothing.
    static func scanner(_ count: Int) -> UInt64 {
        var sum: UInt64 = 0
        query.withRawSpan { text in
            for _ in 0..<count {
                let facts = StatementScanner.facts(of: text, in: 0..<text.byteCount)
                sum &+= UInt64(facts.statementCount)
            }
        }
        return sum
    }

    /// The query without its literals.
    static func shape(_ count: Int) -> UInt64 {
        var shape = Shape()
        var sum: UInt64 = 0
        query.withRawSpan { text in
            for _ in 0..<count {
                shape.read(text, in: 0..<text.byteCount)
                sum &+= UInt64(shape.literals.count)
            }
        }
        return sum
    }

    /// The shard of the query, whose shape is known, by PostgreSQL's hash of its key.
    static func route(_ count: Int) throws -> UInt64 {
        var description = MapDescription(name: "by_tenant", shards: ["s0", "s1", "s2", "s3"])
        description.key = ["bigint"]
        description.tables = ["*": ["tenant_id"]]
        var router = StatementRouter(Router(try ShardingMap(description)))
        let values = ExecutionValues()
        var sum: UInt64 = 0
        query.withRawSpan { text in
            for _ in 0..<count {
                let route = router.route(text, in: 0..<text.byteCount, values)
                guard case .shard(let shard, _) = route else { preconditionFailure("\(route)") }
                sum &+= UInt64(shard)
            }
        }
        return sum
    }
}
