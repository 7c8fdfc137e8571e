public import Bytes
public import SQL
public import Wire

/// One logged-in client's side of the protocol: what its messages need, what names it gave.
///
/// Called with the bytes that came from the client; writes what the server and the client are to
/// get. Performs no I/O, and does not know whether a server is to be had: it only says when it
/// needs one.
public struct ClientSession: ~Copyable {
    public var scanner: FrameScanner
    /// Names of prepared statements.
    public var names = StatementNames()
    /// The statement that the client parsed without a name.
    var unnamed = UnnamedStatement()
    /// What the client's session parameters are to be.
    public var parameters: ParameterState
    /// What they were when it had logged in: where RESET goes.
    public var startup: ParameterState
    /// What it may have left in its server's session.
    public var traces = SessionTraces()
    /// What it listens to; nil = it never did.
    public var channels: ClientChannels?
    /// Tells it from all other clients of this process, now and later.
    public var identity: UInt64 = 0
    /// Names of its database whose use leaves something; nil = none.
    public internal(set) var functions: SuspectNames?
    /// As of when that is, by the count of the process.
    public var functionsEpoch: UInt64 = 0
    /// What texts of statements say with those names in mind.
    var factsByStatement: [UInt64: SharedFacts?] = [:]
    /// What it is told by a ReadyForQuery while it has no server: a transaction may have been begun
    /// that no server knows of yet.
    public var statusUnlinked = TransactionStatus.idle
    /// Messages are dropped up to the next Sync, because one of them was refused.
    public var discardsUntilSync = false
    /// Whether its servers go to other clients too (not in session mode): names of prepared
    /// statements are replaced by ours, and what the client leaves in a session is followed.
    public var sharesServers: Bool
    /// A DEALLOCATE or DISCARD is under way; messages behind it wait for its answer.
    var waitsForReset = false
    /// The server was told not to hold back its answer to it.
    var asksForReset = false
    /// Portals that hold one, by hash of their names, and what they change; it is under way once
    /// executed.
    var awaitedPortals: [UInt64: (changes: [NameChange], text: RenamedText)] = [:]
    /// What happens to the rest of the message that is cut off at the end of the bytes.
    var passesRest = false
    /// Its server was sent statements that want these to be without other connections; by their
    /// names on the server. Whoever looks at them empties it.
    public var databasesToVacate: [String] = []

    public init(lengthMax: UInt32, parameters: ParameterState, sharesServers: Bool) {
        scanner = FrameScanner(lengthMax: lengthMax)
        self.parameters = parameters
        startup = parameters
        self.sharesServers = sharesServers
    }

    /// Whether the server has a message of this client only in part, so that it cannot be let go.
    public var isInsidePassedMessage: Bool { passesRest && !scanner.isBetweenFrames }

    /// The server was released.
    public mutating func unlinked(inTransaction: Bool = false) {
        traces.unlinked(inTransaction: inTransaction)
    }

    /// Ends the uses of all statements. To be called when the client is gone.
    public mutating func releaseStatements(_ store: any StatementStore) {
        for statement in names.removeAll() { store.release(statement) }
        for statement in unnamed.removeAll() where statement != 0 { store.release(statement) }
        forgetPortals(store)
    }
}

/// Where `received` stopped.
public enum ClientStep: Equatable, Sendable {
    /// Nothing more to do with these bytes; those from `offset` on are an incomplete message.
    case consumed
    /// The message at `offset` needs a server.
    case needsServer
    /// The message at `offset` must wait until the server has answered what was sent before.
    case stalled
    /// The client says goodbye.
    case terminated
}

/// Longest messages that must be held whole.
enum HeldMessage {
    /// Parse with a name.
    static let parseByteCountMax = 16 << 20
    /// Parse without a name; longer ones are passed on and not remembered.
    static let unnamedParseByteCountMax = 16 << 10
    /// Describe, Close, and the two names of a Bind.
    static let namesByteCountMax = 16 << 10
    /// Query, which is read before it is sent; of longer ones, the start is.
    static let queryByteCountMax = 1 << 20
    /// Most replies that one server may owe before the client is not read any further.
    static let expectationsMax = 65_536
}

