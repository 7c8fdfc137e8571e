public import Bytes
internal import Wire

// A server's copy of a statement is older than a change of its table: PostgreSQL refuses it, once
// and for all, with "cached plan must not change result type". It may be another client's copy, so
// it is parsed again and the batch is sent again, as long as nothing of the batch has happened.

/// One batch as it was sent, from the first message that the client gets an answer to.
struct Replay: ~Copyable {
    enum Phase {
        /// There is nothing to send again.
        case off
        /// The batch is being sent, and is kept as far as it was.
        case recording
        /// All of it up to its Sync was sent.
        case complete
        /// It has failed; the answer to its Sync is waited for.
        case failed
        /// It can be sent again.
        case due
    }

    var phase = Phase.off
    var bytes = ByteBuffer()
    var entries: [Expectation] = []
    /// Those that the server had before the batch.
    var statements: [UInt64] = []
    /// Where it begins in what is being written.
    var start = 0
    /// The client has the ParameterDescription that its first message was answered with: a
    /// Describe fails behind it.
    var hasToldParameters = false

    /// Longer batches are not kept.
    static let byteCountMax = 16 << 10
}

extension ServerSession {
    /// Whether a batch must be sent again before anything else.
    public var isRepairing: Bool {
        switch replay.phase {
        case .failed, .due: true
        case .off, .recording, .complete: false
        }
    }

    /// The next message uses `statement`, which the server has had before; `written` bytes stand
    /// before it. To be called before what to expect of it is noted.
    mutating func noteUse(of statement: UInt64, written: Int) {
        switch replay.phase {
        case .recording:
            replay.statements.append(statement)
        case .complete:
            stopReplay()
        case .off:
            guard status == .idle, !hasPassedSinceReady, !skipsUntilSync else { return }
            replay.phase = .recording
            recordsBatch = true
            replay.bytes.removeAll()
            replay.entries.removeAll(keepingCapacity: true)
            replay.statements.removeAll(keepingCapacity: true)
            replay.statements.append(statement)
            replay.start = written
            replay.hasToldParameters = false
        case .failed, .due:
            break
        }
    }

    /// Something is expected of the server; part of the batch that is kept, if one is.
    mutating func noteExpected(_ entry: Expectation) {
        if entry.disposition == .forward { hasPassedSinceReady = true }
        switch replay.phase {
        case .recording:
            replay.entries.append(entry)
            if entry.kind == .sync { replay.phase = .complete }
        case .complete:
            // Another one is on its way behind it: too late to send it again.
            stopReplay()
        case .off, .failed, .due:
            break
        }
    }

    /// What is being sent, to be kept.
    public mutating func record(_ sent: borrowing RawSpan) {
        let start = min(replay.start, sent.byteCount)
        replay.start = 0
        guard replay.bytes.count + sent.byteCount - start <= Replay.byteCountMax else {
            return stopReplay()
        }
        replay.bytes.append(sent.extracting(start..<sent.byteCount))
        if replay.phase == .complete { recordsBatch = false }
    }

    mutating func stopReplay() {
        replay.phase = .off
        replay.hasToldParameters = false
        recordsBatch = false
    }

    /// ParameterDescription. Returns whether the client has it from before the batch was repaired.
    mutating func hasParameters() -> Bool {
        let hasThem = replay.phase == .off && replay.hasToldParameters
        replay.hasToldParameters = replay.phase != .off
        return hasThem
    }

    /// The head of the ledger failed with `body`. Returns whether its batch will be sent again, so
    /// that nobody hears of it.
    mutating func willRepair(_ body: borrowing RawSpan) -> Bool {
        guard replay.phase == .complete, ledger.count == replay.entries.count,
            ledger.head == replay.entries.first,
            ErrorFields(body: body).isOutdatedPlan
        else { return false }
        ledger = Ledger()
        ledger.append(Expectation(.sync, .swallow))
        replay.phase = .failed
        recordsBatch = false
        return true
    }

    /// Sends the batch again, behind a new Parse of what it uses, when its turn has come. Returns
    /// whether there is something to send.
    public mutating func sendAgain(
        to toServer: inout ByteBuffer, store: any StatementStore
    ) -> Bool {
        guard replay.phase == .due else { return false }
        replay.phase = .off
        for statement in replay.statements where statements.contains(statement) {
            ClientMessages.closeStatement(ServerStatements.name(of: statement), to: &toServer)
            ledger.append(Expectation(.close, .swallow))
            write(statement, to: &toServer, store)
            if ServerStatements.isFromSQL(statement) {
                for entry in Self.expectedOfPrepare(statement) { ledger.append(entry) }
            } else {
                ledger.append(Expectation(.parse, .swallow, statement: statement))
            }
        }
        toServer.append(replay.bytes.bytes)
        for entry in replay.entries { ledger.append(entry) }
        return true
    }

    /// The client is gone.
    public mutating func forgetBatch() { stopReplay() }
}

extension ErrorFields {
    /// Whether PostgreSQL refuses a statement because its result was another when it was parsed.
    /// The text may be translated; the place in the source is not.
    var isOutdatedPlan: Bool { state == "0A000" && routine == "RevalidateCachedQuery" }
}
