public import Sharding

/// What routing knows of one client: its hints, and the transaction that it is in.
///
/// A transaction *floats* as long as nothing in it has a shard: it has begun, set parameters, read
/// what is the same everywhere. Its first statement with a key fixes it. What it did before is
/// written down, so that it can be done again where it belongs.
///
///     none ─▶ begun, nowhere yet ─▶ floats on some shard ─▶ fixed on one
///                      └────────────────▲ moves ┘ └───────────▲
public struct ClientRoute: ~Copyable {
    /// Of the map in force when its transaction began.
    public internal(set) var router: MessageRouter
    /// From the login; where RESET goes.
    public let startupHint: KeyHint?
    /// From SET pgweir.key and pgweir.shard.
    var hint: KeyHint?
    /// From SET LOCAL.
    private var localHint: KeyHint?? { didSet { noteChange() } }
    /// Where the hint in force leads; nil = there is none.
    private(set) var hinted: Route? { didSet { isHinted = hinted != nil } }
    public private(set) var isHinted = false
    /// The session's hint before the transaction changed it, which its end may take back.
    private var hintBefore: KeyHint?? { didSet { noteChange() } }
    /// A ROLLBACK TO may have taken a hint back.
    private var isHintInDoubt = false { didSet { noteChange() } }
    /// What the message under way changes if it succeeds, and the errors of the server before it.
    private var pending: (effect: RouteEffect, errorCount: Int)? {
        didSet { awaitsAnswer = pending != nil }
    }
    /// Whether the next statement must not be looked at before the server has answered.
    public private(set) var awaitsAnswer = false
    /// SET search_path of this transaction; nil = none.
    private(set) var pathInTransaction: SearchPath? { didSet { noteChange() } }
    /// Whether the end of the transaction changes where statements go.
    public private(set) var isChanged = false
    /// Texts to be run again elsewhere, in order.
    public private(set) var log: [String] = []
    /// The client was told that a transaction has begun which no server has begun for it.
    public private(set) var isBegunNowhere = false
    /// It was told that the transaction has failed, too.
    public private(set) var isFailedNowhere = false
    /// `log` has a BEGIN.
    public private(set) var hasBegun = false
    /// What was noted in `log` since the server was last known to have done it.
    private var unprovenCount = 0
    /// Errors of the server that are known.
    private var errorCount = 0
    /// The transaction belongs to the shard that it is on.
    public private(set) var isFixed = false
    /// Messages sent that a ReadyForQuery answers; and how many there were when `isFixed` or `log`
    /// changed last.
    @usableFromInline var endCount = 0
    @usableFromInline var changedAt = 0

    enum SearchPath: Sendable {
        case first(String)
        case unknown
    }

    public init(_ router: MessageRouter, startupHint: KeyHint?) {
        self.router = router
        self.startupHint = startupHint
        hint = startupHint
        refreshHint()
    }

    private mutating func refreshHint() {
        if let doubt {
            hinted = .refused(doubt)
            return
        }
        let inForce = localHint ?? hint
        hinted = inForce.map { router.router.route($0) }
    }

    /// Why nobody can say which hint is in force; nil = it is known.
    var doubt: Refusal? { localHint == nil && isHintInDoubt ? Self.inDoubt : nil }

    private static let inDoubt = Refusal(
        "the hint in force is not known",
        detail: "ROLLBACK TO a savepoint came behind a SET of pgweir.key or pgweir.shard.",
        hint: "Set it again.")

    /// The hint in force, as SHOW tells it.
    var shownHint: KeyHint? { localHint ?? hint }

    /// Another map holds from the next transaction on.
    public mutating func use(_ router: MessageRouter) {
        self.router = router
        refreshHint()
    }

    private func parsed(_ change: HintChange) -> Result<KeyHint?, Refusal> {
        let parsed: Result<KeyHint?, Refusal> =
            switch change.value {
            case .shard(let name): router.shard(name)
            case .key(let text): KeyHint.key(text).map { $0 }
            case .startup: .success(startupHint)
            }
        if case .success(let hint?) = parsed, case .refused(let refusal) = router.router.route(hint)
        {
            return .failure(refusal)
        }
        return parsed
    }

    /// Why `change` is not understood; nil = it is.
    public func refusal(of change: HintChange) -> Refusal? {
        if case .failure(let refusal) = parsed(change) { refusal } else { nil }
    }

    /// `isInTransaction`: its end may take it back. What is not understood changes nothing.
    public mutating func change(_ change: HintChange, isInTransaction: Bool) {
        guard case .success(let hint) = parsed(change) else { return }
        if change.isLocal {
            localHint = .some(hint)
            refreshHint()
        } else {
            set(hint, isInTransaction: isInTransaction)
        }
    }

    private mutating func set(_ hint: KeyHint?, isInTransaction: Bool) {
        if isInTransaction, hintBefore == nil { hintBefore = .some(self.hint) }
        self.hint = hint
        localHint = nil
        isHintInDoubt = false
        refreshHint()
    }

    // MARK: Effects

    private mutating func noteChange() {
        isChanged =
            localHint != nil || hintBefore != nil || isHintInDoubt || pathInTransaction != nil
    }

    /// Whether what was sent before must be answered first, so that it is certain what came of
    /// `survey`.
    public func needsQuiet(_ survey: borrowing Survey) -> Bool {
        switch survey.effect {
        case .hint, .resetHints, .path: true
        case .end, .rollbackTo, nil: survey.dependsOnAnswers
        }
    }

