internal import Bytes

/// Reads the facts of query strings, and remembers them for all that differ in literals only: of
/// those it compares what does not differ, which costs a fraction of reading it. One per worker.
public struct StatementReader: ~Copyable {
    private struct Known {
        /// Without details.
        var facts: StatementFacts
        /// That they hold with.
        var names: SuspectNames?
    }

    private var patterns = TextPatterns()
    /// By pattern.
    private var known: [Known] = []

    public init() {}

    /// As `StatementScanner.facts`.
    public mutating func facts(
        of text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool = true,
        names: SuspectNames? = nil
    ) -> StatementFacts {
        let number = patterns.find(text, in: range)
        if let number, known[number].names === names { return known[number].facts }
        let (facts, holdsForLike) = StatementScanner.read(
            text, in: range, standardConformingStrings: standardConformingStrings, names: names)
        guard holdsForLike else { return facts }
        if let number {
            known[number] = Known(facts: facts, names: names)
        } else if let number = patterns.add(text, in: range) {
            if number == 0 { known.removeAll(keepingCapacity: true) }
            known.append(Known(facts: facts, names: names))
        }
        return facts
    }
}
