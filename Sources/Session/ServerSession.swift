public import Bytes
internal import DequeModule
internal import SQL
public import Wire

/// One logged-in server's side of the protocol: whose reply each message is, and what state the
/// session is in. Performs no I/O.
public struct ServerSession: ~Copyable {
    public var scanner = FrameScanner(lengthMax: 0x7fff_ffff)
    public internal(set) var ledger = Ledger()
    /// As the last ReadyForQuery said.
    public internal(set) var status = TransactionStatus.idle
    /// Whether nothing was sent since the last ReadyForQuery.
    public internal(set) var isReady = true
    /// What the server's parameters are.
    public var parameters: ParameterState
    /// What they were when it had logged in: where RESET goes.
    public var base = ParameterState.empty
    /// Prepared statements under our names.
    public internal(set) var statements = ServerStatements()
    /// Most of them. `max_prepared_statements`.
    public var statementsMax: Int
    /// Which statement the unnamed one is; 0 = none, `unnamedUnknown` = one that nobody remembers.
    public internal(set) var unnamed: UInt64 = 0
    public internal(set) var isUnnamedOfThisLink = false
    /// A message of ours that made it so.
    var unnamedProvision = Provision.none
    /// After an error the server skips messages up to a Sync that the client has not sent yet.
    public internal(set) var skipsUntilSync = false
    public internal(set) var copy = CopyState.none
    /// The session may hold something that we cannot take back: not for another client.
    public var isTainted = false
    /// What became of the query that we sent ourselves, until the worker has looked.
    public var ownQuery = OwnQuery.none
    /// What it was asked before its release, and what it said.
    var question: StateQuestion?
    /// What it says of its database's functions, while it is asked.
    var listing: FunctionListing?
    /// Syncs that came in a COPY FROM STDIN behind its last data, and were not passed on.
    var syncsHeld = 0
    /// Errors that it has reported.
    public internal(set) var errorCount = 0
    /// What became of transaction blocks since somebody has set it to nil; an error counts as the
    /// end of one.
    public var lastEnd: TransactionEnd?
    /// It has said that it closes the connection, and why.
    public internal(set) var saidFatal = false
    /// What the last audit found that no text had shown; until the worker has looked.
    public var surprise: String?
    /// Texts under way that have our names in them: one for each entry of the ledger that says so.
    var renamedTexts: Deque<RenamedText> = []
    /// Of the error that is being handed on.
    var failedText: RenamedText?
    /// What the client calls the statements that Queries under way name.
    var replacedNames: [UInt64: [UInt8]] = [:]
    /// Channels that it listened to when it was last asked, and that of our marker.
    public internal(set) var hears: Set<String> = []
    public internal(set) var handover = Handover.none
    /// The channel of the last marker.
    var marker = ""
    var markerPayload = ""
    /// Whether it listens for all clients of its pool: notifications go to `caught`.
    public var isListener = false
    /// Notifications since the worker last took them.
    public var caught: [Notification] = []
    /// Who notifies by which process of its host.
    public var processes: (any ProcessNames)?
    /// Counters since the worker last took them.
    public var tally = Tally()
    var passesRest = false
    /// Whether the client's next answer is not the first one since the last ReadyForQuery.
    var hasPassedSinceReady = false
    var replay = Replay()
    /// Whether what is sent must be given to `record`.
    public internal(set) var recordsBatch = false

    static let unnamedUnknown = UInt64.max

    /// Longest ParameterStatus, CommandComplete or error of ours that is held whole.
    static let heldByteCountMax = 1 << 20

    public enum CopyState: Equatable, Sendable {
        case none
        /// COPY FROM STDIN: the server reads.
        case fromClient
        /// The client has ended it, and the server has yet to say how it went.
        case ended
        /// COPY TO STDOUT, or both ways as replication does.
        case toClient
    }

    /// Where a message of ours is that what follows relies upon.
    enum Provision {
        /// The server has read it, and not skipped it.
        case none
        case inOpenBatch
        /// A Sync was sent behind it: if the server skips it, then not what follows.
        case beforeSync
    }

    public enum TransactionEnd: Equatable, Sendable { case committed, rolledBack }

    public enum OwnQuery: Equatable, Sendable {
        case none
        case running
        case succeeded
        case failed(ErrorFields)
    }

    public struct Tally: Equatable, Sendable {
        public var queryCount = 0
        public var transactionCount = 0
        /// Parse messages sent to the server.
        public var parseCount = 0
        /// Parse messages that clients sent.
        public var clientParseCount = 0
        public var bindCount = 0
        public init() {}
    }

