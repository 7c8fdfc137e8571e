import Session
import Testing

/// Not the one of Testing.
private typealias Expectation = Session.Expectation

@Suite struct LedgerTests {
    private func ledger(_ entries: Expectation...) -> Ledger {
        var ledger = Ledger()
        for entry in entries { ledger.append(entry) }
        return ledger
    }

    private func kinds(_ ledger: Ledger) -> [Expectation.Kind] {
        var rest = ledger
        var kinds: [Expectation.Kind] = []
        while let entry = rest.removeHead() { kinds.append(entry.kind) }
        return kinds
    }

    @Test func `entries leave in the order in which they came`() {
        var ledger = ledger(
            Expectation(.parse, .swallow, statement: 7), Expectation(.bind), Expectation(.sync))
        #expect(ledger.count == 3)
        #expect(ledger.head == Expectation(.parse, .swallow, statement: 7))
        #expect(ledger.last == Expectation(.sync))
        #expect(ledger.removeHead()?.kind == .parse)
        #expect(kinds(ledger) == [.bind, .sync])
    }

    @Test func `an empty ledger owes nothing`() {
        var ledger = Ledger()
        #expect(ledger.isEmpty)
        #expect(ledger.head == nil)
        #expect(ledger.removeHead() == nil)
        #expect(!ledger.hasSync)
        ledger.append(Expectation(.query))
        #expect(!ledger.isEmpty)
        #expect(!ledger.hasSync)
        ledger.append(Expectation(.sync))
        #expect(ledger.hasSync)
    }

    @Test func `a batch is open until its Sync, whatever Query stands behind it`() {
        #expect(!ledger(Expectation(.query)).hasOpenBatch)
        #expect(ledger(Expectation(.describe), Expectation(.functionCall)).hasOpenBatch)
        #expect(!ledger(Expectation(.describe), Expectation(.sync)).hasOpenBatch)
        #expect(!ledger(Expectation(.bind), Expectation(.sync), Expectation(.query)).hasOpenBatch)
    }

    @Test func `an error takes out everything up to the next Sync`() {
        var ledger = ledger(
            Expectation(.bind), Expectation(.execute), Expectation(.query), Expectation(.sync),
            Expectation(.bind), Expectation(.sync))
        var dropped: [Expectation.Kind] = []
        let hasSync = ledger.dropThroughError { dropped.append($0.kind) }
        #expect(hasSync)
        #expect(dropped == [.bind, .execute, .query])
        #expect(kinds(ledger) == [.sync, .bind, .sync])
    }

    @Test func `an error without a Sync takes out everything`() {
        var ledger = ledger(Expectation(.parse), Expectation(.close, .synthesise))
        var dropped: [Expectation.Disposition] = []
        let hasSync = ledger.dropThroughError { dropped.append($0.disposition) }
        #expect(!hasSync)
        #expect(dropped == [.forward, .synthesise])
        #expect(ledger.isEmpty)
    }

    @Test func `a COPY takes out the Syncs right behind it`() {
        var some = ledger(
            Expectation(.execute), Expectation(.sync), Expectation(.sync), Expectation(.parse),
            Expectation(.sync))
        #expect(some.beginCopy() == .brokenOff)
        #expect(kinds(some) == [.execute, .parse, .sync])
        var one = ledger(Expectation(.execute))
        #expect(one.beginCopy() == .open)
        #expect(kinds(one) == [.execute])
        var ended = ledger(
            Expectation(.query), Expectation(.sync), Expectation(.copyEnd), Expectation(.sync))
        #expect(ended.beginCopy() == .ended)
        #expect(kinds(ended) == [.query, .sync])
        var broken = ledger(Expectation(.query), Expectation(.sync), Expectation(.query))
        #expect(broken.beginCopy() == .brokenOff)
        #expect(kinds(broken) == [.query, .query])
    }
}
