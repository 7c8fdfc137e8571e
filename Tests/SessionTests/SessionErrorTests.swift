import Bytes
import SQL
import Session
import TestSupport
import Testing
import Wire

/// Peers that break the protocol: what they said is not passed on.
@Suite struct SessionErrorTests {
    /// A client and a server that are linked, without a backend.
    private final class Linked {
        let client = TestClient(sharesServers: true)
        let server = TestServer(statementsMax: 10)
        let store = FakeStore()
        private var nobody = ClientSession(
            lengthMax: 100, parameters: .empty, sharesServers: false)

        init(lengthMax: UInt32 = 1 << 30) {
            client.session.scanner = FrameScanner(lengthMax: lengthMax)
            server.client = client
        }

        func clientSays(_ bytes: [UInt8]) throws -> [UInt8] {
            client.held += bytes
            return try client.useLinked(server, store).1
        }

        func serverSays(_ bytes: [UInt8]) throws { try server.take(bytes, store, &nobody) }
    }

    private static let unexpectedTags: [Unicode.Scalar] = [
        "1", "2", "3", "C", "D", "G", "H", "I", "K", "R", "T", "V", "W", "Z", "c", "d", "n", "s",
        "t", "v", "x", "\0",
    ]

    @Test(arguments: unexpectedTags)
    func `a reply that nobody waits for is an error`(_ tag: Unicode.Scalar) {
        let linked = Linked()
        let error = SessionError.serverUnexpected(tag: UInt8(ascii: tag))
        #expect(throws: error) { try linked.serverSays(message(tag, [0x49])) }
        #expect(linked.client.received == [])
        #expect(!error.isClientsFault)
        #expect(error.reply.state == .connectionFailure)
    }

    @Test(
        arguments: [
            (parse("x"), "2"), (bind(), "1"), (execute(), "1"), (execute(), "Z"), (sync, "C"),
            (describe(portal: ""), "D"), (close(portal: ""), "1"), (query("x"), "1"),
            (query("x"), "2"), (query("x"), "V"), (callFunction(1), "D"), (sync, "1"),
            (query("x"), "t"), (parse("x"), "T"),
        ] as [([UInt8], Unicode.Scalar)])
    func `a reply to something else is an error`(_ asked: [UInt8], _ tag: Unicode.Scalar) throws {
        let linked = Linked()
        _ = try linked.clientSays(asked)
        #expect(throws: SessionError.serverUnexpected(tag: UInt8(ascii: tag))) {
            try linked.serverSays(message(tag, [0x49]))
        }
        #expect(linked.client.received == [])
    }

    @Test func `a ReadyForQuery that says nothing known is an error`() throws {
        for body: [UInt8] in [[], [0x58], [0x49, 0x49]] {
            let linked = Linked()
            _ = try linked.clientSays(query("x"))
            #expect(throws: SessionError.serverUnexpected(tag: UInt8(ascii: "Z"))) {
                try linked.serverSays(message("Z", body))
            }
        }
    }

    @Test func `what a server says unasked is passed on`() throws {
        let linked = Linked()
        linked.client.session.traces.pins = .channels
        let bytes =
            message("N", utf8("M"), cString("hm"), [0]) + message("A", int32(1), cString("c"), [0])
            + message("S", cString("TimeZone"), cString("UTC"))
            + message("E", utf8("C"), cString("57P01"), [0])
        try linked.serverSays(bytes)
        #expect(linked.client.received == bytes)
        #expect(linked.server.isReleasable)
        #expect(linked.client.parameters["timezone"] == "UTC")
    }

    @Test func `replies to a query of ours reach nobody`() throws {
        let linked = Linked()
        linked.server.session.expectOwnQuery(linked.store)
        #expect(!linked.server.isReleasable)
        try linked.serverSays(
            message("S", cString("a"), cString("b")) + message("N", [0]) + message("D", int16(0))
                + message("C", cString("SELECT 1")))
        try linked.serverSays(message("E", utf8("C"), cString("22012"), [0]))
        try linked.serverSays(message("Z", [0x49]))
        #expect(linked.client.received == [])
        #expect(linked.client.parameters["a"] == nil)
        #expect(linked.server.parameters["a"] == "b")
        guard case .failed(let fields) = linked.server.ownQuery else {
            Issue.record("\(linked.server.ownQuery)")
            return
        }
        #expect(fields.state == "22012")
    }

    @Test(arguments: ["p", "R", "Z", "1", "\0"] as [Unicode.Scalar])
    func `a message that no client sends is an error`(_ tag: Unicode.Scalar) throws {
        let linked = Linked()
        #expect(throws: SessionError.clientUnexpected(tag: UInt8(ascii: tag))) {
            _ = try linked.clientSays(message(tag))
        }
        let unlinked = TestClient(sharesServers: true)
        unlinked.held = message(tag)
        #expect(throws: SessionError.clientUnexpected(tag: UInt8(ascii: tag))) {
            _ = try unlinked.useUnlinked(FakeStore())
        }
    }

    @Test func `messages that must be held whole have a limit`() {
        let parse = [UInt8(ascii: "P")] + int32(16 << 20 | 100) + utf8("s")
        let describe = [UInt8(ascii: "D")] + int32(20_000) + utf8("S")
        let close = [UInt8(ascii: "C")] + int32(20_000) + utf8("S")
        for bytes in [parse, describe, close] {
            let tag = bytes[0]
            do {
                _ = try Linked().clientSays(bytes)
                Issue.record("\(tag) was held")
            } catch SessionError.messageTooLong(tag, _, _) {
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    @Test func `a Bind may be long, its names may not`() throws {
        let long = Linked()
        let parameters = [String(repeating: "x", count: 100_000)]
        let whole = bind("", parameters)
        #expect(try long.clientSays(Array(whole.prefix(50_000))).count == 50_000)
        #expect(long.client.isInsidePassedMessage)
        #expect(try long.clientSays(Array(whole.dropFirst(50_000))).count == whole.count - 50_000)
        #expect(!long.client.isInsidePassedMessage)

        let names = [UInt8(ascii: "B")] + int32(100_000) + [UInt8](repeating: 0x78, count: 17_000)
        #expect(
            throws: SessionError.messageTooLong(
                tag: UInt8(ascii: "B"), byteCount: 17_000, max: 16 << 10)
        ) { _ = try Linked().clientSays(names) }
    }

    @Test func `an unnamed Parse of any length is passed on`() throws {
        let linked = Linked()
        let whole = parse(String(repeating: "x", count: 1_100_000))
        #expect(try linked.clientSays(Array(whole.prefix(6))).count == 6)
        #expect(try linked.clientSays(Array(whole.dropFirst(6))).count == whole.count - 6)
        #expect(try linked.clientSays(bind()) == bind())
        #expect(linked.store.count == 0)
    }

    @Test func `a client's length above the limit is its fault`() {
        let linked = Linked(lengthMax: 100)
        let error = SessionError.clientMalformed(.lengthTooLarge(101, max: 100))
        #expect(throws: error) {
            _ = try linked.clientSays([UInt8(ascii: "Q")] + int32(101))
        }
        #expect(error.isClientsFault)
        #expect(error.reply.state == .protocolViolation)
    }

    @Test func `a server's length below 4 is its fault`() {
        let linked = Linked()
        #expect(throws: SessionError.serverMalformed(.lengthTooSmall(3))) {
            try linked.serverSays([UInt8(ascii: "D")] + int32(3))
        }
    }
}
