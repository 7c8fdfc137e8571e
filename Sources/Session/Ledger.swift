/// What a message that went to a server will be answered with, and who gets the answer.
public struct Expectation: Equatable, Sendable {
    /// The kind of message that was sent, which decides the replies that fit.
    public enum Kind: UInt8, Sendable {
        /// Parse: `1`.
        case parse
        /// Bind: `2`.
        case bind
        /// Describe of a statement or portal: `t`, then `T` or `n`.
        case describe
        /// Execute: rows or COPY, then `C`, `I` or `s`.
        case execute
        /// Close: `3`.
        case close
        /// Sync: `Z`.
        case sync
        /// Query: anything up to `Z`.
        case query
        /// FunctionCall: `V`, then `Z`.
        case functionCall
        /// CopyDone or CopyFail: no reply. Stands for the place where a copy has ended.
        case copyEnd
    }

    public enum Disposition: UInt8, Sendable {
        /// The linked client asked; it gets the reply.
        case forward
        /// We asked; nobody gets the reply.
        case swallow
        /// The server was not asked; we answer the client when the turn comes.
        case synthesise
    }

    public let kind: Kind
    public let disposition: Disposition
    /// Whether the client's table of names has a change that waits for this reply.
    public let changesNames: Bool
    /// Whether the client's unnamed statement has a change that waits for this reply.
    public let changesUnnamed: Bool
    /// Whether its text has our names of statements: `ServerSession.renamedTexts`.
    public let isRenamed: Bool
    /// The statement that a Parse creates or a Close removes on the server; 0 = none.
    public let statement: UInt64

    public init(
        _ kind: Kind, _ disposition: Disposition = .forward,
        changesNames: Bool = false, changesUnnamed: Bool = false, isRenamed: Bool = false,
        statement: UInt64 = 0
    ) {
        self.kind = kind
        self.disposition = disposition
        self.changesNames = changesNames
        self.changesUnnamed = changesUnnamed
        self.isRenamed = isRenamed
        self.statement = statement
    }

    /// Whether the server's unnamed statement may be another once the message was read: a change by
    /// the client, a Query, or a message of ours that is not about a statement with a name.
    var mayTouchUnnamed: Bool {
        changesUnnamed || kind == .query
            || disposition == .swallow && statement == 0 && (kind == .parse || kind == .close)
    }
}

/// The replies that one server owes, in the order in which it will send them.
///
/// Each message to a server appends one entry, whoever sent it; nothing overtakes. A server can be
/// handed on only when its ledger is empty.
///
///     ring: │ … │ head │ entry │ … │ last │ free … │    (its count is a power of two)
public struct Ledger: Sendable {
    private var ring: [Expectation] = []
    private var start = 0
    public private(set) var count = 0
    /// Counted, because a client may have thousands of messages under way and each may ask.
    private var syncCount = 0
    private var endCount = 0
    private var synthesisedCount = 0

    public init() {}

    @inlinable public var isEmpty: Bool { count == 0 }
    public var head: Expectation? { count == 0 ? nil : ring[start] }
    public var last: Expectation? { count == 0 ? nil : ring[place(of: count - 1)] }

    private func place(of index: Int) -> Int { (start &+ index) & (ring.count &- 1) }

    public mutating func append(_ entry: Expectation) {
        // A copy that nobody can have begun has no end.
        if entry.kind == .copyEnd, isEmpty { return }
        if count == ring.count { grow(with: entry) }
        ring[place(of: count)] = entry
        count += 1
        tally(entry, 1)
    }

    private mutating func grow(with entry: Expectation) {
        var larger: [Expectation] = []
        larger.reserveCapacity(max(4, count * 2))
        for index in 0..<count { larger.append(ring[place(of: index)]) }
        while larger.count < max(4, count * 2) { larger.append(entry) }
        ring = larger
        start = 0
    }

    public mutating func removeHead() -> Expectation? {
        guard let head else { return nil }
        dropHead(head)
        while let next = self.head, next.kind == .copyEnd { dropHead(next) }
        return head
    }

    /// `head` is the head.
    @inline(__always) private mutating func dropHead(_ head: Expectation) {
        tally(head, -1)
        start = place(of: 1)
        count -= 1
    }

    /// Whether nothing is owed but answers to queries of ours.
    public var isOursOnly: Bool {
        (0..<count).allSatisfy {
            let entry = ring[place(of: $0)]
            return entry.kind == .query && entry.disposition == .swallow
        }
    }

    /// Whether a Sync is owed, so that an error ends there.
    public var hasSync: Bool { syncCount > 0 }

    /// Whether a ReadyForQuery is owed.
    public var hasEnd: Bool { endCount > 0 }

    /// Whether something is owed that, if it fails, makes the server skip what comes before the
    /// next Sync: a Query or FunctionCall behind it is no end.
    public var hasOpenBatch: Bool {
        for index in (0..<count).reversed() {
            switch ring[place(of: index)].kind {
            case .parse, .bind, .describe, .execute, .close: return true
            case .sync: return false
            case .query, .functionCall, .copyEnd: continue
            }
        }
        return false
    }

    /// Whether an answer of ours is owed, at whatever place.
    var hasSynthesised: Bool { synthesisedCount > 0 }

    @inline(__always) private mutating func tally(_ entry: Expectation, _ change: Int) {
        if entry.disposition == .synthesise { synthesisedCount += change }
        guard entry.kind.rawValue >= Expectation.Kind.sync.rawValue else { return }
        switch entry.kind {
        case .sync:
            syncCount += change
            endCount += change
        case .query, .functionCall:
            endCount += change
        case .parse, .bind, .describe, .execute, .close, .copyEnd:
            break
        }
    }

    /// After an error in the extended protocol the server skips everything up to the next Sync.
    /// Takes those entries out, calls `dropped` for each, oldest first, and says whether a Sync
    /// is left as the new head.
    public mutating func dropThroughError(_ dropped: (Expectation) -> Void) -> Bool {
        while let head {
            if head.kind == .sync { return true }
            dropHead(head)
            if head.kind != .copyEnd { dropped(head) }
        }
        return false
    }

    /// What is already on its way to a server that begins to read a COPY FROM STDIN.
    public enum CopyAhead: Equatable, Sendable {
        /// The copy's data are still to be sent.
        case open
        /// CopyDone or CopyFail was sent.
        case ended
        /// A message that is no part of a copy was sent.
        case brokenOff
    }

    /// A COPY FROM STDIN begins, asked for by the head. The server ignores the Syncs that it reads
    /// before the copy's end. Another message fails the copy, or meets one that has failed already.
    public mutating func beginCopy() -> CopyAhead {
        while count > 1 {
            switch ring[place(of: 1)].kind {
            case .sync:
                dropBehindHead()
            case .copyEnd:
                dropBehindHead()
                return .ended
            case .parse, .bind, .describe, .execute, .close, .query, .functionCall:
                return .brokenOff
            }
        }
        return .open
    }

    /// Takes out the entry behind the head: the head moves into its place.
    private mutating func dropBehindHead() {
        let behind = place(of: 1)
        tally(ring[behind], -1)
        ring[behind] = ring[start]
        start = behind
        count -= 1
    }
}
