import Bytes
import EventLoop
import Glibc
import Synchronization
import Testing

@Suite struct IOUringLoopTests {
    @Test func `a token keeps its parts`() {
        let token = Token(kind: 254, slot: 0xFF_FFFF, generation: 0x8765_4321)
        #expect(token.kind == 254)
        #expect(token.slot == 0xFF_FFFF)
        #expect(token.generation == 0x8765_4321)
        #expect(Token(rawValue: token.rawValue) == token)
    }

    @Test func `a multishot receive echoes many messages`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        world.loop.receive(on: server, token: token(1), isMultishot: true)
        world.loop.receive(on: client, token: token(2), isMultishot: true)
        for round in 0..<100 {
            #expect(world.send("hello \(round)", on: client) > 0)
            let asked = try #require(world.next(1))
            #expect(asked.hasMore)
            let text = try #require(world.text(asked))
            world.send(text, on: server)
            let answered = try #require(world.next(2))
            #expect(world.text(answered) == "hello \(round)")
        }
        Sockets.close(client)
        world.loop.cancel(token(2))
        #expect(world.next(2)?.result == -ECANCELED)
    }

    @Test func `a receive tells of the end`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        world.loop.receive(on: server, token: token(1), isMultishot: true)
        Sockets.shutdown(client)
        let end = try #require(world.next(1))
        #expect(end.result == 0)
        #expect(end.buffer == nil)
        #expect(!end.hasMore)
        Sockets.close(client)
        Sockets.close(server)
    }

    @Test func `a single-shot receive completes once`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        for round in 0..<50 {
            world.loop.receive(on: server, token: token(1, 7, UInt32(round)), isMultishot: false)
            if round % 2 == 0 { world.loop.turn(until: .never, isPollOnly: true) }
            world.send("round \(round)", on: client)
            let completion = try #require(world.next(1))
            #expect(!completion.hasMore)
            #expect(completion.token == token(1, 7, UInt32(round)))
            #expect(world.text(completion) == "round \(round)")
        }
        Sockets.close(client)
        Sockets.close(server)
    }

    @Test func `without buffers a receive fails, and works again after recycling`() throws {
        let world = try LoopWorld(bufferCount: 2)
        let (client, server) = try world.pair()
        for isMultishot in [true, false] {
            var lent: [Completion] = []
            for text in ["one", "two"] {
                world.loop.receive(on: server, token: token(1), isMultishot: false)
                world.send(text, on: client)
                lent.append(try #require(world.next(1)))
            }
            world.send("three", on: client)
            world.loop.receive(on: server, token: token(2), isMultishot: isMultishot)
            let refused = try #require(world.next(2))
            #expect(refused.result == -ENOBUFS)
            #expect(!refused.hasMore)
            #expect(lent.map { world.text($0) } == ["one", "two"])
            world.loop.receive(on: server, token: token(3), isMultishot: false)
            let got = try #require(world.next(3))
            #expect(world.text(got) == "three")
        }
        Sockets.close(client)
        Sockets.close(server)
    }

    @Test func `no buffer is lost by ends and cancels`() throws {
        let world = try LoopWorld(bufferCount: 2)
        for _ in 0..<10 {
            let (client, server) = try world.pair()
            world.loop.receive(on: server, token: token(1), isMultishot: true)
            world.loop.receive(on: client, token: token(2), isMultishot: false)
            world.loop.turn(until: .never, isPollOnly: true)
            world.loop.cancel(token(2))
            #expect(world.next(2)?.result == -ECANCELED)
            world.send("x", on: client)
            let got = try #require(world.next(1))
            #expect(world.text(got) == "x")
            Sockets.close(client)
            #expect(world.next(1)?.result == 0)
            Sockets.close(server)
        }
    }

    @Test func `a cancelled multishot ends`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        world.loop.receive(on: server, token: token(1), isMultishot: true)
        world.loop.turn(until: .never, isPollOnly: true)
        world.loop.cancel(token(1))
        // One that is not there is no completion.
        world.loop.cancel(token(9))
        let end = try #require(world.next(1))
        #expect(end.result == -ECANCELED)
        #expect(!end.hasMore)
        #expect(world.next(9, within: .milliseconds(10)) == nil)
        world.send("later", on: client)
        #expect(world.next(1, within: .milliseconds(20)) == nil)
        #expect(Sockets.hasUnreadBytes(server) == .unread)
        Sockets.close(client)
        Sockets.close(server)
    }

    @Test func `a socket is closed behind what was begun on it`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        world.loop.receive(on: client, token: token(1), isMultishot: true)
        world.loop.pollWritable(server, token: token(2))
        world.loop.close(server)
        // Its number is nobody else's before the operations have reached the kernel.
        #expect(Sockets.localAddress(server) != nil)
        #expect(try #require(world.next(2)).result > 0)
        #expect(world.next(1)?.result == 0)
        Sockets.close(client)
    }

    @Test func `a refused connect says so`() throws {
        let world = try LoopWorld()
        let any = try #require(SocketAddress(numeric: "127.0.0.1", port: 0))
        let listener = try Sockets.listenTCP(any, backlog: 1)
        let address = try #require(Sockets.localAddress(listener))
        Sockets.close(listener)
        let socket = try Sockets.socket(for: address)
        world.loop.connect(socket, to: address, token: token(1))
        #expect(world.next(1)?.result == -ECONNREFUSED)
        Sockets.close(socket)
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `one accept takes many clients`(_ host: String) throws {
        let world = try LoopWorld()
        let any = try #require(SocketAddress(numeric: host, port: 0))
        let listener = try Sockets.listenTCP(any, backlog: 128)
        let address = try #require(Sockets.localAddress(listener))
        world.loop.accept(on: listener, token: token(1))
        // More connects at once than the submission queue holds: it submits by itself.
        let clients = try (0..<100).map { _ in try Sockets.socket(for: address) }
        for (slot, client) in clients.enumerated() {
            world.loop.connect(client, to: address, token: token(2, UInt32(slot)))
        }
        var slots: Set<UInt32> = []
        var accepted: [Int32] = []
        for _ in clients {
            let connected = try #require(world.next(2))
            #expect(connected.result == 0)
            slots.insert(connected.token.slot)
            let came = try #require(world.next(1))
            #expect(came.result >= 0)
            #expect(came.hasMore)
            accepted.append(came.result)
        }
        #expect(slots.count == clients.count)
        #expect(Sockets.peerAddress(accepted[0])?.host == host)
        for socket in clients + accepted { Sockets.close(socket) }
        world.loop.cancel(token(1))
        #expect(world.next(1)?.result == -ECANCELED)
        Sockets.close(listener)
    }

    @Test func `more completions than the queue holds are not lost`() throws {
        let world = try LoopWorld(submissionCount: 64)
        let (client, server) = try world.pair()
        // Writable at once: each completes. The queue holds 1,024.
        for slot in 0..<3000 { world.loop.pollWritable(client, token: token(1, UInt32(slot))) }
        var slots: Set<UInt32> = []
        while slots.count < 3000, let completion = world.next(1) {
            slots.insert(completion.token.slot)
        }
        #expect(slots.count == 3000)
        Sockets.close(client)
        Sockets.close(server)
    }

    @Test func `a turn ends at its deadline`() throws {
        let world = try LoopWorld()
        for milliseconds in [1, 5, 20] {
            let start = world.loop.now()
            let deadline = start + .milliseconds(milliseconds)
            while world.loop.now() < deadline {
                world.loop.turn(until: deadline, isPollOnly: false)
                while world.loop.nextCompletion() != nil {}
            }
            let late = world.loop.now() - deadline
            #expect(late < .milliseconds(50), "late by \(late)")
        }
        let start = world.loop.now()
        world.loop.turn(until: .never, isPollOnly: true)
        world.loop.turn(until: start, isPollOnly: false)
        #expect(world.now() - start < .milliseconds(50))
    }

    @Test func `a hang-up poll fires when the peer closes`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        world.loop.pollHangUp(server, token: token(1))
        world.send("bytes are not a hang-up", on: client)
        #expect(world.next(1, within: .milliseconds(20)) == nil)
        Sockets.close(client)
        #expect(try #require(world.next(1)).result > 0)
        Sockets.close(server)
    }

    @Test func `a hang-up poll fires after our own shutdown`() throws {
        let world = try LoopWorld()
        let (client, server) = try world.pair()
        world.loop.pollHangUp(server, token: token(1))
        world.loop.receive(on: server, token: token(2), isMultishot: true)
        world.loop.turn(until: .never, isPollOnly: true)
        Sockets.shutdown(server)
        #expect(try #require(world.next(1)).result > 0)
        #expect(world.next(2)?.result == 0)
        Sockets.close(client)
        Sockets.close(server)
    }

    @Test func `a full socket says EAGAIN, then tells when it takes more`() throws {
        let world = try LoopWorld(bufferCount: 16)
        let (client, server) = try world.pair()
        var chunk = ByteBuffer()
        chunk.append([UInt8](repeating: 120, count: 65536))
        var sentCount = 0
        while true {
            let sent = world.loop.send(chunk.bytes, on: client)
            guard sent >= 0 else {
                #expect(sent == -Int(EAGAIN))
                break
            }
            sentCount += sent
        }
        world.loop.pollWritable(client, token: token(1))
        #expect(world.next(1, within: .milliseconds(10)) == nil)
        world.loop.receive(on: server, token: token(2), isMultishot: true)
        var receivedCount = 0
        while receivedCount < sentCount {
            let completion = try #require(world.next(2))
            if let buffer = completion.buffer {
                receivedCount += buffer.byteCount
                world.loop.recycle(buffer)
            }
            if !completion.hasMore {
                world.loop.receive(on: server, token: token(2), isMultishot: true)
            }
        }
        #expect(receivedCount == sentCount)
        #expect(try #require(world.next(1)).result > 0)
        #expect(world.send("more", on: client) == 4)
        Sockets.close(server)
        while world.send("reset", on: client) > 0 {}
        Sockets.close(client)
    }
}

