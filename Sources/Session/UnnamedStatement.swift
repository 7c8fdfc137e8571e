internal import DequeModule

/// Which statement a client's unnamed one is. Each change waits for its answer, as those of names.
struct UnnamedStatement: Sendable {
    /// As of everything that was sent; 0 = none.
    private(set) var current: UInt64 = 0
    private(set) var facts: SharedFacts?
    /// Whether `facts` are of `current`; otherwise the store has them.
    private(set) var isFactsKnown = true
    /// What it was before each change that is not answered yet, the oldest first. Uses are kept.
    private var before: Deque<UInt64> = []

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

    /// The oldest change has happened. Returns the statement whose use ends; 0 = none.
    mutating func acknowledge() -> UInt64 { before.popFirst() ?? 0 }

    /// The oldest change failed, after it had taken the statement away; or, with `failed` off, it
    /// was skipped like those behind it, `count` in all. Returns the statements whose uses end.
    mutating func undo(_ count: Int, failed: Bool) -> [UInt64] {
        guard count > 0, !before.isEmpty else { return [] }
        let count = min(count, before.count)
        var restored = before[0]
        var freed = Array(before[1..<count])
        before.removeFirst(count)
        if failed {
            freed.append(restored)
            restored = 0
        }
        if before.isEmpty {
            freed.append(current)
            current = restored
            facts = nil
            isFactsKnown = restored == 0
        } else {
            freed.append(before[0])
            before[0] = restored
        }
        return freed
    }

    /// Forgets everything, because the client is gone. Returns the statements whose uses end.
    mutating func removeAll() -> [UInt64] {
        let all = [current] + before
        current = 0
        before.removeAll()
        return all
    }
}