    public init(parameters: ParameterState, statementsMax: Int) {
        self.parameters = parameters
        self.statementsMax = statementsMax
    }

    /// Whether the server may go to another client: nothing owed, nothing begun, nothing left.
    @inlinable @inline(__always) public var isReleasable: Bool {
        isReady && status == .idle && ledger.isEmpty && scanner.isBetweenFrames && copy == .none
            && !skipsUntilSync && !saidFatal
    }

    /// A query of ours goes first; its replies reach nobody.
    public mutating func expectOwnQuery(_ store: any StatementStore) {
        ownQuery = .running
        // Any Query takes the unnamed statement away.
        setUnnamed(0, store)
        expect(Expectation(.query, .swallow))
    }

    /// A Sync of ours, behind what we have sent ahead of a client's message.
    mutating func expectOwnSync() {
        statements.endBatch()
        expect(Expectation(.sync, .swallow))
    }

    /// The copy has failed: the server waits for the Syncs that were held back. To be called when
    /// what it said has been used. Returns whether there is something to send.
    public mutating func sendHeldSyncs(to toServer: inout ByteBuffer) -> Bool {
        guard syncsHeld > 0, copy == .none else { return false }
        guard skipsUntilSync else {
            syncsHeld = 0
            return false
        }
        for _ in 0..<syncsHeld {
            ClientMessages.sync(to: &toServer)
            expectSync()
        }
        syncsHeld = 0
        return true
    }

    /// CopyDone or CopyFail of a copy that has not begun as far as we know.
    mutating func noteCopyEnd() { ledger.append(Expectation(.copyEnd)) }

    /// Whether a Parse of a text that the server has parsed before will succeed, for all we know:
    /// in a failed transaction only what ends it would.
    func surelyParses(_ facts: SharedFacts?) -> Bool {
        if let block = facts?.facts.block, block == .ends { return true }
        return status != .failed && !ledger.hasEnd
    }

    /// Has the server forget `statement`, so that it can be parsed again.
    mutating func dropStatement(
        _ statement: UInt64, toServer: inout Outgoing, bytes: borrowing RawSpan
    ) {
        guard statements.remove(statement) else { return }
        toServer.spill(bytes)
        ClientMessages.closeStatement(ServerStatements.name(of: statement), to: &toServer.buffer)
        expect(Expectation(.close, .swallow, statement: statement))
    }

    /// The link to a client ended; its unnamed statement may stay for the next one to replace.
    public mutating func unlinked() {
        isUnnamedOfThisLink = false
        // Nearly always there is none, and clearing it is dearer than looking.
        if question != nil { question = nil }
        listing = nil
        surprise = nil
        handover = .none
        statements.endBatch()
        stopReplay()
    }

    mutating func expect(_ expectation: Expectation) {
        isReady = false
        noteExpected(expectation)
        ledger.append(expectation)
    }

    /// The same for a message whose text has our names in it.
    mutating func expect(
        _ kind: Expectation.Kind, of text: RenamedText, changesNames: Bool = false,
        changesUnnamed: Bool = false, statement: UInt64 = 0
    ) {
        if !text.isEmpty { renamedTexts.append(text) }
        expect(
            Expectation(
                kind, changesNames: changesNames, changesUnnamed: changesUnnamed,
                isRenamed: !text.isEmpty, statement: statement))
    }

    /// Appends a synthesised reply; when nothing is owed before it, the client gets it at once.
    mutating func expect(
        _ expectation: Expectation, of client: inout ClientSession, toClient: inout Outgoing,
        bytes: borrowing RawSpan, store: any StatementStore
    ) {
        expect(expectation)
        if ledger.count == 1, scanner.isBetweenFrames {
            toClient.spill(bytes)
            settleSynthesised(client: &client, toClient: &toClient, store: store)
        }
    }

    mutating func expectSync() {
        statements.endBatch()
        if unnamedProvision == .inOpenBatch { unnamedProvision = .beforeSync }
        skipsUntilSync = false
        expect(Expectation(.sync))
    }

    mutating func setUnnamed(_ statement: UInt64, _ store: any StatementStore) {
        isUnnamedOfThisLink = true
        unnamedProvision = .none
        guard statement != unnamed else { return }
        if statement != 0, statement != Self.unnamedUnknown { store.retain(statement) }
        if unnamed != 0, unnamed != Self.unnamedUnknown { store.release(unnamed) }
        unnamed = statement
    }

