import Bytes
import Pooling
import Session
import Testing

@testable import Worker

@Suite struct LimitTests {
    private let start = Instant(nanoseconds: 1000)

    @Test func `zero never ends`() {
        #expect(!Limit(.zero).isSet)
        #expect(Limit(.zero).end(from: start) == .never)
    }

    @Test func `a duration ends so much after its start`() {
        #expect(Limit(.nanoseconds(1)).isSet)
        #expect(Limit(.microseconds(2)).end(from: start) == Instant(nanoseconds: 3000))
    }

    @Test func `what is too long to add never ends`() {
        let long = Limit(.seconds(Int64.max))
        #expect(long.isSet)
        #expect(long.end(from: start) == .never)
        #expect(Limit(.seconds(1)).end(from: .never) == .never)
    }
}

@Suite struct PoolLimitsTests {
    private func limits(
        _ mode: PoolMode = .transaction, _ change: (inout SessionSettings) -> Void = { _ in }
    ) -> PoolLimits {
        var session = SessionSettings()
        session.mode = mode
        change(&session)
        return PoolLimits(session, PoolSettings())
    }

    @Test func `each limit is that of its own setting`() {
        let limits = limits {
            $0.queryTimeout = .seconds(1)
            $0.queryWaitTimeout = .seconds(2)
            $0.queryWaitNotify = .seconds(3)
            $0.idleTransactionTimeout = .seconds(4)
            $0.transactionTimeout = .seconds(5)
            $0.clientIdleTimeout = .seconds(6)
        }
        let ends = [
            limits.queryTimeout, limits.queryWaitTimeout, limits.queryWaitNotify,
            limits.idleTransactionTimeout, limits.transactionTimeout, limits.clientIdleTimeout,
        ].map { ($0.end(from: .zero) - .zero).components.seconds }
        #expect(ends == [1, 2, 3, 4, 5, 6])
    }

    @Test func `a session pool has no limit for transactions`() {
        #expect(!limits(.session) { $0.transactionTimeout = .seconds(5) }.transactionTimeout.isSet)
        #expect(limits(.statement) { $0.transactionTimeout = .seconds(5) }.transactionTimeout.isSet)
    }

    @Test func `linked clients are watched only if something can be due`() {
        #expect(!limits().watchesLinked)
        #expect(limits { $0.clientIdleTimeout = .seconds(1) }.watchesLinked)
        #expect(limits { $0.queryTimeout = .seconds(1) }.watchesLinked)
        #expect(limits { $0.idleTransactionTimeout = .seconds(1) }.watchesLinked)
        #expect(limits { $0.transactionTimeout = .seconds(1) }.watchesLinked)
        #expect(!limits(.session) { $0.transactionTimeout = .seconds(1) }.watchesLinked)
    }
}

@Suite struct TimerTests {
    @Test func `the earliest deadline comes first`() {
        let timers = [30, 10, 20].map {
            Timer(deadline: Instant(nanoseconds: $0), purpose: .janitor)
        }
        #expect(timers.sorted().map(\.deadline.nanoseconds) == [10, 20, 30])
    }
}

@Suite struct PoolStatisticsTests {
    @Test func `a sum adds every figure to its own`() {
        var one = PoolStatistics()
        one.assignmentCount = 1
        one.transactionCount = 2
        one.queryCount = 3
        one.receivedByteCount = 4
        one.sentByteCount = 5
        one.transactionTime = 6
        one.queryTime = 7
        one.waitTime = 8
        one.clientParseCount = 9
        one.serverParseCount = 10
        one.bindCount = 11
        one.loginCount = 12
        var sum = one
        sum += one
        let figures = Mirror(reflecting: sum).children.map { "\($0.value)" }
        #expect(figures == (1...12).map { "\(2 * $0)" })
    }
}
