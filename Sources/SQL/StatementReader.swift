internal import Bytes

/// Reads the facts of query strings, and remembers them for all that differ in literals only: of
/// those it compares what does not differ, which costs a fraction of reading it. One per worker.
public struct StatementReader: ~Copyable {
    private struct Known {
        var facts: ShortFacts
        /// Of the names that they hold with; `names` keeps these.
        var names: ObjectIdentifier?
    }

    private var patterns = TextPatterns()
    /// By pattern.
    private var known: [Known] = []
    private var names: [ObjectIdentifier: SuspectNames] = [:]

    /// Names that are kept, of all databases and of what was true before; more forget everything.
    private static let namesCountMax = 256

    public init() {}

    /// The facts of `text` in `range` if they are remembered.
    public mutating func remembered(
        _ text: borrowing RawSpan, in range: Range<Int>, names: SuspectNames? = nil
    ) -> ShortFacts? {
        guard let number = patterns.find(text, in: range),
            known[number].names == names.map({ ObjectIdentifier($0) })
        else { return nil }
        return known[number].facts
    }

    /// As `StatementScanner.facts`; remembers them.
    public mutating func facts(
        of text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool = true,
        names: SuspectNames? = nil
    ) -> StatementFacts {
        let (facts, holdsForLike) = StatementScanner.read(
            text, in: range, standardConformingStrings: standardConformingStrings, names: names)
        guard holdsForLike, let short = facts.short else { return facts }
        if let names {
            if self.names.count >= Self.namesCountMax {
                patterns = TextPatterns()
                known.removeAll()
                self.names.removeAll()
            }
            self.names[ObjectIdentifier(names)] = names
        }
        let learnt = Known(facts: short, names: names.map { ObjectIdentifier($0) })
        if let number = patterns.find(text, in: range) {
            known[number] = learnt
        } else if let number = patterns.add(text, in: range) {
            if number == 0 { known.removeAll(keepingCapacity: true) }
            known.append(learnt)
        }
        return facts
    }

}