    /// Sees to it that the server has `statement` before what is sent next. Returns whether it was
    /// there.
    @discardableResult mutating func provide(
        _ statement: UInt64, toServer: inout Outgoing, bytes: borrowing RawSpan,
        store: any StatementStore
    ) -> Bool {
        if statements.useIfThere(statement) { return true }
        addStatement(statement, toServer: &toServer, bytes: bytes, store: store)
        if ServerStatements.isFromSQL(statement) {
            for entry in Self.expectedOfPrepare(statement) { expect(entry) }
        } else {
            expect(Expectation(.parse, .swallow, statement: statement))
        }
        return false
    }

    /// Writes what gives the server `statement`, and a Close of the least used one if there are too
    /// many. The caller appends what to expect of it.
    mutating func addStatement(
        _ statement: UInt64, toServer: inout Outgoing, bytes: borrowing RawSpan,
        store: any StatementStore
    ) {
        makeRoom(toServer: &toServer, bytes: bytes)
        store.retain(statement)
        statements.add(statement)
        tally.parseCount += 1
        write(statement, to: &toServer.buffer, store)
    }

    /// Writes the Parse of `statement` under our name; or the PREPARE, by messages that fit into
    /// any batch, because a Query would end it.
    func write(_ statement: UInt64, to buffer: inout ByteBuffer, _ store: any StatementStore) {
        let name = ServerStatements.name(of: statement)
        guard ServerStatements.isFromSQL(statement) else {
            return buffer.appendMessage(ClientTag.parse) {
                $0.append(cString: name)
                store.appendDefinition(of: statement, to: &$0)
            }
        }
        ClientMessages.run(named: "pgweir_prepare", to: &buffer) {
            $0.append(utf8: "PREPARE \(name) ")
            store.appendDefinition(of: statement, to: &$0)
        }
    }

    static func expectedOfPrepare(_ statement: UInt64) -> [Expectation] {
        [
            Expectation(.parse, .swallow), Expectation(.bind, .swallow),
            Expectation(.execute, .swallow, statement: statement),
            Expectation(.close, .swallow), Expectation(.close, .swallow),
        ]
    }

    private mutating func makeRoom(toServer: inout Outgoing, bytes: borrowing RawSpan) {
        toServer.spill(bytes)
        while let victim = statements.victim(max: max(0, statementsMax - 1)) {
            _ = statements.remove(victim)
            ClientMessages.closeStatement(
                ServerStatements.name(of: victim), to: &toServer.buffer)
            expect(Expectation(.close, .swallow, statement: victim))
        }
    }

    /// Forgets all statements, because the server has (DISCARD ALL) or is gone.
    public mutating func releaseStatements(_ store: any StatementStore) {
        for statement in statements.removeAll() { store.release(statement) }
        setUnnamed(0, store)
        for text in renamedTexts { text.release(store) }
        renamedTexts.removeAll()
    }

    /// Answers the synthesised entries at the head of the ledger. `toClient` must be spilled.
    mutating func settleSynthesised(
        client: inout ClientSession, toClient: inout Outgoing, store: any StatementStore
    ) {
        while let head = ledger.head, head.disposition == .synthesise {
            _ = ledger.removeHead()
            let tag =
                head.kind == .parse ? ServerTag.parseComplete : ServerTag.closeComplete
            toClient.buffer.appendMessage(tag)
            acknowledge(head, &client, store)
        }
    }

    /// The message has had its effect on what the client calls its statements.
    func acknowledge(
        _ entry: Expectation, _ client: inout ClientSession, _ store: any StatementStore
    ) {
        if entry.changesNames, let freed = client.names.acknowledge() { store.release(freed) }
        if entry.changesUnnamed {
            let freed = client.unnamed.acknowledge()
            if freed != 0 { store.release(freed) }
        }
    }
}

extension ServerSession {
    /// The client is gone: ends what it left open, so that the server comes to a ReadyForQuery.
    public mutating func finishForOrphan(_ toServer: inout Outgoing) {
        // Whoever is linked next is not asked about by it.
        question = nil
        handover = .none
        if copy == .fromClient {
            ClientMessages.copyFail("client disconnected", to: &toServer.buffer)
            copy = .ended
        }
        guard isBatchOpen else { return }
        if !skipsUntilSync {
            // A Sync alone would commit what the client has not.
            ClientMessages.failingParse(to: &toServer.buffer)
            expect(Expectation(.parse, .swallow))
        }
        ClientMessages.sync(to: &toServer.buffer)
        expectSync()
    }

    /// Whether the server waits for a Sync, or will if something under way fails.
    var isBatchOpen: Bool {
        ledger.isEmpty ? skipsUntilSync || !isReady : ledger.hasOpenBatch
    }
}
