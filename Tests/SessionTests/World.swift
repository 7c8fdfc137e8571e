import Bytes
import Session
import TestSupport
import Wire

/// Clients and one server that they share, in memory, with a backend of its own beside each
/// client, which tells what the client would have got without a pooler.
///
/// Carries bytes and links as the worker does; what must always hold is checked after each step.
final class World {
    enum Pace: Sendable, CaseIterable {
        /// The server answers after each piece.
        case eager
        /// The server answers when the turn's last piece was given.
        case lazy
    }

    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    let store = FakeStore()
    private(set) var clients: [TestClient]
    private(set) var server: TestServer
    private var waiting: [TestClient] = []
    private let pace: Pace
    private let sharesServers: Bool
    private let statementsMax: Int
    private var clientCutter: Cutter
    private var serverCutter: Cutter
    private var nobody = ClientSession(lengthMax: 100, parameters: .empty, sharesServers: false)

    /// All that any server was sent.
    private(set) var sentToServer: [UInt8] = []
    /// All that any server said.
    private(set) var serverByteCount = 0
    private(set) var serversClosed = 0

    init(
        clientCount: Int, statementsMax: Int = 100, sharesServers: Bool = true,
        pace: Pace = .eager, clientCuts: Cuts = .none, serverCuts: Cuts = .none
    ) {
        self.pace = pace
        self.sharesServers = sharesServers
        self.statementsMax = statementsMax
        clientCutter = Cutter(clientCuts)
        serverCutter = Cutter(serverCuts)
        clients = (0..<clientCount).map { _ in TestClient(sharesServers: sharesServers) }
        server = TestServer(statementsMax: statementsMax)
    }

    /// What each client got.
    var received: [[UInt8]] { clients.map(\.received) }

    /// One turn of one client, to its last answer.
    func turn(_ index: Int, _ bytes: [UInt8]) throws {
        let client = clients[index]
        for piece in clientCutter.pieces(of: bytes) {
            client.expect(piece)
            client.held += piece
            try use(client)
            if pace == .eager { try runServer() }
            try check()
        }
        try runServer()
        try check()
        try checkEnd(of: client)
    }

    /// Gives `bytes` and then hangs up; the server is tidied up or closed.
    func leave(_ index: Int, after bytes: [UInt8]) throws {
        let client = clients[index]
        for piece in clientCutter.pieces(of: bytes) {
            client.expect(piece)
            client.held += piece
            try use(client)
            if pace == .eager { try runServer() }
        }
        try hangUp(client)
    }

    /// Everybody leaves; nothing may stay in use.
    func end() throws {
        for client in clients where !client.isGone { try hangUp(client) }
        server.session.releaseStatements(store)
        guard store.count == 0 else { throw Broken(description: "\(store.count) texts leaked") }
        guard store.faults.isEmpty else { throw Broken(description: "\(store.faults)") }
    }
}

// What the worker does.
extension World {
    private func use(_ client: TestClient) throws {
        while !client.held.isEmpty, !client.isGone, !client.isWaiting {
            guard server.client === client else {
                guard try client.useUnlinked(store) == .needsServer else { return }
                checkout(client)
                continue
            }
            let (step, sent) = try client.useLinked(server, store)
            send(sent)
            client.isStalled = step == .stalled
            if step == .terminated { return try hangUp(client) }
            try settle()
            return
        }
    }

    private func checkout(_ client: TestClient) {
        guard server.client == nil, !server.isOrphaned else {
            waiting.append(client)
            client.isWaiting = true
            return
        }
        server.client = client
        guard let change = server.session.parameters.change(to: client.session.parameters) else {
            client.session.parameters = server.session.parameters
            return
        }
        server.wanted = client.session.parameters
        runOwnQuery(change)
    }

    private func runOwnQuery(_ text: String) {
        server.session.expectOwnQuery(store)
        send(query(text))
    }

    private func send(_ bytes: [UInt8]) {
        server.toBackend += bytes
        sentToServer += bytes
    }