    /// The messages of `survey` up to `offset` have been sent to a server that had reported
    /// `errorCount` errors. `isInBlock`: it was in a transaction block then.
    public mutating func passed(
        _ survey: borrowing Survey, to offset: Int, errorCount: Int, isInBlock: Bool = false
    ) {
        for one in survey.repeatable where one.end <= offset {
            if one.isBegin { noteBegin(one.text) } else { note(one.text) }
        }
        guard offset >= survey.end else { return }
        if survey.endsBatch { passedEnd() }
        guard let effect = survey.effect else {
            // Without a block the batch is the transaction.
            if survey.endsBatch, isChanged, !isInBlock { pending = (.end, errorCount) }
            return
        }
        switch effect {
        case .hint, .resetHints, .path:
            pending = (effect, errorCount)
        case .end:
            if isChanged { pending = (effect, errorCount) }
            // What follows in the batch is in no block any more, and the server says so at its end.
            if !survey.endsBatch, isInBlock || hasBegun { fix() }
        case .rollbackTo:
            if localHint != nil || hintBefore != nil {
                localHint = nil
                isHintInDoubt = true
                refreshHint()
            }
            if pathInTransaction != nil { pathInTransaction = .unknown }
        }
    }

    /// The server reads the messages of `survey` up to `offset` only to find a Sync.
    public mutating func skipped(_ survey: borrowing Survey, to offset: Int) {
        if offset >= survey.end, survey.endsBatch { passedEnd() }
    }

    /// The server has answered everything, and has reported `errorCount` errors by now. `isUndone`:
    /// whether a transaction block has been rolled back, or committed, meanwhile; nil = neither.
    public mutating func answered(errorCount: Int, isUndone: Bool?) {
        if let (effect, before) = pending {
            pending = nil
            if case .end = effect {
                // The batch that it stands in may go on.
                if let isUndone { endSettings(isUndone: isUndone) }
            } else if before == errorCount {
                take(effect)
            }
        }
        // What failed cannot be done again elsewhere.
        if self.errorCount != errorCount, unprovenCount > 0 { fix() }
        self.errorCount = errorCount
        unprovenCount = 0
    }

    private mutating func take(_ effect: RouteEffect) {
        switch effect {
        case .hint(let change): self.change(change, isInTransaction: true)
        case .resetHints: set(startupHint, isInTransaction: true)
        case .path(let path): pathInTransaction = path
        case .end, .rollbackTo: break
        }
    }

    /// The client has got a server, which has reported `errorCount` errors so far.
    public mutating func linked(errorCount: Int) {
        self.errorCount = errorCount
        unprovenCount = 0
        pending = nil
    }

    // MARK: The transaction

    /// BEGIN was answered, and no server has seen it.
    public mutating func beginNowhere(_ text: String) {
        log = [text]
        hasBegun = true
        isBegunNowhere = true
    }

    /// The client was told that the transaction which no server has begun has failed.
    public mutating func failNowhere() { isFailedNowhere = isBegunNowhere }

    /// The server has been sent a BEGIN.
    public mutating func noteBegin(_ text: String) {
        note(text)
        hasBegun = !isFixed
    }

    /// A statement that the server has got is to be run again if the transaction moves.
    public mutating func note(_ text: String) {
        guard !isFixed else { return }
        log.append(text)
        unprovenCount += 1
        changedAt = endCount
    }

    /// The transaction belongs where it is.
    public mutating func fix() {
        isFixed = true
        changedAt = endCount
        hasBegun = false
        log.removeAll()
    }

    /// A Query or a Sync has been sent.
    mutating func passedEnd() { endCount += 1 }

    /// A Sync has been sent while an answer is awaited.
    public mutating func passedSync() { passedEnd() }

    /// If the server is in no transaction: what is known is about one that has ended, and not about
    /// the batch that has begun since.
    @inlinable public var isOfEarlierBatch: Bool {
        (isFixed || !log.isEmpty) && !isBegunNowhere && changedAt != endCount
    }

    /// What a new server must do first, and whether it must fail then; nil = nothing. To be asked
    /// once it is there.
    public mutating func takeReplay() -> (text: String, fails: Bool)? {
        guard isBegunNowhere else { return nil }
        let fails = isFailedNowhere
        isBegunNowhere = false
        isFailedNowhere = false
        changedAt = endCount
        return (log.joined(separator: "\n;"), fails)
    }

    /// Its server is given up, where a transaction block was open or not; another one follows.
    public mutating func leaveServer(inBlock: Bool) {
        isBegunNowhere = inBlock
        pending = nil
        guard !inBlock else { return }
        hasBegun = false
        log.removeAll()
    }

    /// The transaction is over. `isUndone`: it was rolled back.
    public mutating func endTransaction(isUndone: Bool) {
        isBegunNowhere = false
        isFailedNowhere = false
        isFixed = false
        hasBegun = false
        pending = nil
        if !log.isEmpty { log.removeAll() }
        endSettings(isUndone: isUndone)
    }

    private mutating func endSettings(isUndone: Bool) {
        guard isChanged else { return }
        pathInTransaction = nil
        localHint = nil
        if let hintBefore {
            if isUndone { (hint, isHintInDoubt) = (hintBefore, false) }
            self.hintBefore = nil
        } else {
            isHintInDoubt = false
        }
        refreshHint()
    }
}