extension ClientSession {
    /// The client has no server. Answers what needs none.
    public mutating func receivedUnlinked(
        _ bytes: borrowing RawSpan, from offset: inout Int, toClient: inout Outgoing,
        store: any StatementStore
    ) throws(SessionError) -> ClientStep {
        while true {
            let before = scanner
            guard let piece = try nextPiece(bytes, from: &offset) else { return .consumed }
            guard let tag = piece.opens else { continue }
            passesRest = false
            if discardsUntilSync, tag != ClientTag.sync, tag != ClientTag.terminate { continue }
            switch tag {
            case ClientTag.terminate:
                return .terminated
            case ClientTag.sync:
                discardsUntilSync = false
                toClient.spill(bytes)
                ServerMessages.readyForQuery(statusUnlinked, to: &toClient.buffer)
            case ClientTag.flush, ClientTag.copyData, ClientTag.copyDone, ClientTag.copyFail:
                // Without a server there is nothing to flush, and COPY messages that come after
                // the copy has failed are ignored, as PostgreSQL does.
                break
            case ClientTag.query, ClientTag.parse, ClientTag.bind, ClientTag.describe,
                ClientTag.execute, ClientTag.close, ClientTag.functionCall:
                // Whoever sends slowly holds no server meanwhile.
                let isHeld =
                    tag != ClientTag.functionCall && !piece.closes
                    && piece.body.count + scanner.bodyByteCountLeft
                        <= HeldMessage.queryByteCountMax
                scanner = before
                offset = piece.start
                return isHeld ? .consumed : .needsServer
            default:
                throw .clientUnexpected(tag: tag)
            }
        }
    }

    private mutating func nextPiece(
        _ bytes: borrowing RawSpan, from offset: inout Int
    ) throws(SessionError) -> FramePiece? {
        do throws(WireError) {
            return try scanner.next(in: bytes, from: &offset)
        } catch { throw .clientMalformed(error) }
    }

    /// The client has `server`. Appends what the server is to get, and to the server's ledger.
    public mutating func receivedLinked(
        _ bytes: borrowing RawSpan, from offset: inout Int, server: inout ServerSession,
        toServer: inout Outgoing, toClient: inout Outgoing, store: any StatementStore
    ) throws(SessionError) -> ClientStep {
        while true {
            let before = scanner
            guard let piece = try nextPiece(bytes, from: &offset) else { return .consumed }
            guard let tag = piece.opens else {
                if passesRest { toServer.pass(piece.start..<piece.body.upperBound, of: bytes) }
                continue
            }
            // What the client does now would be lost among what the server was asked about.
            if server.ledger.count >= HeldMessage.expectationsMax || server.isRepairing
                || server.isQuestioned
            {
                scanner = before
                offset = piece.start
                return .stalled
            }
            if waitsForReset, !Self.passesReset(tag) {
                guard server.ledger.isEmpty else {
                    scanner = before
                    offset = piece.start
                    if !asksForReset, !server.ledger.hasEnd {
                        asksForReset = true
                        toServer.spill(bytes)
                        ClientMessages.flush(to: &toServer.buffer)
                    }
                    return .stalled
                }
                waitsForReset = false
                asksForReset = false
            }
            if tag == ClientTag.terminate { return .terminated }
            if server.skipsUntilSync, tag != ClientTag.sync {
                // The server would skip it as well.
                passesRest = false
                continue
            }
            let handling = try handle(
                tag, piece, of: bytes, server: &server, toServer: &toServer,
                toClient: &toClient, store: store)
            switch handling {
            case .pass:
                passesRest = true
                toServer.pass(piece.start..<piece.body.upperBound, of: bytes)
            case .replaced(let passesRest):
                self.passesRest = passesRest
            case .incomplete:
                scanner = before
                offset = piece.start
                return .consumed
            case .stalled:
                scanner = before
                offset = piece.start
                return .stalled
            }
        }
    }

    /// Messages that what is under way may itself be waiting for.
    private static func passesReset(_ tag: UInt8) -> Bool {
        switch tag {
        case ClientTag.sync, ClientTag.flush, ClientTag.copyData, ClientTag.copyDone,
            ClientTag.copyFail:
            true
        default: false
        }
    }

    /// What is to be done with the message that begins in a piece.
    enum Handling {
        /// It goes to the server as it is.
        case pass
        /// What goes to the server instead was written; whether the rest of the body follows it.
        case replaced(passesRest: Bool)
        /// More of it must be there first.
        case incomplete
        /// The server must answer first.
        case stalled
    }

