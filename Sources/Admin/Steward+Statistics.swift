internal import EventLoop
internal import Worker

extension Steward {
    private static let counts = "server_assignment_count xact_count query_count"
    private static let times =
        "xact_time query_time wait_time client_parse_count server_parse_count bind_count "
        + "client_login_count"

    enum StatisticsView {
        case both, totals, averages
    }

    /// SHOW STATS, STATS_TOTALS, STATS_AVERAGES.
    func statistics(_ view: StatisticsView) -> RowSet {
        var set: RowSet
        switch view {
        case .both:
            let totals = "\(Self.counts) received sent \(Self.times)".split(separator: " ")
            let averages = "\(Self.counts) recv sent \(Self.times)".split(separator: " ")
            let names = totals.map { "total_" + $0 } + averages.map { "avg_" + $0 }
            set = RowSet(
                types: "s" + String(repeating: "N", count: 24),
                names: "database " + names.joined(separator: " "))
        case .totals:
            set = RowSet(
                types: "s" + String(repeating: "N", count: 12),
                names: "database \(Self.counts) bytes_received bytes_sent \(Self.times)")
        case .averages:
            set = RowSet(
                types: "s" + String(repeating: "N", count: 12),
                names: "database \(Self.counts) bytes_received bytes_sent "
                    + "xact_time query_time wait_time avg_client_parse_count "
                    + "avg_server_parse_count avg_bind_count avg_client_login_count")
        }
        for (database, sum) in sums.sorted(by: { $0.key < $1.key }) {
            let (change, seconds) = averages.change(of: database, at: now, sum: sum)
            var figures: [Int64] = []
            if view != .averages { figures += sum.figures }
            if view != .totals { figures += change.averages(over: seconds) }
            set.add([database] + figures.map { "\($0)" })
        }
        return set
    }

    /// SHOW TOTALS: over all databases, a row for each figure.
    func totals() -> RowSet {
        var set = RowSet(types: "sN", names: "name value")
        let names =
            "\(Self.counts) client_bytes server_bytes xact_time query_time wait_time "
            + "ps_client_parse_count ps_server_parse_count ps_bind_count client_login_count"
        let sums = sums
        let total = sums.values.reduce(into: PoolStatistics()) { $0 += $1 }
        let (change, seconds) = averages.changeOfAll(at: now, sums: sums)
        for (prefix, figures) in [
            ("total_", total.figures), ("avg_", change.averages(over: seconds)),
        ] {
            for (name, figure) in zip(names.split(separator: " "), figures) {
                set.add([prefix + name, "\(figure)"])
            }
        }
        return set
    }

    /// By database.
    var sums: [String: PoolStatistics] {
        var sums: [String: PoolStatistics] = [:]
        for pool in service.pools {
            let statistics = pool.state.withLock { $0.statistics }
            sums[pool.database, default: PoolStatistics()] += statistics
        }
        return sums
    }
}