@Suite struct WakerTests {
    @Test func `no wake-up from another thread is lost`() throws {
        let world = try LoopWorld()
        let count = 10_000
        let asked = Atomic<Int>(0)
        let answered = Mailbox<Int>(waker: world.loop.waker)
        let waker = world.loop.waker
        let echo = SharedCounter()
        let thread = Threads.start(name: "waker") {
            for number in 1...count {
                answered.post(number)
                // The next only when this one was seen, so that each wake-up counts.
                while echo.value.load(ordering: .acquiring) < number {}
                // Meet the loop running, falling asleep, and asleep.
                let pause = MonotonicClock.now() + .microseconds(number % 32)
                while MonotonicClock.now() < pause {}
            }
            waker.wake()
        }
        var seen: [Int] = []
        let end = world.loop.now() + .seconds(60)
        while asked.load(ordering: .relaxed) < count, world.loop.now() < end {
            world.loop.turn(until: end, isPollOnly: false)
            while world.loop.nextCompletion() != nil {}
            answered.drain(into: &seen)
            for number in seen {
                #expect(number == asked.load(ordering: .relaxed) + 1)
                asked.store(number, ordering: .relaxed)
                echo.value.store(number, ordering: .releasing)
            }
            seen.removeAll(keepingCapacity: true)
        }
        #expect(asked.load(ordering: .relaxed) == count)
        thread.join()
    }

