internal import DequeModule

/// Which statement a client's unnamed one is. Each change waits for its answer, as those of names.
struct UnnamedStatement: Sendable {
    /// As of everything that was sent; 0 = none.
    private(set) var current: UInt64 = 0
    private(set) var facts: SharedFacts?
    /// Whether `facts` are of `current`; otherwise the store has them.
    private(set) var isFactsKnown = true
    /// What it was before each change that is not answered yet, the oldest first. Uses are kept.
    private var before = WaitingNumbers()

    /// Whether there is nothing to follow when it is executed.
    var isPlain: Bool { isFactsKnown && facts == nil }

    /// Whether it was changed since the last Sync; what fails before that skips its users too.
    private var isOfThisBatch = false

    /// Whether a change that waits for its answer may yet be skipped, and its users not.
    var isInDoubt: Bool { !before.isEmpty && !isOfThisBatch }

    mutating func endBatch() { isOfThisBatch = false }

    /// A message that makes it `statement` was sent. The caller has added a use.
    mutating func change(to statement: UInt64, facts: SharedFacts? = nil) {
        before.append(current)
        isOfThisBatch = true
        current = statement
        // Nearly always there were none, and there are none.
        if self.facts != nil || facts != nil { self.facts = facts }
        isFactsKnown = true
    }

    /// Its text is read otherwise now, as `statement`, of which the caller has added a use. Returns
    /// the statement whose use ends.
    mutating func reread(as statement: UInt64) -> UInt64 {
        defer { current = statement }
        return current
    }

    /// The oldest change has happened. Returns the statement whose use ends; 0 = none.
    mutating func acknowledge() -> UInt64 { before.removeFirst() ?? 0 }

    /// The oldest change failed, after it had taken the statement away; or, with `failed` off, it
    /// was skipped like those behind it, `count` in all. Returns the statements whose uses end.
    mutating func undo(_ count: Int, failed: Bool) -> [UInt64] {
        guard count > 0, !before.isEmpty else { return [] }
        var restored = before.removeFirst() ?? 0
        var freed: [UInt64] = []
        while freed.count + 1 < count, let next = before.removeFirst() { freed.append(next) }
        if failed {
            freed.append(restored)
            restored = 0
        }
        if let next = before.first {
            freed.append(next)
            before.first = restored
        } else {
            freed.append(current)
            current = restored
            facts = nil
            isFactsKnown = restored == 0
        }
        return freed
    }

    /// Forgets everything, because the client is gone. Returns the statements whose uses end.
    mutating func removeAll() -> [UInt64] {
        var all = [current]
        current = 0
        while let next = before.removeFirst() { all.append(next) }
        return all
    }
}

/// A queue of numbers that holds no memory while there is at most one, as there nearly always is.
struct WaitingNumbers: Sendable {
    /// The oldest one; nil = there is none.
    var first: UInt64?
    private var rest: Deque<UInt64> = []

    var isEmpty: Bool { first == nil }

    mutating func append(_ number: UInt64) {
        if first == nil { first = number } else { rest.append(number) }
    }

    mutating func removeFirst() -> UInt64? {
        let oldest = first
        first = rest.isEmpty ? nil : rest.popFirst()
        return oldest
    }
}
