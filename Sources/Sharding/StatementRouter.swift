internal import Bytes
internal import SQL

/// Where a text goes that was recognised. See `StatementRouter.recognise`.
public enum RecognisedRoute: Sendable {
    case shard(Int)
    case anyShard
    /// Where the value of this parameter belongs.
    case parameter(KeyParameter)
}

/// Routes the query strings of one worker: a pass of the lexer and a look-up for a known shape, the
/// parser for a new one.
///
/// Holds for one map; after RELOAD there is a new one.
public struct StatementRouter: ~Copyable {
    private var shape = Shape()
    private var plans: PlanCache
    /// What comments say that were read before. Places by the hash of what stands between two
    /// words; of two with one place, the one that was read last. Empty until there is one.
    private var hints: [Hint] = []

    private struct Hint {
        var gap: [UInt8] = []
        var route: Route?
        /// Of `route`; -1 = there is no hint, -2 = it says something else.
        var shard = -1

        init() {}

        init(gap: [UInt8], route: Route?) {
            self.gap = gap
            self.route = route
            switch route {
            case .shard(let shard, _)?: self.shard = shard
            case nil: shard = -1
            case .anyShard?, .everyShard?, .session?, .lookup?, .refused?: shard = -2
            }
        }
    }

    /// Texts that are routed by one value or none, and how, by pattern.
    private var patterns = TextPatterns()
    private var known: [Known] = []

    private enum Known {
        case literal(KeyLiteral)
        case parameter(KeyParameter)
        case anyShard
        /// By a hint in a comment; without one it is not known.
        case hinted
    }

    private static let hintPlaceCount = 8192
    private static let gapByteCountMax = 256

    public var router: Router { plans.router }

    /// How the text read last is to be read follows from `standard_conforming_strings` or
    /// `client_encoding`.
    public var dependsOnSettings: Bool { shape.hasPlainBackslash || !shape.isASCII }

    public init(_ router: Router, shapeCountMax: Int = 10_000) {
        plans = PlanCache(router, countMax: shapeCountMax)
    }

    /// Where the statements of `text` in `range` go. A hint in a comment comes first.
    ///
    /// `isConforming`: `standard_conforming_strings` of the session. `hint`: where the session says
    /// that all its statements belong; it comes before what the statement says itself. `learns`:
    /// `recognise` may know it the next time.
    public mutating func route(
        _ text: borrowing RawSpan, in range: Range<Int>, _ values: ExecutionValues,
        isConforming: Bool = true, hint: Route? = nil, learns: Bool = false
    ) -> Route {
        shape.read(text, in: range, standardConformingStrings: isConforming)
        let said = shape.comments.isEmpty ? nil : hinted(text, shape.comments)
        if let forced = said ?? hint {
            // The text may be a hint itself, and the server would take it.
            let mayBeOurs = shape.mayNameUs
            if mayBeOurs, setsHint(text, range, isConforming, values) {
                return .refused(.hintNotUnderstood)
            }
            if said != nil, learns, !mayBeOurs { learn(text, in: range, .hinted) }
            return forced
        }
        let plan = plans.plan(
            shape, text, in: range, isConforming: isConforming, isUTF8: values.isUTF8)
        if plan.mayBeOurs {
            if namesUsInLiterals(text) { return .refused(.hintNotUnderstood) }
        } else if learns, let how = Self.known(plan) {
            learn(text, in: range, how)
        }
        return router.route(plan, shape, text, values)
    }

    /// Whether the text is for us, in a form that nobody follows: whatever else says where it goes,
    /// the client would believe that it holds.
    private mutating func setsHint(
        _ text: borrowing RawSpan, _ range: Range<Int>, _ isConforming: Bool,
        _ values: ExecutionValues
    ) -> Bool {
        if namesUsInLiterals(text) { return true }
        let plan = plans.plan(
            shape, text, in: range, isConforming: isConforming, isUTF8: values.isUTF8)
        for case .refused(.hintNotUnderstood) in plan.statements { return true }
        return false
    }

    /// As set_config does.
    private func namesUsInLiterals(_ text: borrowing RawSpan) -> Bool {
        for literal in shape.literals {
            guard let content = literal.content(in: text) else { continue }
            if content.withRawSpan({ $0.hasWord("pgweir.", at: 0) }) { return true }
        }
        return false
    }