    @Test func `a wake-up before the turn counts`() throws {
        let world = try LoopWorld()
        for _ in 0..<3 {
            world.loop.waker.wake()
            world.loop.waker.wake()
            let start = world.loop.now()
            world.loop.turn(until: start + .seconds(5), isPollOnly: false)
            #expect(world.now() - start < .seconds(1))
        }
        // And is used up.
        let start = world.loop.now()
        world.loop.turn(until: start + .milliseconds(20), isPollOnly: false)
        #expect(world.now() - start >= .milliseconds(19))
    }

    @Test func `a wake-up ends one turn, not two`() throws {
        let world = try LoopWorld()
        for _ in 0..<3 {
            let waker = world.loop.waker
            let thread = Threads.start(name: "waker") {
                let later = MonotonicClock.now() + .milliseconds(20)
                while MonotonicClock.now() < later {}
                waker.wake()
            }
            let start = world.now()
            world.loop.turn(until: .never, isPollOnly: false)
            #expect(world.now() - start < .seconds(5))
            thread.join()
            while world.loop.nextCompletion() != nil {}
            let again = world.now()
            world.loop.turn(until: again + .milliseconds(20), isPollOnly: false)
            #expect(world.now() - again >= .milliseconds(19))
        }
    }

    @Test func `four senders wake one loop`() throws {
        let world = try LoopWorld()
        let mailbox = Mailbox<Int>(waker: world.loop.waker)
        let threads = (0..<4).map { sender in
            Threads.start(name: "sender") {
                for number in 0..<2000 {
                    mailbox.post(number)
                    let pause = MonotonicClock.now() + .microseconds((number &* 7 &+ sender) % 50)
                    while MonotonicClock.now() < pause {}
                }
            }
        }
        var count = 0
        var drained: [Int] = []
        let end = world.now() + .seconds(60)
        while count < 8000, world.now() < end {
            world.loop.turn(until: end, isPollOnly: false)
            while world.loop.nextCompletion() != nil {}
            mailbox.drain(into: &drained)
            count += drained.count
            drained.removeAll(keepingCapacity: true)
        }
        #expect(count == 8000)
        #expect(world.now() < end)
        for thread in threads { thread.join() }
    }
}

final class SharedCounter: Sendable {
    let value = Atomic<Int>(0)
}
