// What the loop's tests share: a loop, sockets on the loopback, and waits with an end.

import Bytes
import EventLoop
import Glibc
import Testing

/// A loop with what it has found so far; used on one thread.
/// Every wait ends after ten seconds at the latest.
final class LoopWorld {
    var loop: IOUringLoop
    private var found: [Completion] = []

    init(bufferCount: Int = 16, submissionCount: UInt32 = 64) throws {
        var settings = IOUringSettings()
        settings.bufferCount = bufferCount
        settings.submissionCount = submissionCount
        settings.completionCount = 1024
        settings.bufferByteCount = 4096
        loop = try IOUringLoop(settings: settings)
    }

    /// The next completion of an operation of `kind`; others are kept for later.
    func next(_ kind: UInt8, within limit: Duration = .seconds(10)) -> Completion? {
        let end = loop.now() + limit
        while true {
            if let index = found.firstIndex(where: { $0.token.kind == kind }) {
                return found.remove(at: index)
            }
            guard loop.now() < end else { return nil }
            loop.turn(until: end, isPollOnly: false)
            while let completion = loop.nextCompletion() { found.append(completion) }
        }
    }

    /// The text received, its buffer given back.
    func text(_ completion: Completion) -> String? {
        guard let buffer = completion.buffer else { return nil }
        let bytes = loop.bytes(in: buffer)
        let text = bytes.string(in: 0..<bytes.byteCount)
        loop.recycle(buffer)
        return text
    }

    @discardableResult
    func send(_ text: String, on socket: Int32) -> Int {
        var bytes = ByteBuffer()
        bytes.append(utf8: text)
        return loop.send(bytes.bytes, on: socket)
    }

    func now() -> Instant { loop.now() }

    /// Two connected TCP sockets: who came, and who was come to.
    func pair() throws -> (client: Int32, server: Int32) {
        let any = try #require(SocketAddress(numeric: "127.0.0.1", port: 0))
        let listener = try Sockets.listenTCP(any, backlog: 8)
        defer { Sockets.close(listener) }
        let address = try #require(Sockets.localAddress(listener))
        let client = try Sockets.socket(for: address)
        let accepting = token(250)
        loop.accept(on: listener, token: accepting)
        loop.connect(client, to: address, token: token(251))
        #expect(next(251)?.result == 0)
        let server = try #require(next(250)).result
        loop.cancel(accepting)
        #expect(next(250)?.result == -ECANCELED)
        return (client, server)
    }
}

func token(_ kind: UInt8, _ slot: UInt32 = 0, _ generation: UInt32 = 0) -> Token {
    Token(kind: kind, slot: slot, generation: generation)
}
