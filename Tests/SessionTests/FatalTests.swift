import Bytes
import Session
import TestSupport
import Testing
import Wire

/// A server says FATAL: either its client is told, and loses its connection with it, or the client
/// does not need that server any more and hears nothing.
@Suite struct FatalTests {
    private let store = FakeStore()
    private let fatal = message("E", cString("SFATAL") + cString("C57P01") + cString("Mgone") + [0])
    private let answer =
        message("C", cString("SELECT 0")) + message("Z", [UInt8(ascii: "I")])

    /// What the client gets when it has sent `request`, and the server answers all in one piece.
    private func exchange(
        _ request: [UInt8], _ reply: [UInt8], sharesServers: Bool = true
    ) throws -> (received: [UInt8], server: TestServer) {
        let client = TestClient(sharesServers: sharesServers)
        let server = TestServer(statementsMax: 10)
        client.held = request
        _ = try client.useLinked(server, store)
        server.client = client
        var nobody = ClientSession(lengthMax: 100, parameters: .empty, sharesServers: false)
        try server.take(reply, store, &nobody)
        return (client.received, server)
    }

    @Test func `behind the last answer it is the pool's, which closes the server`() throws {
        let (received, server) = try exchange(query("select a"), answer + fatal)
        #expect(received == answer)
        let isTainted = server.session.isTainted
        #expect(isTainted)
        #expect(server.isReleasable)
    }

    @Test func `in front of an answer it is the client's, and the server never free again`() throws
    {
        let (received, server) = try exchange(query("select a"), fatal)
        #expect(received == fatal)
        #expect(!server.isReleasable)
    }

    @Test func `whoever keeps the server is told`() throws {
        for (request, sharesServers) in [
            (query("select pg_advisory_lock(1)"), true), (query("select a"), false),
        ] {
            let (received, server) = try exchange(
                request, answer + fatal, sharesServers: sharesServers)
            #expect(received == answer + fatal)
            #expect(!server.isReleasable)
        }
    }

    @Test func `in a transaction the client is told`() throws {
        let begun = message("C", cString("BEGIN")) + message("Z", [UInt8(ascii: "T")])
        let (received, server) = try exchange(query("begin"), begun + fatal)
        #expect(received == begun + fatal)
        #expect(!server.isReleasable)
    }
}
