import Bytes
import Session
import TestSupport
import Wire

/// One client of a `World`.
final class TestClient {
    var session: ClientSession
    /// What came from it and was not used yet.
    var held: [UInt8] = []
    /// What it got.
    private(set) var received: [UInt8] = []
    /// The same client without a pooler, and what that would have said.
    private(set) var direct = FakePostgres()
    private(set) var expected: [UInt8] = []
    var isStalled = false
    var isWaiting = false
    var isGone = false

    init(sharesServers: Bool) {
        session = ClientSession(
            lengthMax: 1 << 22, parameters: TestServer.parameters, sharesServers: sharesServers)
    }

    // `#expect` cannot look into what is not copyable.
    var isInsidePassedMessage: Bool { session.isInsidePassedMessage }
    var parameters: [String: String] { session.parameters.reported }

    func expect(_ piece: [UInt8]) {
        direct.receive(piece)
        expected += direct.takeOutput()
    }

    func get(_ bytes: [UInt8]) { received += bytes }

    func useUnlinked(_ store: FakeStore) throws(SessionError) -> ClientStep {
        var toClient = Outgoing()
        var offset = 0
        let bytes = held
        let step = try bytes.withRawSpan { span throws(SessionError) in
            try session.receivedUnlinked(span, from: &offset, toClient: &toClient, store: store)
        }
        held.removeFirst(offset)
        get(toClient.all(of: bytes))
        return step
    }

    /// Also returns what the server is to get.
    func useLinked(
        _ server: TestServer, _ store: FakeStore
    ) throws(SessionError) -> (ClientStep, [UInt8]) {
        var toClient = Outgoing()
        var toServer = Outgoing()
        var offset = 0
        let bytes = held
        let step = try bytes.withRawSpan { span throws(SessionError) in
            try session.receivedLinked(
                span, from: &offset, server: &server.session, toServer: &toServer,
                toClient: &toClient, store: store)
        }
        held.removeFirst(offset)
        get(toClient.all(of: bytes))
        return (step, toServer.all(of: bytes))
    }
}

/// The server of a `World`: our side of it, the backend, and what is between them.
final class TestServer {
    static let parameters = ParameterState(
        reported: ["application_name": ""], extra: [:], isProven: true)

    var session: ServerSession
    var backend = FakePostgres()
    var toBackend: [UInt8] = []
    var fromBackend: ArraySlice<[UInt8]> = []
    /// What came from the backend and was not used yet.
    private(set) var held: [UInt8] = []
    var client: TestClient?
    var isOrphaned = false
    /// The parameters that a query of ours is setting.
    var wanted: ParameterState?

    init(statementsMax: Int) {
        session = ServerSession(parameters: Self.parameters, statementsMax: statementsMax)
    }

    var isReleasable: Bool { session.isReleasable }
    var parameters: [String: String] { session.parameters.reported }
    var ownQuery: ServerSession.OwnQuery { session.ownQuery }

    /// Whether no answer is on its way or will be made of what was sent.
    var isAtRest: Bool {
        guard fromBackend.isEmpty, held.isEmpty else { return false }
        var ahead = backend
        ahead.receive(toBackend)
        return ahead.takeOutput().isEmpty && ahead.isAtRest
    }

    func take(
        _ piece: [UInt8], _ store: FakeStore, _ nobody: inout ClientSession
    ) throws(SessionError) {
        held += piece
        let bytes = held
        var toClient = Outgoing()
        var offset = 0
        try bytes.withRawSpan { span throws(SessionError) in
            if let client {
                try session.received(
                    span, from: &offset, client: &client.session, toClient: &toClient,
                    store: store)
            } else {
                try session.received(
                    span, from: &offset, client: &nobody, toClient: &toClient, store: store)
            }
        }
        held.removeFirst(offset)
        client?.get(toClient.all(of: bytes))
    }
}

extension Outgoing {
    /// Everything there is to send.
    func all(of bytes: [UInt8]) -> [UInt8] {
        isPassedOnly ? Array(bytes[passed]) : buffer.bytes.array()
    }
}

/// Bytes as text, for failures.
func shown(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.map { $0 >= 32 && $0 < 127 ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
}
