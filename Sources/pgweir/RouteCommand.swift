internal import ArgumentParser
internal import Bytes
internal import Configuration
internal import Routing
internal import Sharding
internal import Worker

struct RouteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Say on which shard statements would run, and why, without running them.",
        discussion: """
            Without a statement it reads one from each line of standard input. Of each it prints \
            the shard, or "any", with the rule and the reason, or "refused" and why. Parameters \
            ($1) have no value here.
            """)

    @Option(help: "The configuration: pgweir.toml.")
    var config: String

    @Option(help: "The database, as clients name it.")
    var database: String

    @Option(help: "The user who logs in, for tenants by user.")
    var user = ""

    @Argument(help: "The statement.")
    var statement: String?

    func run() throws {
        let settings = try load(config).settings
        let sharding = settings.sharding
        guard let destination = settings.destination(database: database, user: user) else {
            printError("\(config): \(database) is not on shards")
            throw ExitCode.failure
        }
        switch destination {
        case .shard(let shard, let cluster):
            let name = sharding.clusters[cluster]?.shards[shard].name ?? "none"
            print("\(name) (everything of \(database) is there)")
        case .map(let map, _):
            guard let router = sharding.routers[map] else {
                printError("\(config): there is no map \(map)")
                throw ExitCode.failure
            }
            try route(StatementRouter(router))
        }
    }

    private func route(_ router: consuming StatementRouter) throws {
        if let statement {
            let route = answer(statement, &router)
            print(text(route, router.router.map))
            if case .refused = route { throw ExitCode.failure }
            return
        }
        while let line = readLine() {
            print(text(answer(line, &router), router.router.map))
        }
    }

    private func answer(_ statement: String, _ router: inout StatementRouter) -> Route {
        let bytes = Array(statement.utf8)
        return bytes.withRawSpan { router.route($0, in: 0..<bytes.count, ExecutionValues()) }
    }

    private func text(_ route: Route, _ map: ShardingMap) -> String {
        let it = RouteExplanation(route, map)
        guard !it.shard.isEmpty else { return "\(it.rule): \(it.reason)" }
        return "\(it.shard) (\(it.rule.isEmpty ? "" : it.rule + ": ")\(it.reason))"
    }
}
