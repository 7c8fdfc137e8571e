internal import Bytes
internal import Worker

/// The sums of all databases at the last two ends of a statistics period.
struct Averages {
    struct Snapshot {
        let at: Instant
        let sums: [String: PoolStatistics]
    }

    private var earlier: Snapshot?
    private var later: Snapshot

    init(at now: Instant) { later = Snapshot(at: now, sums: [:]) }

    func isDue(at now: Instant, period: Duration) -> Bool { now - later.at >= period }

    mutating func endPeriod(at now: Instant, sums: [String: PoolStatistics]) {
        earlier = later
        later = Snapshot(at: now, sums: sums)
    }

    /// What the last whole period brought, and its seconds; in the first period: what it has
    /// brought so far.
    func change(
        of database: String, at now: Instant, sum: PoolStatistics
    ) -> (PoolStatistics, seconds: Double) {
        let from = earlier ?? later
        let to = earlier == nil ? Snapshot(at: now, sums: [database: sum]) : later
        let change = Averages.difference(
            to.sums[database] ?? PoolStatistics(), from.sums[database] ?? PoolStatistics())
        return (change, max(0.001, Double((to.at - from.at).nanoseconds) / 1e9))
    }

    /// The same for all databases together.
    func changeOfAll(
        at now: Instant, sums: [String: PoolStatistics]
    ) -> (PoolStatistics, seconds: Double) {
        var all = PoolStatistics()
        var seconds = 1.0
        for (database, sum) in sums {
            let part = change(of: database, at: now, sum: sum)
            all += part.0
            seconds = part.seconds
        }
        return (all, seconds)
    }

    /// When the period ends that has begun last.
    func end(of period: Duration) -> Instant { later.at + period }

    private static func difference(
        _ to: PoolStatistics, _ from: PoolStatistics
    ) -> PoolStatistics {
        var change = PoolStatistics()
        change.assignmentCount = max(0, to.assignmentCount - from.assignmentCount)
        change.transactionCount = max(0, to.transactionCount - from.transactionCount)
        change.queryCount = max(0, to.queryCount - from.queryCount)
        change.receivedByteCount = max(0, to.receivedByteCount - from.receivedByteCount)
        change.sentByteCount = max(0, to.sentByteCount - from.sentByteCount)
        change.transactionTime = max(0, to.transactionTime - from.transactionTime)
        change.queryTime = max(0, to.queryTime - from.queryTime)
        change.waitTime = max(0, to.waitTime - from.waitTime)
        change.clientParseCount = max(0, to.clientParseCount - from.clientParseCount)
        change.serverParseCount = max(0, to.serverParseCount - from.serverParseCount)
        change.bindCount = max(0, to.bindCount - from.bindCount)
        change.loginCount = max(0, to.loginCount - from.loginCount)
        return change
    }
}

extension PoolStatistics {
    /// In the order of SHOW STATS; times in microseconds.
    var figures: [Int64] {
        [
            Int64(assignmentCount), Int64(transactionCount), Int64(queryCount),
            Int64(receivedByteCount), Int64(sentByteCount), transactionTime / 1000,
            queryTime / 1000, waitTime / 1000, Int64(clientParseCount), Int64(serverParseCount),
            Int64(bindCount), Int64(loginCount),
        ]
    }

    /// The line of `log_stats`, with PgBouncer's words.
    func summary(over seconds: Double) -> String {
        let figures = averages(over: seconds)
        let (received, sent) = (figures[3], figures[4])
        return "stats: \(figures[1]) xacts/s, \(figures[2]) queries/s, "
            + "\(figures[8]) client parses/s, \(figures[9]) server parses/s, "
            + "\(figures[10]) binds/s, \(figures[11]) client logins/s, in \(received) B/s, "
            + "out \(sent) B/s, xact \(figures[5]) us, query \(figures[6]) us, "
            + "wait \(figures[7]) us"
    }

    /// The same per second; times per transaction, per query and per assignment of a server.
    func averages(over seconds: Double) -> [Int64] {
        let sums = figures
        return sums.indices.map { index in
            switch index {
            case 5: sums[5] / max(1, sums[1])
            case 6: sums[6] / max(1, sums[2])
            case 7: sums[7] / max(1, sums[0])
            default: Int64(Double(sums[index]) / seconds)
            }
        }
    }
}