    private mutating func handle(
        _ tag: UInt8, _ piece: FramePiece, of bytes: borrowing RawSpan,
        server: inout ServerSession, toServer: inout Outgoing, toClient: inout Outgoing,
        store: any StatementStore
    ) throws(SessionError) -> Handling {
        if server.copy == .fromClient, let handling = handleInCopy(tag, server: &server) {
            return handling
        }
        if !sharesServers, let kind = Self.kind(ofBatched: tag) {
            if kind == .parse, piece.closes { server.tally.clientParseCount += 1 }
            server.expect(Expectation(kind))
            return .pass
        }
        switch tag {
        case ClientTag.query:
            return handleQuery(
                piece, of: bytes, server: &server, toServer: &toServer, store: store)
        case ClientTag.execute:
            if !awaitedPortals.isEmpty {
                guard let end = bytes.firstOffset(of: 0, in: piece.body) else {
                    return try holdNames(piece, tag)
                }
                let portal = bytes.extracting(piece.body.lowerBound..<end)
                if let awaited = awaitedPortals.removeValue(forKey: portal.hash64()) {
                    waitsForReset = true
                    var text = awaited.text
                    text.changes = awaited.changes
                    server.expect(.execute, of: text)
                    return .pass
                }
            }
            server.expect(Expectation(.execute))
            return .pass
        case ClientTag.sync:
            forgetPortals(store)
            names.endBatch()
            unnamed.endBatch()
            server.expectSync()
            return .pass
        case ClientTag.flush, ClientTag.copyData:
            return .pass
        case ClientTag.copyDone, ClientTag.copyFail:
            server.noteCopyEnd()
            return .pass
        case ClientTag.functionCall:
            // It names a function by a number only.
            if sharesServers { suspectEverything() }
            server.expect(Expectation(.functionCall))
            return .pass
        case ClientTag.parse:
            if piece.closes { server.tally.clientParseCount += 1 }
            return try handleParse(
                piece, of: bytes, server: &server, toServer: &toServer, toClient: &toClient,
                store: store)
        case ClientTag.bind:
            return try handleBind(
                piece, of: bytes, server: &server, toServer: &toServer, store: store)
        case ClientTag.describe:
            return try handleDescribe(
                piece, of: bytes, server: &server, toServer: &toServer, store: store)
        case ClientTag.close:
            return try handleClose(
                piece, of: bytes, server: &server, toServer: &toServer, toClient: &toClient,
                store: store)
        default:
            throw .clientUnexpected(tag: tag)
        }
    }

    /// Of messages that name statements.
    private static func kind(ofBatched tag: UInt8) -> Expectation.Kind? {
        switch tag {
        case ClientTag.parse: .parse
        case ClientTag.bind: .bind
        case ClientTag.describe: .describe
        case ClientTag.close: .close
        default: nil
        }
    }

    /// While the server reads a COPY it ignores Sync and Flush. Source: PostgreSQL documentation,
    /// "COPY Operations". nil = no part of a copy: either the copy has failed already and its error
    /// is on its way, or the server breaks off the connection.
    private func handleInCopy(_ tag: UInt8, server: inout ServerSession) -> Handling? {
        switch tag {
        case ClientTag.copyData, ClientTag.flush:
            if tag == ClientTag.copyData { server.syncsHeld = 0 }
            return .pass
        case ClientTag.sync:
            // Of no use to the server, unless it has failed already and its error is on its way.
            server.syncsHeld += 1
            return .replaced(passesRest: false)
        case ClientTag.copyDone, ClientTag.copyFail:
            server.copy = .ended
            server.syncsHeld = 0
            return .pass
        default:
            server.copy = .ended
            return nil
        }
    }
}

extension ClientSession {
    /// The client's next request was cancelled before a server had it. Takes that request out of
    /// the bytes that were `held`, or its rest out of those to come, and answers 57014. Returns
    /// whether what is held can be looked at again.
    public mutating func cancelHeld(
        _ held: inout ByteBuffer, toClient: inout Outgoing
    ) -> Bool {
        let reply = ErrorReply(
            .error, .queryCanceled, "canceling statement due to user request",
            detail: "It was waiting for a server and did not run.")
        reply.write(to: &toClient.buffer)
        guard !held.isEmpty else { return false }
        switch held.bytes.uint8(at: 0) {
        case ClientTag.query, ClientTag.functionCall:
            // Answered like a statement that failed: its bytes are passed over.
            ServerMessages.readyForQuery(statusUnlinked, to: &toClient.buffer)
            var offset = 0
            let piece: FramePiece?
            do throws(WireError) {
                piece = try scanner.next(in: held.bytes, from: &offset)
            } catch { return true }
            if piece != nil { held.consume(offset) }
            passesRest = false
        default:
            discardsUntilSync = true
        }
        return !held.isEmpty
    }
}
