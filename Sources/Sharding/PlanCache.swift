internal import Bytes

/// The plans of the shapes that one worker has seen, for one map. A known shape costs a look-up.
public struct PlanCache: ~Copyable {
    private struct Kept {
        let key: [UInt8]
        let plan: Plan
    }

    /// Where these plans hold.
    public let router: Router
    /// Shapes kept; when there are more all are forgotten.
    public let countMax: Int
    public private(set) var count = 0
    /// By the hash of the shape's key and how the text is to be read.
    private var plans: [UInt64: [Kept]] = [:]

    public init(_ router: Router, countMax: Int = 10_000) {
        self.router = router
        self.countMax = countMax
    }

    /// The plan of the text that `shape` was read from. Runs the parser if the shape is new.
    ///
    /// `isConforming`: `standard_conforming_strings`; `isUTF8`: `client_encoding` is UTF8.
    public mutating func plan(
        _ shape: borrowing Shape, _ text: borrowing RawSpan, in range: Range<Int>,
        isConforming: Bool = true, isUTF8: Bool = true
    ) -> Plan {
        // Others differ from the shape's first text in what makes them readable.
        let isPlain =
            !shape.isBroken && (isConforming || !shape.hasPlainBackslash)
            && (isUTF8 || shape.isASCII)
        let hash = shape.hash
        if isPlain, let known = plans[hash] {
            for one in known where one.key.equals(shape.key.bytes) { return one.plan }
        }
        let (plan, isForShape) = Planner.plan(
            text.extracting(range).array(), from: range.lowerBound, shape, router.map,
            isConforming: isConforming, isUTF8: isUTF8)
        guard isForShape else { return plan }
        if count >= countMax {
            plans.removeAll(keepingCapacity: true)
            count = 0
        }
        plans[hash, default: []].append(Kept(key: shape.key.bytes.array(), plan: plan))
        count += 1
        return plan
    }
}
