import Bytes
import Testing
import Worker

@testable import Admin

@Suite struct AveragesTests {
    private func sums(_ count: Int) -> [String: PoolStatistics] {
        var one = PoolStatistics()
        one.transactionCount = count
        one.receivedByteCount = 100 * count
        one.transactionTime = Int64(2_000_000 * count)
        return ["a": one, "b": one]
    }

    @Test func `the first period counts what it has brought so far`() {
        let averages = Averages(at: .zero)
        let now = Instant.zero + .seconds(2)
        let (change, seconds) = averages.changeOfAll(at: now, sums: sums(10))
        #expect(change.transactionCount == 20)
        #expect(seconds == 2)
    }

    @Test func `afterwards only the last whole period counts`() {
        var averages = Averages(at: .zero)
        let period: Duration = .seconds(10)
        averages.endPeriod(at: .zero + period, sums: sums(10))
        averages.endPeriod(at: .zero + .seconds(20), sums: sums(40))
        let (change, seconds) = averages.changeOfAll(at: .zero + .seconds(25), sums: sums(90))
        #expect(change.transactionCount == 60)
        #expect(seconds == 10)
        #expect(averages.end(of: period) == .zero + .seconds(30))
    }

    @Test func `a database that was forgotten brings nothing, not less than nothing`() {
        var averages = Averages(at: .zero)
        averages.endPeriod(at: .zero + .seconds(10), sums: sums(10))
        averages.endPeriod(at: .zero + .seconds(20), sums: sums(3))
        #expect(averages.changeOfAll(at: .zero + .seconds(20), sums: sums(3)).0 == PoolStatistics())
    }

    @Test func `the summary has PgBouncer's words, units and order`() {
        var change = PoolStatistics()
        change.assignmentCount = 2
        change.transactionCount = 20
        change.queryCount = 40
        change.clientParseCount = 60
        change.serverParseCount = 80
        change.bindCount = 100
        change.loginCount = 120
        change.receivedByteCount = 140
        change.sentByteCount = 160
        change.transactionTime = 20 * 5000
        change.queryTime = 40 * 6000
        change.waitTime = 2 * 7000
        #expect(
            change.summary(over: 10)
                == "stats: 2 xacts/s, 4 queries/s, 6 client parses/s, 8 server parses/s, "
                + "10 binds/s, 12 client logins/s, in 14 B/s, out 16 B/s, xact 5 us, "
                + "query 6 us, wait 7 us")
    }
}
