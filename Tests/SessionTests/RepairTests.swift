import Bytes
import Testing
import Wire

@testable import Session

/// A server whose copy of a statement has become outdated, driven without a client or a network.
@Suite struct RepairTests {
    private let store = FakeStore()

    private let statement: UInt64

    init() {
        let definition = Array("select * from t\0\0\0".utf8)
        let store = store
        statement = definition.withRawSpan { store.intern($0, isFromSQL: false) }
    }

    private func session() -> ServerSession {
        var session = ServerSession(parameters: .empty, statementsMax: 10)
        session.statements.use(statement)
        return session
    }

    /// A batch of Bind, Execute and Sync is sent.
    private func send(_ statement: UInt64, _ session: inout ServerSession, syncs: Bool = true) {
        session.noteUse(of: statement, written: 3)
        session.expect(Expectation(.bind))
        session.expect(Expectation(.execute))
        if syncs { session.expectSync() }
        Array("...BES".utf8).withRawSpan { session.record($0) }
    }

    private func error(_ code: String, _ routine: String) -> [UInt8] {
        let fields = Array("SERROR\0VERROR\0C\(code)\0Mm\0R\(routine)\0\0".utf8)
        return [UInt8(ascii: "E"), 0, 0, 0, UInt8(fields.count + 4)] + fields
    }

    private func ready(_ status: String) -> [UInt8] { Array("Z\0\0\0\u{5}".utf8) + status.utf8 }

    /// What the client gets of `bytes`.
    private func receive(_ bytes: [UInt8], _ session: inout ServerSession) throws -> [UInt8] {
        var client = ClientSession(lengthMax: 1 << 20, parameters: .empty, sharesServers: true)
        var out = Outgoing()
        var offset = 0
        try bytes.withRawSpan { span throws(SessionError) in
            try session.received(
                span, from: &offset, client: &client, toClient: &out, store: store)
            out.spill(span)
        }
        return out.buffer.bytes.array()
    }

    private let outdated = ("0A000", "RevalidateCachedQuery")

    @Test func `the batch is sent again behind a new Parse, and nobody hears of it`() throws {
        var session = session()
        send(statement, &session)
        #expect(try receive(error(outdated.0, outdated.1), &session) == [])
        let isRepairing = session.isRepairing
        #expect(isRepairing)
        var isReleasable = session.isReleasable
        #expect(!isReleasable)
        #expect(try receive(ready("I"), &session) == [])
        isReleasable = session.isReleasable
        #expect(!isReleasable)
        var again = ByteBuffer()
        let isSent = session.sendAgain(to: &again, store: store)
        #expect(isSent)
        let sent = again.bytes.array()
        #expect(sent.first == UInt8(ascii: "C"))
        #expect(Array(sent.suffix(3)) == Array("BES".utf8))
        let count = session.ledger.count
        #expect(count == 5)
        // The second time it is told.
        let second = error(outdated.0, outdated.1)
        #expect(try receive(Array("3\0\0\0\u{4}1\0\0\0\u{4}".utf8), &session) == [])
        #expect(try receive(second, &session) == second)
        #expect(try receive(ready("I"), &session) == ready("I"))
        isReleasable = session.isReleasable
        #expect(isReleasable)
    }

    @Test(arguments: [("0A000", "other"), ("42P01", "RevalidateCachedQuery")])
    func `other errors are told`(code: String, routine: String) throws {
        var session = session()
        send(statement, &session)
        let told = error(code, routine)
        #expect(try receive(told, &session) == told)
        let isRepairing = session.isRepairing
        #expect(!isRepairing)
    }

    @Test func `what the client has had an answer to is not sent again`() throws {
        var session = session()
        session.expect(Expectation(.parse))
        send(statement, &session)
        let told = error(outdated.0, outdated.1)
        let parsed = Array("1\0\0\0\u{4}".utf8)
        #expect(try receive(parsed + told, &session) == parsed + told)
    }

    @Test func `nothing is sent again if more is on its way`() throws {
        var session = session()
        send(statement, &session)
        send(statement, &session)
        let told = error(outdated.0, outdated.1)
        #expect(try receive(told, &session) == told)
    }

    @Test func `nothing is sent again before its Sync has come`() throws {
        var session = session()
        send(statement, &session, syncs: false)
        let told = error(outdated.0, outdated.1)
        #expect(try receive(told, &session) == told)
    }

    @Test func `inside a transaction the error is the client's`() throws {
        var session = session()
        session.expect(Expectation(.query))
        _ = try receive(ready("T"), &session)
        send(statement, &session)
        let told = error(outdated.0, outdated.1)
        #expect(try receive(told, &session) == told)
    }
}