    private func runServer() throws {
        while !server.toBackend.isEmpty {
            server.backend.receive(server.toBackend)
            server.toBackend = []
            let output = server.backend.takeOutput()
            serverByteCount += output.count
            server.fromBackend = serverCutter.pieces(of: output)[...]
            while let piece = server.fromBackend.popFirst() {
                try server.take(piece, store, &nobody)
                if pace == .eager || server.fromBackend.isEmpty { try progress() }
            }
        }
    }

    private func progress() throws {
        guard server.held.isEmpty else { return }
        try noteOwnQuery()
        if server.isOrphaned { return try tidy() }
        guard let client = server.client else { return }
        if client.isStalled { try use(client) }
        try settle()
        if server.client !== client { try use(client) }
    }

    private func noteOwnQuery() throws {
        switch server.session.ownQuery {
        case .none, .running: return
        case .failed(let fields):
            throw Broken(description: "a query of ours failed: \(fields.message)")
        case .succeeded: server.session.ownQuery = .none
        }
        guard let wanted = server.wanted else { return }
        server.wanted = nil
        let made = ParameterState(
            reported: server.session.parameters.reported, extra: wanted.extra, isProven: true)
        server.session.parameters = made
        server.client?.session.parameters = made
    }

    /// Lets the server go if its client is done with it.
    private func settle() throws {
        guard let client = server.client, server.session.isReleasable,
            !client.session.isInsidePassedMessage
        else { return }
        try check()
        guard sharesServers else { return }
        server.session.unlinked()
        server.client = nil
        try checkin()
    }

    private func checkin() throws {
        if server.session.isTainted { closeServer() }
        guard !waiting.isEmpty, server.client == nil else { return }
        let next = waiting.removeFirst()
        next.isWaiting = false
        try use(next)
    }

    private func closeServer() {
        server.session.releaseStatements(store)
        server = TestServer(statementsMax: statementsMax)
        serversClosed += 1
    }

    private func hangUp(_ client: TestClient) throws {
        client.isGone = true
        client.session.releaseStatements(store)
        guard server.client === client else { return }
        server.client = nil
        guard !client.session.isInsidePassedMessage else {
            closeServer()
            return try checkin()
        }
        server.isOrphaned = true
        var outgoing = Outgoing()
        server.session.finishForOrphan(&outgoing)
        send(outgoing.buffer.bytes.array())
        try tidy()
        try runServer()
        guard server.isOrphaned else { return }
        // Nothing is coming any more: the worker's deadline ends it.
        server.isOrphaned = false
        closeServer()
        try checkin()
    }

    private func tidy() throws {
        guard server.session.ledger.isEmpty, server.session.isReady else { return }
        if server.session.status != .idle { return runOwnQuery("ROLLBACK") }
        guard server.session.isReleasable else {
            throw Broken(description: "not clean after its client left")
        }
        try check()
        server.session.unlinked()
        server.isOrphaned = false
        try checkin()
    }
}

// What must hold.
extension World {
    private func check() throws {
        if server.session.isReleasable, !server.isAtRest {
            throw Broken(description: "releasable, and the server still has something to do")
        }
        for (index, client) in clients.enumerated() where !client.isGone {
            guard client.expected.starts(with: client.received) else {
                throw Broken(
                    description: "client \(index) got \(shown(client.received)), "
                        + "expected \(shown(client.expected))")
            }
        }
        guard store.faults.isEmpty else { throw Broken(description: "\(store.faults)") }
    }

    /// All answers are there, and the server is kept exactly if the client has begun something.
    private func checkEnd(of client: TestClient) throws {
        guard !client.isWaiting, !client.isGone else { return }
        guard client.received == client.expected else {
            throw Broken(
                description: "only got \(shown(client.received)), "
                    + "expected \(shown(client.expected))")
        }
        guard client.held.isEmpty else { throw Broken(description: "bytes were held back") }
        let isFree = server.client !== client || server.session.isReleasable
        guard isFree == client.direct.isAtRest else {
            throw Broken(
                description: isFree ? "the server was let go" : "the server was not let go")
        }
    }
}
