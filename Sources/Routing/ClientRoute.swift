public import Sharding

/// What routing knows of one client: its hints, and the transaction that it is in.
///
/// A transaction *floats* as long as nothing in it has a shard: it has begun, set parameters, read
/// what is the same everywhere. Its first statement with a key fixes it. What it did before is
/// written down, so that it can be done again where it belongs.
///
///     none ─▶ begun, nowhere yet ─▶ floats on some shard ─▶ fixed on one
///                      └────────────────▲ moves ┘ └───────────▲
public struct ClientRoute {
    /// Of the map in force when its transaction began.
    public internal(set) var router: MessageRouter
    /// From the login; where RESET goes.
    public let startupHint: KeyHint?
    /// From SET pgweir.key and pgweir.shard.
    var hint: KeyHint?
    /// From SET LOCAL.
    var localHint: KeyHint??
    /// Where the hint in force leads; nil = there is none.
    private(set) var hinted: Route?
    /// SET search_path of this transaction; nil = none.
    var pathInTransaction: SearchPath?
    /// Texts to be run again elsewhere, in order.
    public private(set) var log: [String] = []
    /// The client was told that a transaction has begun which no server has begun for it.
    public private(set) var isBegunNowhere = false
    /// The transaction belongs to the shard that it is on.
    public private(set) var isFixed = false
    /// Messages that are known to go where the client is linked, or about to be.
    public var approvedCount = 0

    enum SearchPath {
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
        let inForce = localHint ?? hint
        hinted = inForce.map { router.router.route($0) }
    }

    /// The hint in force, as SHOW tells it.
    var shownHint: KeyHint? { localHint ?? hint }

    /// Another map holds from the next transaction on.
    public mutating func use(_ router: MessageRouter) {
        self.router = router
        refreshHint()
    }

    /// nil = done; else why it is not understood, and nothing has changed.
    public mutating func change(_ change: HintChange) -> Refusal? {
        let parsed: Result<KeyHint?, Refusal>
        switch change.value {
        case .shard(let name): parsed = router.shard(name)
        case .key(let text): parsed = KeyHint.key(text).map { $0 }
        case .startup: parsed = .success(startupHint)
        }
        switch parsed {
        case .failure(let refusal): return refusal
        case .success(let hint):
            if let hint, case .refused(let refusal) = router.router.route(hint) { return refusal }
            if change.isLocal {
                localHint = .some(hint)
            } else {
                self.hint = hint
                localHint = nil
            }
            refreshHint()
            return nil
        }
    }

    /// RESET ALL or DISCARD ALL.
    mutating func resetHints() {
        hint = startupHint
        localHint = nil
        refreshHint()
    }

    // MARK: The transaction

    /// BEGIN was answered, and no server has seen it.
    public mutating func beginNowhere(_ text: String) {
        log = [text]
        isBegunNowhere = true
    }

    /// A statement that the server has got is to be run again if the transaction moves.
    public mutating func note(_ text: String) {
        guard !isFixed else { return }
        log.append(text)
    }

    /// The transaction belongs where it is.
    public mutating func fix() {
        isFixed = true
        log.removeAll()
    }

    /// What a new server must do first; nil = nothing. To be asked once it is there.
    public mutating func takeReplay() -> String? {
        guard isBegunNowhere else { return nil }
        isBegunNowhere = false
        return log.joined(separator: "\n;")
    }

    /// Its server is given up, where a transaction block was open or not; another one follows.
    public mutating func leaveServer(inBlock: Bool) {
        isBegunNowhere = inBlock
        if !inBlock { log.removeAll() }
        approvedCount = 0
    }

    /// The transaction is over.
    public mutating func endTransaction() {
        isBegunNowhere = false
        isFixed = false
        approvedCount = 0
        if !log.isEmpty { log.removeAll() }
        pathInTransaction = nil
        guard localHint != nil else { return }
        localHint = nil
        refreshHint()
    }
}
