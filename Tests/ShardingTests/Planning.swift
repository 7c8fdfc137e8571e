import Bytes

@testable import Sharding

/// What the tests of the planner use: keys by tenant_id, id and customer_id.
let tenantMap: MapDescription = description {
    $0.tables = [
        "*": ["tenant_id"], "users": ["id"], "accounts": ["tenant_id"],
        "billing.invoices": ["customer_id"],
    ]
    $0.referenceTables = ["plans", "countries"]
}

/// A router, and what it makes of statements.
struct Planning {
    let router: Router

    init(_ description: MapDescription = tenantMap) throws {
        router = Router(try ShardingMap(description))
    }

    func plan(_ text: String, conforming: Bool = true, isUTF8: Bool = true) -> Plan {
        var cache = PlanCache(router)
        var shape = Shape()
        let bytes = Array(text.utf8)
        return bytes.withRawSpan { span in
            shape.read(span, in: 0..<bytes.count, standardConformingStrings: conforming)
            return cache.plan(
                shape, span, in: 0..<bytes.count, isConforming: conforming, isUTF8: isUTF8)
        }
    }

    func route(_ text: String, _ values: ExecutionValues = .init()) -> Route {
        var cache = PlanCache(router)
        return route(text, values, &cache)
    }

    /// With the plans that `cache` has.
    func route(_ text: String, _ values: ExecutionValues, _ cache: inout PlanCache) -> Route {
        var shape = Shape()
        let bytes = Array(text.utf8)
        return bytes.withRawSpan { span in
            shape.read(span, in: 0..<bytes.count)
            let plan = cache.plan(shape, span, in: 0..<bytes.count)
            return router.route(plan, shape, span, values)
        }
    }

    /// In short: "keys 1 2", "write keys 1", "any", "catalog", "session", "unkeyed", "refused".
    /// Statements are separated by "; ".
    func told(_ text: String, _ values: ExecutionValues = .init()) -> String {
        let plan = plan(text)
        var shape = Shape()
        let bytes = Array(text.utf8)
        return bytes.withRawSpan { span in
            shape.read(span, in: 0..<bytes.count)
            var parts: [String] = []
            for statement in plan.statements {
                switch statement {
                case .anyShard(let isCatalog): parts.append(isCatalog ? "catalog" : "any")
                case .session: parts.append("session")
                case .refused: parts.append("refused")
                case .unkeyed(let isWrite, _): parts.append(isWrite ? "write unkeyed" : "unkeyed")
                case .keyed(let conditions, let isWrite):
                    var keys: [String] = []
                    for condition in conditions {
                        do throws(Refusal) {
                            keys += try router.keys(of: condition, shape, span, values)
                                .map { router.shown($0) }
                        } catch {
                            keys.append("<\(error.detail)>")
                        }
                    }
                    let shown = Array(Set(keys)).sorted().joined(separator: " ")
                    parts.append((isWrite ? "write " : "") + "keys " + shown)
                }
            }
            return parts.joined(separator: "; ")
        }
    }

    /// DETAIL of a plan that is refused or has no key.
    func detail(_ text: String) -> String? {
        switch plan(text).statements.first {
        case .refused(let refusal), .unkeyed(_, let refusal): refusal.detail
        case _: nil
        }
    }
}

/// A parameter as text.
func bound(_ text: String?, _ declared: UInt32 = 0) -> BoundParameter {
    BoundParameter(bytes: text.map { Array($0.utf8) }, isBinary: false, declared: declared)
}

func parameters(_ list: BoundParameter...) -> ExecutionValues {
    var values = ExecutionValues()
    for (index, parameter) in list.enumerated() { values.parameters[index + 1] = parameter }
    return values
}
