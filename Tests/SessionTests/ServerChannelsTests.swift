internal import Bytes
internal import Testing
internal import Wire

@testable internal import Session

/// What becomes of the notifications that a client's server brings.
@Suite struct ServerChannelsTests {
    private static let parameters = ParameterState(reported: [:], extra: [:], isProven: true)

    private final class Names: ProcessNames {
        func told(for process: UInt32) -> UInt32? { process == 77 ? 0x0100_0001 : nil }
    }

    /// A client with a server that listens to what the client listens to.
    private final class Pair {
        let store = FakeStore()
        var client = ClientSession(
            lengthMax: 1 << 20, parameters: parameters, sharesServers: true)
        var server = ServerSession(parameters: parameters, statementsMax: 10)
        /// The server listens to `channels` for the client.
        func listen(_ channels: [String]) {
            let made = ClientChannels()
            made.settle(serverHears: channels, committed: [])
            client.channels = made
            server.hears = Set(channels)
        }

        /// Our NOTIFY on channel `m` is under way.
        func beginMark(_ payload: String) {
            var toServer = ByteBuffer()
            _ = client.channels?.beginMark()
            server.beginMark("m", payload: payload, toServer: &toServer, store: store)
        }

        /// The server says `bytes`; returns what the client gets of them.
        func say(_ bytes: [UInt8]) throws -> [UInt8] {
            var toClient = Outgoing()
            var offset = 0
            try bytes.withRawSpan { span throws(SessionError) in
                try server.received(
                    span, from: &offset, client: &client, toClient: &toClient, store: store)
            }
            return toClient.all(of: bytes)
        }

        var handover: ServerSession.Handover { server.handover }
        var owned: Set<String> { client.channels?.owned ?? [] }
        var isReadyHeld: Bool { client.channels?.isReadyHeld ?? false }
        var isReleasable: Bool { server.isReleasable }
        var channels: ClientChannels? { client.channels }
    }

    private func notification(_ channel: String, _ payload: String, by process: UInt32 = 5)
        -> [UInt8]
    {
        var out = ByteBuffer()
        out.appendMessage(ServerTag.notificationResponse) { body in
            body.append(bigEndian: process)
            body.append(utf8: channel + "\0" + payload + "\0")
        }
        return out.bytes.array()
    }

    private func complete(_ tag: String) -> [UInt8] {
        var out = ByteBuffer()
        out.appendMessage(ServerTag.commandComplete) { $0.append(utf8: tag + "\0") }
        return out.bytes.array()
    }

    private let ready: [UInt8] = [ServerTag.readyForQuery, 0, 0, 0, 5, UInt8(ascii: "I")]

    @Test func `other clients' markers are neither the own one nor a notification`() throws {
        let pair = Pair()
        pair.listen(["a"])
        pair.beginMark("0.1.1.1")
        #expect(try pair.say(notification("m", "0.2.1.1")) == [])
        #expect(pair.handover == .marking)
        #expect(pair.owned == [])
        #expect(try pair.say(notification("m", "0.1.1.1") + complete("NOTIFY") + ready) == [])
        #expect(pair.handover == .marked)
        #expect(pair.owned == ["a"])
        #expect(try pair.say(notification("m", "0.2.1.2")) == [])
        #expect(try pair.say(notification("m", "0.1.1.1")) == [])
        #expect(pair.handover == .marked)
    }

    @Test func `up to the marker the server brings notifications, behind it the listener`() throws {
        let pair = Pair()
        pair.listen(["a"])
        let note = notification("a", "x")
        #expect(try pair.say(note) == note)
        pair.beginMark("own")
        #expect(try pair.say(note) == note)
        #expect(try pair.say(note + notification("m", "own") + note) == note)
    }

    @Test func `what an unknown client left behind is not heard`() throws {
        let pair = Pair()
        #expect(try pair.say(notification("a", "somebody's")) == [])
        pair.listen(["a"])
        let note = notification("a", "own")
        #expect(try pair.say(note) == note)
    }

    @Test func `the sender is who has the server`() throws {
        let pair = Pair()
        pair.server.processes = Names()
        pair.listen(["a"])
        let told = notification("a", "x", by: 0x0100_0001)
        #expect(try pair.say(notification("a", "x", by: 77)) == told)
        let others = notification("a", "x", by: 78)
        #expect(try pair.say(others) == others)
    }

    @Test func `ReadyForQuery waits for the listener, and goes behind what that has heard`() throws
    {
        let pair = Pair()
        pair.listen(["a"])
        pair.beginMark("own")
        _ = try pair.say(notification("m", "own") + complete("NOTIFY") + ready)
        pair.client.channels?.listenerSawMark(1)
        pair.server.expect(Expectation(.query))
        #expect(try pair.say(complete("COMMIT") + ready) == complete("COMMIT"))
        #expect(pair.isReadyHeld)
        #expect(pair.isReleasable)
        let body = notification("a", "x")
        let heard = Notification(message: body)
        let channels = try #require(pair.channels)
        #expect(channels.takeMustAskListener())
        #expect(!channels.takeMustAskListener())
        #expect(channels.enqueue(try #require(heard), byteCountMax: 1_000))
        var out = ByteBuffer()
        channels.writeHeldReady(to: &out)
        let written = out.bytes.array()
        #expect(written == body + ready)
        #expect(!pair.isReadyHeld)
    }

    @Test func `in a transaction block nothing is held and nothing told`() throws {
        let pair = Pair()
        pair.listen(["a"])
        pair.beginMark("own")
        _ = try pair.say(notification("m", "own") + complete("NOTIFY") + ready)
        pair.server.expect(Expectation(.query))
        let inside = ready.dropLast() + [UInt8(ascii: "T")]
        #expect(try pair.say(complete("BEGIN") + inside) == complete("BEGIN") + inside)
        #expect(!pair.isReadyHeld)
    }

    @Test func `when the client has left our channel too, the handing over begins anew`() throws {
        let pair = Pair()
        pair.listen(["a"])
        pair.beginMark("own")
        let question = StateQuestion(SessionTraces(), reported: [:], extra: [:], asksAll: true)
        pair.server.settleChannels(["m", "a"], question, client: &pair.client)
        #expect(pair.handover == .marking)
        pair.server.settleChannels(["a"], question, client: &pair.client)
        #expect(pair.handover == .none)
        let channels = try #require(pair.channels)
        #expect(channels.joining == ["a"])
        channels.listenerSawMark(1)
        let body = notification("a", "the server brings it")
        let heard = Notification(message: body)
        _ = channels.enqueue(try #require(heard), byteCountMax: 1_000)
        #expect(!channels.hasQueued)
    }
}

extension Notification {
    fileprivate init?(message: [UInt8]) {
        var body = ByteBuffer()
        body.append(Array(message.dropFirst(5)))
        self.init(body: body.bytes)
    }
}
