internal import Bytes
internal import Testing

@testable internal import Pooling

@Suite struct PoolListenerTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func opened(_ names: [String], by worker: UInt8 = 0) -> PoolListener {
        var listener = PoolListener()
        let answer1 = listener.change(adding: names, removing: [], worker: worker, at: start)
        #expect(answer1 == .open)
        listener.opened(worker: worker, marker: "m", at: start)
        return listener
    }

    @Test func `the first channel opens the listener once`() {
        var listener = PoolListener()
        let answer2 = listener.change(adding: ["a"], removing: [], worker: 1, at: start)
        #expect(answer2 == .open)
        let answer3 = listener.change(adding: ["b"], removing: [], worker: 2, at: start)
        #expect(answer3 == .nothing)
        #expect(listener.connection == .opening(worker: 1))
        listener.opened(worker: 1, marker: "m", at: start)
        let order = listener.nextOrder()
        #expect(order.map { Set($0.listen) } == ["a", "b"])
        #expect(!listener.hears(["a"]))
        let answer4 = listener.orderDone()
        #expect(answer4 == 0b110)
        #expect(listener.hears(["a", "b"]))
        let answer5 = listener.nextOrder()
        #expect(answer5 == nil)
    }

    @Test func `a channel is left when the last worker leaves it`() {
        var listener = opened(["a"])
        _ = listener.nextOrder()
        _ = listener.orderDone()
        let joined = listener.change(adding: ["a"], removing: [], worker: 3, at: start)
        #expect(joined == .nothing)
        #expect(listener.workers(of: "a") == 0b1001)
        let left = listener.change(adding: [], removing: ["a"], worker: 0, at: start)
        #expect(left == .nothing)
        #expect(listener.workers(of: "a") == 0b1000)
        let last = listener.change(adding: [], removing: ["a"], worker: 3, at: start)
        #expect(last == .tell(worker: 0))
        let answer6 = listener.nextOrder()
        #expect(answer6 == ListenerOrder(listen: [], unlisten: ["a"]))
    }

    @Test func `whoever wants a channel that is being left waits for a new LISTEN`() {
        var listener = opened(["a"])
        _ = listener.nextOrder()
        _ = listener.orderDone()
        _ = listener.change(adding: [], removing: ["a"], worker: 0, at: start)
        let order1 = listener.nextOrder()
        #expect(order1?.unlisten == ["a"])
        let answer7 = listener.change(adding: ["a"], removing: [], worker: 1, at: start)
        #expect(answer7 == .nothing)
        #expect(!listener.hears(["a"]))
        let answer8 = listener.orderDone()
        #expect(answer8 == 0)
        #expect(!listener.hears(["a"]))
        let order2 = listener.nextOrder()
        #expect(order2?.listen == ["a"])
        let answer9 = listener.orderDone()
        #expect(answer9 == 0b10)
        #expect(listener.hears(["a"]))
    }

    @Test func `a channel whose client left during its LISTEN is left again`() {
        var listener = opened(["a"])
        let order3 = listener.nextOrder()
        #expect(order3?.listen == ["a"])
        _ = listener.change(adding: [], removing: ["a"], worker: 0, at: start)
        let answer10 = listener.orderDone()
        #expect(answer10 == 0)
        let order4 = listener.nextOrder()
        #expect(order4?.unlisten == ["a"])
    }

    @Test func `after its loss all is to be heard anew, and not at once`() {
        var listener = opened(["a", "b"])
        _ = listener.nextOrder()
        _ = listener.orderDone()
        _ = listener.change(adding: ["b"], removing: [], worker: 2, at: start)
        let answer11 = listener.closed(retryAt: start + .seconds(1))
        #expect(answer11 == 0b101)
        #expect(!listener.hears(["a"]))
        let answer12 = listener.due(worker: 0, at: start)
        #expect(answer12 == .nothing)
        let answer13 = listener.due(worker: 0, at: start + .seconds(1))
        #expect(answer13 == .open)
        listener.opened(worker: 0, marker: "n", at: start)
        let order = listener.nextOrder()
        #expect(order.map { Set($0.listen) } == ["a", "b"])
    }

    @Test func `it is closed when nobody has listened for a while`() {
        var listener = opened(["a"])
        _ = listener.change(adding: [], removing: ["a"], worker: 0, at: start)
        let answer14 = listener.due(worker: 1, at: start + .seconds(9))
        #expect(answer14 == .nothing)
        let answer15 = listener.due(worker: 1, at: start + .seconds(10))
        #expect(answer15 == .close(worker: 0))
        _ = listener.change(adding: ["a"], removing: [], worker: 0, at: start + .seconds(10))
        let answer16 = listener.due(worker: 1, at: start + .seconds(30))
        #expect(answer16 == .nothing)
    }

    @Test func `an order has its limit`() {
        var listener = opened((0..<1_200).map { "c\($0)" })
        var counts: [Int] = []
        while let order = listener.nextOrder() {
            counts.append(order.listen.count)
            _ = listener.orderDone()
        }
        #expect(counts == [PoolListener.orderMax, PoolListener.orderMax, 200])
    }

    /// Workers come and go, orders succeed, the connection breaks: at random, from one seed.
    @Test(arguments: UInt64(1)...20)
    func `what is heard is what is wanted, once all is quiet`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var listener = PoolListener()
        var wanted: [String: Set<UInt8>] = [:]
        for step in 0..<2_000 {
            let now = start + .milliseconds(step)
            switch random.next() % 8 {
            case 0...3:
                let name = "c\(random.next() % 6)"
                let worker = UInt8(random.next() % 3)
                let leaves = wanted[name]?.contains(worker) == true
                if leaves {
                    wanted[name]?.remove(worker)
                } else {
                    wanted[name, default: []].insert(worker)
                }
                _ = listener.change(
                    adding: leaves ? [] : [name], removing: leaves ? [name] : [], worker: worker,
                    at: now)
            case 4, 5: _ = listener.nextOrder()
            case 6: _ = listener.orderDone()
            default:
                if case .opening(let worker) = listener.connection {
                    listener.opened(worker: worker, marker: "m", at: now)
                } else if random.next() % 50 == 0 {
                    _ = listener.closed(retryAt: now)
                }
            }
        }
        let end = start + .seconds(60)
        _ = listener.change(adding: ["last"], removing: [], worker: 0, at: end)
        _ = listener.due(worker: 0, at: end)
        listener.opened(worker: 0, marker: "m", at: end)
        _ = listener.orderDone()
        while listener.nextOrder() != nil { _ = listener.orderDone() }
        for name in (0..<6).map({ "c\($0)" }) {
            let workers = wanted[name] ?? []
            #expect(listener.hears([name]) == !workers.isEmpty)
            #expect(listener.workers(of: name) == workers.reduce(0) { $0 | 1 << UInt128($1) })
        }
    }
}

@Suite struct ChannelTableTests {
    @Test func `the first and the last client of a channel are told apart`() {
        var table = ChannelTable()
        let added = [(1, "a"), (2, "a"), (2, "b")].map { table.add($0, to: $1) }
        #expect(added == [true, false, true])
        #expect(table.clients(of: "a") == [1, 2])
        #expect(table.clients == [1, 2])
        let removed = [(1, "a"), (2, "a"), (2, "a"), (2, "b")].map { table.remove($0, from: $1) }
        #expect(removed == [false, true, false, true])
        #expect(table.isEmpty)
    }
}
