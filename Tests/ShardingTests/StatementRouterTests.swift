import Bytes
import Sharding
import Testing

struct StatementRouterTests {
    private static func route(_ text: String, _ router: inout StatementRouter) -> Route {
        let bytes = Array(text.utf8)
        return bytes.withRawSpan { router.route($0, in: 0..<bytes.count, ExecutionValues()) }
    }

    @Test func `a hint says the same as when it was read at first`() throws {
        let planning = try Planning(tenantMap)
        var router = StatementRouter(planning.router)
        let select = "SELECT * FROM t"
        let texts = [
            "/* pgweir: shard=s1 */ \(select)", "\(select) /* pgweir: shard=s2 */",
            "\(select) /* pgweir: key=42 */", "\(select) /* pgweir: key=43 */",
            "\(select) /* of no pooler */", "\(select) /* pgweir: what? */",
            "/* pgweir: shard=s1 */ \(select) /* pgweir: shard=s2 */",
            "/* pgweir: shard=s1 */ \(select) /* */",
        ]
        let first = texts.map { Self.route($0, &router) }
        for _ in 0..<2 {
            for (text, route) in zip(texts, first) {
                #expect(Self.route(text, &router) == route, "\(text)")
                var fresh = StatementRouter(planning.router)
                #expect(Self.route(text, &fresh) == route, "\(text)")
            }
        }
        #expect(first[0] == .shard(1, .hint) && first[1] == .shard(2, .hint))
        #expect(first[0] == first[7] && first[2] != first[4])
    }
}
