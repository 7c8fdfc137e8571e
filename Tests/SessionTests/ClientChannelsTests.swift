internal import Bytes
internal import SQL
internal import Testing

@testable internal import Session

@Suite struct ClientChannelsTests {
    private func notification(_ channel: String, _ payload: String) -> Notification {
        var body = ByteBuffer()
        body.append(bigEndian: UInt32(77))
        body.append(utf8: channel + "\0" + payload + "\0")
        return Notification(body: body.bytes)!
    }

    private final class Names: ProcessNames {
        let clients: [UInt32: UInt32]
        init(_ clients: [UInt32: UInt32]) { self.clients = clients }
        func told(for process: UInt32) -> UInt32? { clients[process] }
    }

    /// Listens to `names`, all of them handed over to the pool's listener.
    private func handedOver(_ names: [String]) -> ClientChannels {
        let channels = ClientChannels()
        channels.settle(serverHears: names, committed: [])
        let mark = channels.beginMark()
        channels.serverSawMark()
        channels.listenerSawMark(mark)
        return channels
    }

    @Test func `only what the listener has taken over is queued`() {
        let channels = ClientChannels()
        channels.settle(serverHears: ["a"], committed: [])
        #expect(channels.joining == ["a"])
        #expect(channels.enqueue(notification("a", "before"), byteCountMax: 100_000))
        #expect(!channels.hasQueued)
        let mark = channels.beginMark()
        channels.serverSawMark()
        #expect(channels.joining.isEmpty)
        _ = channels.enqueue(notification("a", "still the server's"), byteCountMax: 100_000)
        #expect(!channels.hasQueued)
        channels.listenerSawMark(mark)
        _ = channels.enqueue(notification("a", "behind"), byteCountMax: 100_000)
        _ = channels.enqueue(notification("b", "of no interest"), byteCountMax: 100_000)
        #expect(channels.queuedByteCount == notification("a", "behind").byteCount)
        var out = ByteBuffer()
        channels.writeQueued(to: &out)
        let count = out.count
        #expect(count == notification("a", "behind").byteCount)
        #expect(!channels.hasQueued)
    }

    @Test func `a channel that was left between the marks is not taken over`() {
        let channels = ClientChannels()
        channels.settle(serverHears: ["a"], committed: [])
        let mark = channels.beginMark()
        channels.serverSawMark()
        channels.note([.one("a")])
        channels.settle(serverHears: [], committed: [])
        channels.settle(serverHears: ["a"], committed: [])
        channels.listenerSawMark(mark)
        _ = channels.enqueue(notification("a", "the server brings it"), byteCountMax: 100_000)
        #expect(!channels.hasQueued)
        #expect(channels.joining == ["a"])
    }

    @Test func `UNLISTEN counts if its witness was committed, or if it has none`() {
        let channels = handedOver(["a", "b", "c"])
        let first = channels.witness(client: 1)
        channels.note([.one("a")])
        let second = channels.witness(client: 1)
        channels.note([.one("b")])
        #expect(first != second)
        #expect(channels.witnesses == [first, second])
        channels.settle(serverHears: [], committed: [second])
        #expect(channels.wanted == ["a", "c"])
        channels.note([.all])
        channels.settle(serverHears: ["d"], committed: [])
        #expect(channels.wanted == ["d"])
    }

    @Test func `when the server had all channels, what it hears is all there is`() {
        let channels = handedOver(["a", "b"])
        channels.isLent = true
        channels.note([.one("a")])
        channels.settle(serverHears: ["b"], committed: [])
        #expect(channels.wanted == ["b"])
        #expect(!channels.isLent)
        #expect(channels.inOrder == ["b"])
        #expect(channels.owned == ["b"])
    }

    @Test func `channels are in the order in which the client began to listen`() {
        let channels = handedOver(["b"])
        channels.settle(serverHears: ["a", "b"], committed: [])
        channels.settle(serverHears: [], committed: [])
        #expect(channels.inOrder == ["b", "a"])
        channels.isLent = true
        channels.settle(serverHears: ["a", "b"], committed: [])
        #expect(channels.inOrder == ["a", "b"])
    }

    @Test func `what waits of a channel that is left is dropped`() {
        let channels = handedOver(["a", "b"])
        _ = channels.enqueue(notification("a", "x"), byteCountMax: 100_000)
        _ = channels.enqueue(notification("b", "y"), byteCountMax: 100_000)
        channels.note([.one("a")])
        channels.settle(serverHears: [], committed: [])
        #expect(channels.queuedByteCount == notification("b", "y").byteCount)
    }

    @Test func `the queue has a limit`() {
        let channels = handedOver(["a"])
        let long = notification("a", String(repeating: "x", count: 7_999))
        var count = 0
        while channels.enqueue(long, byteCountMax: 100_000) { count += 1 }
        #expect(count == 100_000 / long.byteCount)
    }

    @Test func `a notification keeps its payload and gets the process of the server's client`() {
        let one = notification("a", "x")
        let other = one.told(by: Names([77: 0x0100_0002]))
        #expect(one.told(by: Names([78: 5])) == one)
        #expect(one.told(by: nil) == one)
        #expect(other.processID == 0x0100_0002)
        #expect((other.channel, other.payload) == ("a", "x"))
        var out = ByteBuffer()
        other.write(to: &out)
        let process = out.bytes.uint32BigEndian(at: 5)
        let count = out.count
        #expect(process == 0x0100_0002)
        #expect(count == one.byteCount)
    }

    @Test(arguments: [("a", "\"a\""), ("a\"b", "\"a\"\"b\""), ("\"", "\"\"\"\"")])
    func `names are quoted`(_ name: String, _ quoted: String) {
        #expect(Channel.quoted(name) == quoted)
    }
}