    // MARK: Recognising

    /// Where the one statement of `text` in `range` goes if its like was learnt: a fraction of what
    /// `route` costs, and the same answer. However the session is set; but for its hint, which
    /// comes between a comment and what the statement says. nil = not known.
    public mutating func recognise(
        _ text: borrowing RawSpan, in range: Range<Int>
    ) -> RecognisedRoute? {
        guard let number = patterns.find(text, in: range) else { return nil }
        if patterns.commentCount > 0 {
            guard patterns.commentCount == 1, let shard = hintedShard(text, patterns.comments[0])
            else { return nil }
            if shard >= 0 { return .shard(shard) }
        }
        switch known[number] {
        case .literal(let key):
            return router.shard(of: key, patterns.literals, text).map { .shard($0) }
        case .parameter(let key): return .parameter(key)
        case .anyShard: return .anyShard
        case .hinted: return nil
        }
    }

    private mutating func learn(
        _ text: borrowing RawSpan, in range: Range<Int>, _ how: Known
    ) {
        guard !dependsOnSettings, !shape.isBroken,
            text.firstOffset(of: UInt8(ascii: ";"), in: range) == nil
        else { return }
        if let number = patterns.find(text, in: range) {
            if case .hinted = known[number] { known[number] = how }
        } else if let number = patterns.add(text, in: range) {
            if number == 0 { known.removeAll() }
            known.append(how)
        }
    }

    /// nil = there is more to it.
    private static func known(_ plan: Plan) -> Known? {
        if let key = plan.keyLiteral { return .literal(key) }
        if let key = plan.keyParameter { return .parameter(key) }
        if plan.statements.count == 1, case .anyShard = plan.statements[0] { return .anyShard }
        return nil
    }

    // MARK: Hints

    /// Where `comments` of `text` say that it goes.
    private mutating func hinted(
        _ text: borrowing RawSpan, _ comments: [Range<Int>]
    ) -> Route? {
        guard comments.count == 1, comments[0].count <= Self.gapByteCountMax else {
            return readHint(text, comments)
        }
        let gap = text.extracting(comments[0])
        if hints.isEmpty { hints = Array(repeating: Hint(), count: Self.hintPlaceCount) }
        let place = Int(gap.hash64() % UInt64(Self.hintPlaceCount))
        if hints[place].gap.equals(gap) { return hints[place].route }
        let route = readHint(text, comments)
        hints[place] = Hint(gap: gap.array(), route: route)
        return route
    }

    /// The shard that a comment names which was read before; -1 = none. nil = not known, or it says
    /// something else.
    private func hintedShard(_ text: borrowing RawSpan, _ comment: Range<Int>) -> Int? {
        guard !hints.isEmpty, comment.count <= Self.gapByteCountMax else { return nil }
        let place = Int(text.hash64(in: comment) % UInt64(Self.hintPlaceCount))
        guard hints[place].gap.equals(text.extracting(comment)), hints[place].shard >= -1 else {
            return nil
        }
        return hints[place].shard
    }

    private func readHint(_ text: borrowing RawSpan, _ comments: [Range<Int>]) -> Route? {
        switch KeyHint.find(in: text, comments: comments) {
        case .failure(let refusal): .refused(refusal)
        case .success(let hint): hint.map { router.route($0) }
        }
    }

    // MARK: Parameters

    /// The parameter of the extended protocol that decides where `text` goes, however the session
    /// is set; nil = there is more to it. For standard_conforming_strings and UTF8.
    public mutating func keyParameter(
        of text: borrowing RawSpan, in range: Range<Int>
    ) -> KeyParameter? {
        guard router.shardsByHash != nil else { return nil }
        shape.read(text, in: range, standardConformingStrings: true)
        guard shape.comments.isEmpty, !dependsOnSettings else { return nil }
        return plans.plan(shape, text, in: range).keyParameter
    }

    /// The parameters of the extended protocol whose values decide where `text` goes. To be asked
    /// once when it is parsed.
    public mutating func parameters(
        of text: borrowing RawSpan, in range: Range<Int>, isConforming: Bool = true,
        isUTF8: Bool = true
    ) -> [Int] {
        shape.read(text, in: range, standardConformingStrings: isConforming)
        return plans.plan(shape, text, in: range, isConforming: isConforming, isUTF8: isUTF8)
            .parameters
    }
}
