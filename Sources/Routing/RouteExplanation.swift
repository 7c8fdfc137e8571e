public import Sharding

/// A route in words: EXPLAIN (SHARDS), SHOW ROUTE FOR, `pgweir route`.
public struct RouteExplanation: Equatable, Sendable {
    /// A shard's name, "any", "every"; "" = refused, or to be looked up.
    public let shard: String
    /// Which server of the shard.
    public let role: String
    public let rule: String
    public let reason: String

    public init(_ route: Route, _ map: ShardingMap) {
        switch route {
        case .shard(let index, let rule):
            shard = map.shards[index]
            role = "primary"
            self.rule = "\(rule)"
            reason =
                switch rule {
                case .place, .remainder: "map \(map.name) places the key"
                case .hint: "a hint names the shard"
                case .unkeyed: "it names no key; map \(map.name) says where such statements go"
                }
        case .anyShard(let isCatalog):
            (shard, role, rule) = ("any", "primary", "")
            reason = isCatalog ? "catalogs are on every shard" : "the answer is the same everywhere"
        case .everyShard:
            (shard, role, rule, reason) = ("every", "primary", "unkeyed_reads", "it names no key")
        case .session:
            (shard, role, rule) = ("any", "primary", "")
            reason = "it concerns the session: wherever the transaction is"
        case .lookup:
            (shard, role, rule) = ("", "primary", "lookup")
            reason = "lookup_query of map \(map.name) says where the key is"
        case .refused(let refusal):
            (shard, role, rule) = ("", "", "refused")
            reason =
                "\(refusal.message): \(refusal.detail)" + (refusal.hint.map { " \($0)" } ?? "")
        }
    }
}
