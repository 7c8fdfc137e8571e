internal import Bytes
internal import Routing
internal import Sharding
internal import Wire
internal import Worker

// SHOW ROUTE: where a statement would go, without running it.

extension Steward {
    /// `user`: who asks, for tenants by user. Parses on the console's thread.
    func routeRows(
        _ question: Command.RouteQuestion?, user: String
    ) throws(ErrorReply) -> RowSet {
        guard let question else {
            throw error(
                .syntaxError, "SHOW ROUTE was not understood",
                hint: "Write SHOW ROUTE FOR 'SELECT …', or SHOW ROUTE FOR 'SELECT …' IN database. "
                    + "A quote in the statement is written twice.")
        }
        let settings = service.settings
        var set = RowSet(types: "sssss", names: "database shard role rule reason")
        if let database = question.database {
            try check(database, "route in")
            guard let destination = settings.destination(database: database, user: user) else {
                throw error(
                    .featureNotSupported, "database \(database) is not on shards",
                    hint: "SHOW TENANTS lists those that are.")
            }
            set.add(row(question.statement, database, destination, settings.sharding))
            return set
        }
        for (database, destination) in mapped(settings.sharding, user: user) {
            set.add(row(question.statement, database, destination, settings.sharding))
        }
        guard !set.rows.isEmpty else {
            throw error(
                .featureNotSupported, "no database has a sharding map",
                hint: "Name a database that is whole on one shard: SHOW ROUTE FOR 'SELECT …' IN "
                    + "database; or write a [sharding.NAME].")
        }
        return set
    }

    /// Databases and tenants with a map, by name, as `user` finds them.
    private func mapped(_ sharding: ShardingSettings, user: String) -> [(String, Destination)] {
        let tenants = sharding.tenants.values.filter { $0.settings.match == .database }
        return Set(sharding.databases.keys).union(tenants.map(\.name)).sorted().compactMap {
            guard let found = sharding.destination(database: $0, user: user),
                case .map = found
            else { return nil }
            return ($0, found)
        }
    }

    private func row(
        _ statement: String, _ database: String, _ destination: Destination,
        _ sharding: ShardingSettings
    ) -> [String?] {
        switch destination {
        case .shard(let index, let cluster):
            let shard = sharding.clusters[cluster]?.shards[index].name
            return [database, shard, "primary", "", "everything of \(database) is there"]
        case .map(let name, _):
            guard let router = sharding.routers[name] else {
                return [database, "", "", "refused", "there is no map \(name)"]
            }
            var statements = StatementRouter(router)
            let bytes = Array(statement.utf8)
            let route = bytes.withRawSpan {
                statements.route($0, in: 0..<bytes.count, ExecutionValues())
            }
            let it = RouteExplanation(route, router.map)
            return [database, it.shard, it.role, it.rule, it.reason]
        }
    }
}
