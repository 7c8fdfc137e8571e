public import Bytes
public import Sharding

/// Where keys are, as `lookup_query` said. Shared by all workers, behind a lock.
public struct LookupCache: Sendable {
    /// One question.
    public struct Question: Hashable, Sendable {
        public let map: String
        public let key: [KeyValue?]
        /// Before which RELOAD it was asked.
        let epoch: UInt64
    }

    private struct Known {
        let shard: String
        let at: Instant
    }

    private var known: [Question: Known] = [:]
    private var epoch: UInt64 = 0

    public init() {}

    public func question(_ map: String, _ key: [KeyValue?]) -> Question {
        Question(map: map, key: key, epoch: epoch)
    }

    /// The shard's name; nil = it has to be asked for.
    public func shard(_ question: Question, _ settings: LookupSettings, at now: Instant) -> String?
    {
        guard let found = known[question] else { return nil }
        if settings.cacheLifetime > .zero, now - found.at >= settings.cacheLifetime { return nil }
        return found.shard
    }

    /// An answer to a question from before the last RELOAD is not kept.
    public mutating func keep(
        _ shard: String, _ question: Question, _ settings: LookupSettings, at now: Instant
    ) {
        guard question.epoch == epoch, settings.cacheCountMax > 0 else { return }
        while known.count >= settings.cacheCountMax, let some = known.keys.first {
            known[some] = nil
        }
        known[question] = Known(shard: shard, at: now)
    }

    /// RELOAD.
    public mutating func removeAll() {
        known.removeAll()
        epoch += 1
    }

    public var count: Int { known.count }
}
