internal import Bytes

/// Routes the query strings of one worker: a pass of the lexer and a look-up for a known shape, the
/// parser for a new one.
///
/// Holds for one map; after RELOAD there is a new one.
public struct StatementRouter: ~Copyable {
    private var shape = Shape()
    private var plans: PlanCache
    /// What comments say that were read before, by the hash of what stands between two words.
    private var hints: [UInt64: (gap: [UInt8], route: Route?)] = [:]

    private static let hintsMax = 10_000
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
    /// that all its statements belong; it comes before what the statement says itself.
    public mutating func route(
        _ text: borrowing RawSpan, in range: Range<Int>, _ values: ExecutionValues,
        isConforming: Bool = true, hint: Route? = nil
    ) -> Route {
        shape.read(text, in: range, standardConformingStrings: isConforming)
        if !shape.comments.isEmpty, let said = hinted(text) { return said }
        if let hint { return hint }
        let plan = plans.plan(
            shape, text, in: range, isConforming: isConforming, isUTF8: values.isUTF8)
        return router.route(plan, shape, text, values)
    }

    /// Where the comments of the text that was read last say that it goes.
    private mutating func hinted(_ text: borrowing RawSpan) -> Route? {
        guard shape.comments.count == 1, shape.comments[0].count <= Self.gapByteCountMax else {
            return readHint(text)
        }
        let gap = text.extracting(shape.comments[0])
        let hash = gap.hash64()
        if let known = hints[hash], known.gap.equals(gap) { return known.route }
        let route = readHint(text)
        if hints.count >= Self.hintsMax { hints.removeAll() }
        hints[hash] = (gap.array(), route)
        return route
    }

    private func readHint(_ text: borrowing RawSpan) -> Route? {
        switch KeyHint.find(in: text, comments: shape.comments) {
        case .failure(let refusal): .refused(refusal)
        case .success(let hint): hint.map { router.route($0) }
        }
    }

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
