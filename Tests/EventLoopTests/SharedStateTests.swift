import Bytes
import EventLoop
import Glibc
import Synchronization
import Testing

/// A number that only a lock protects.
private final class Unprotected: @unchecked Sendable {
    // Safe: the test's lock is held around each access; that is what is tested.
    var value = 0
}

@Suite struct LockTests {
    @Test func `eight threads lose no increment`() {
        let lock = Lock()
        let number = Unprotected()
        let threads = (0..<8).map { index in
            Threads.start(name: "lock \(index)") {
                for _ in 0..<20_000 { lock.withLock { number.value += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(number.value == 160_000)
    }

    @Test func `an error leaves the lock free`() {
        struct Refusal: Error {}
        let lock = Lock()
        #expect(throws: Refusal.self) {
            try lock.withLock { () throws(Refusal) in throw Refusal() }
        }
        #expect(lock.withLock { 5 } == 5)
    }
}

@Suite struct MailboxTests {
    @Test func `messages of each sender keep their order`() throws {
        let waker = try Waker()
        let mailbox = Mailbox<(sender: Int, number: Int)>(waker: waker)
        let threads = (0..<4).map { sender in
            Threads.start(name: "sender") {
                for number in 0..<5000 { mailbox.post((sender, number)) }
            }
        }
        var next = [0, 0, 0, 0]
        var total = 0
        var drained: [(sender: Int, number: Int)] = []
        while total < 20_000 {
            mailbox.drain(into: &drained)
            for message in drained {
                #expect(message.number == next[message.sender])
                next[message.sender] += 1
            }
            total += drained.count
            drained.removeAll(keepingCapacity: true)
        }
        for thread in threads { thread.join() }
        #expect(mailbox.isEmpty)
    }

    @Test func `draining appends behind what is there`() throws {
        let mailbox = Mailbox<Int>(waker: try Waker())
        #expect(mailbox.isEmpty)
        mailbox.post(2)
        mailbox.post(3)
        #expect(!mailbox.isEmpty)
        var drained = [1]
        mailbox.drain(into: &drained)
        #expect(drained == [1, 2, 3])
        #expect(mailbox.isEmpty)
    }
}

@Suite struct ThreadsTests {
    @Test func `a thread has CPU time and the process has cores and files`() {
        #expect(Threads.coreCount() >= 1)
        #expect(Threads.raiseFileLimit() >= 256)
        let used = Mutex(Duration.zero)
        let box = Box(used)
        Threads.start(name: "a name longer than fifteen") {
            var sum = 0
            for number in 0..<1_000_000 { sum &+= number &* number }
            box.value.withLock { $0 = Threads.currentCPUTime() + .nanoseconds(sum & 1) }
        }.join()
        #expect(box.value.withLock { $0 } > .zero)
    }
}

@Suite struct SignalsTests {
    @Test func `a blocked signal waits until it is asked for`() {
        let seen = SharedCounter()
        Threads.start(name: "signals") {
            Signals.blockAll()
            _ = pthread_kill(pthread_self(), SIGUSR1)
            let signal = Signals.wait(for: [SIGUSR1, SIGUSR2])
            seen.value.store(Int(signal), ordering: .releasing)
        }.join()
        #expect(seen.value.load(ordering: .acquiring) == Int(SIGUSR1))
    }
}

private final class Box: Sendable {
    let value: Mutex<Duration>
    init(_ value: consuming Mutex<Duration>) { self.value = value }
}

@Suite struct ResolverTests {
    /// Asks and waits for the answer.
    private func ask(_ resolver: Resolver, _ host: String, port: UInt16 = 5432) throws
        -> Resolver.Answer
    {
        let mailbox = Mailbox<Resolver.Answer>(waker: try Waker())
        resolver.resolve(host, port: port) { mailbox.post($0) }
        var answers: [Resolver.Answer] = []
        let end = MonotonicClock.now() + .seconds(30)
        while answers.isEmpty, MonotonicClock.now() < end { mailbox.drain(into: &answers) }
        return try #require(answers.first)
    }

    @Test func `localhost has a loopback address`() throws {
        let resolver = Resolver(lifetime: .seconds(15), failureLifetime: .seconds(15))
        for _ in 0..<2 {
            let addresses = try ask(resolver, "localhost").get()
            #expect(addresses.contains { $0.host == "127.0.0.1" || $0.host == "::1" })
            #expect(addresses.allSatisfy { $0.port == 5432 })
        }
    }

    @Test func `a name that is not there fails with a reason`() throws {
        let resolver = Resolver(lifetime: .seconds(15), failureLifetime: .seconds(15))
        #expect(throws: ResolverError.self) { try ask(resolver, "no-such-name.invalid").get() }
    }

    @Test func `numbers and paths are answered at once`() throws {
        let resolver = Resolver(
            lifetime: .zero, failureLifetime: .zero,
            lookup: { .failure(ResolverError(host: $0, text: "was looked up")) })
        #expect(try ask(resolver, "10.1.2.3").get().map(\.description) == ["10.1.2.3:5432"])
        #expect(try ask(resolver, "::1").get().map(\.description) == ["[::1]:5432"])
        #expect(try ask(resolver, "/tmp/x").get().map(\.description) == ["/tmp/x"])
        #expect(try ask(resolver, "@abstract").get().map(\.unixPath) == ["@abstract"])
    }

    @Test func `a name is looked up once for all who ask at once`() throws {
        let lookups = SharedCounter()
        let gate = SharedCounter()
        let address = try #require(SocketAddress(numeric: "10.0.0.1", port: 0))
        let resolver = Resolver(
            lifetime: .seconds(100), failureLifetime: .zero,
            lookup: { _ in
                lookups.value.wrappingAdd(1, ordering: .relaxed)
                while gate.value.load(ordering: .acquiring) == 0 {}
                return .success([address])
            })
        let mailbox = Mailbox<Resolver.Answer>(waker: try Waker())
        for _ in 0..<10 { resolver.resolve("db", port: 1) { mailbox.post($0) } }
        #expect(mailbox.isEmpty)
        gate.value.store(1, ordering: .releasing)
        var answers: [Resolver.Answer] = []
        let end = MonotonicClock.now() + .seconds(30)
        while answers.count < 10, MonotonicClock.now() < end { mailbox.drain(into: &answers) }
        #expect(answers.count == 10)
        _ = try ask(resolver, "db").get()
        #expect(lookups.value.load(ordering: .relaxed) == 1)
    }

    @Test func `the names that were looked up can be listed`() throws {
        let address = try #require(SocketAddress(numeric: "10.0.0.1", port: 0))
        let resolver = Resolver(
            lifetime: .seconds(100), failureLifetime: .seconds(1000),
            lookup: { host in
                host == "good"
                    ? .success([address]) : .failure(ResolverError(host: host, text: "gone"))
            })
        #expect(resolver.names.isEmpty)
        let before = MonotonicClock.now()
        for host in ["good", "bad", "10.1.2.3"] { _ = try ask(resolver, host) }
        let after = MonotonicClock.now()
        let names = resolver.names
        #expect(names.map(\.host) == ["bad", "good"])
        #expect(names.map(\.addresses) == [[], [address]])
        #expect(names.allSatisfy { !$0.isPending })
        for (name, lifetime) in zip(names, [Duration.seconds(1000), .seconds(100)]) {
            #expect((before + lifetime...after + lifetime).contains(name.expires))
        }
    }

    @Test func `lifetimes can be changed`() throws {
        let lookups = SharedCounter()
        let address = try #require(SocketAddress(numeric: "10.0.0.1", port: 0))
        let resolver = Resolver(
            lifetime: .zero, failureLifetime: .zero,
            lookup: { _ in
                lookups.value.wrappingAdd(1, ordering: .relaxed)
                return .success([address])
            })
        for _ in 0..<2 { _ = try ask(resolver, "db").get() }
        #expect(lookups.value.load(ordering: .relaxed) == 2)
        resolver.setLifetimes(.seconds(100), failures: .zero)
        for _ in 0..<3 { _ = try ask(resolver, "db").get() }
        #expect(lookups.value.load(ordering: .relaxed) == 3)
    }

    @Test func `a failed refresh keeps the last good answer`() throws {
        let lookups = SharedCounter()
        let address = try #require(SocketAddress(numeric: "10.0.0.1", port: 0))
        let resolver = Resolver(
            lifetime: .zero, failureLifetime: .seconds(100),
            lookup: { host in
                let number = lookups.value.wrappingAdd(1, ordering: .relaxed).oldValue
                return number == 0
                    ? .success([address]) : .failure(ResolverError(host: host, text: "gone"))
            })
        for _ in 0..<3 { #expect(try ask(resolver, "db").get().map(\.host) == ["10.0.0.1"]) }
        #expect(lookups.value.load(ordering: .relaxed) == 2)
    }
}
