internal import Bytes
internal import EventLoop
internal import Pooling
internal import SQL
internal import Synchronization

/// What is known of one database's functions, for all pools and workers: names whose use leaves
/// something behind, and whether there may be others meanwhile.
///
/// They are read when nobody knows them yet, when a text may have changed them, and every
/// `function_check_interval`: by one server at a time, before it leaves its client. Until an
/// answer includes a change, every server is asked for everything before its release.
struct FunctionDirectory: Sendable {
    /// Whose functions they are.
    struct Key: Hashable {
        let hosts: [String]
        let ports: [UInt16]
        let database: String
    }

    enum Verdict {
        /// These names are all there are.
        case settled(SuspectNames?)
        /// There may be more.
        case doubtful(SuspectNames?)
        /// Whoever asks is to read them; what it reads was last read with `mark`.
        case read(mark: String)
    }

    private(set) var names: SuspectNames?
    private var mark = ""
    /// There may be more names than these.
    private(set) var isOutdated = true
    /// They are old enough to be read again.
    private(set) var isDue = false
    private var reader: ServerID?
    /// Something was changed while it was being read.
    private var isReadInVain = false
    /// Servers on which what changes them is under way.
    private var definerCount = 0
    private var beganAt = Instant.zero
    private var readAt = Instant.zero
    private var mayReadAt = Instant.zero

    /// Shortest time from one reading to the next, and from a failed one. If many functions are
    /// made, reading them takes at most a tenth of the time.
    static let pause = (afterReading: Duration.milliseconds(100), afterFailure: Duration.seconds(1))
    private static let pauseFactor = 9

    /// Whether the names are all there are.
    var isSettled: Bool { !isOutdated && !isDue && definerCount == 0 }

    /// A server is about to leave its client.
    mutating func released(_ server: ServerID, at now: Instant) -> Verdict {
        if isOutdated || isDue, reader == nil, now >= mayReadAt {
            reader = server
            beganAt = now
            isReadInVain = false
            return .read(mark: mark)
        }
        return isOutdated || definerCount > 0 ? .doubtful(names) : .settled(names)
    }

    /// The server that reads has answered; `listed` counts if `mark` is another one. Returns
    /// whether clients know less now than there is to know.
    mutating func wasRead(
        by server: ServerID, mark: String, _ listed: SuspectNames?, at now: Instant
    ) -> Bool {
        guard reader == server else { return false }
        let wasOutdated = isOutdated
        reader = nil
        isDue = false
        isOutdated = isReadInVain
        readAt = now
        mayReadAt = now + max(Self.pause.afterReading, (now - beganAt) * Self.pauseFactor)
        guard mark != self.mark else { return wasOutdated }
        self.mark = mark
        // Clients compare by identity.
        guard listed?.byName != names?.byName || listed?.all != names?.all else {
            return wasOutdated
        }
        names = listed
        return true
    }

    /// It has not.
    mutating func readingFailed(_ server: ServerID, at now: Instant) {
        guard reader == server else { return }
        reader = nil
        // What is only due is due again.
        isDue = false
        readAt = now
        mayReadAt = now + Self.pause.afterFailure
    }

    /// What may change them was sent to a server.
    mutating func definitionBegan() { definerCount += 1 }

    /// It has run, or never will.
    mutating func definitionEnded() {
        definerCount -= 1
        isOutdated = true
        isReadInVain = true
    }

    /// Returns whether they have become due, so that the next server reads them.
    mutating func check(interval: Duration, at now: Instant) -> Bool {
        guard !isDue, !isOutdated, now - readAt >= interval, now >= mayReadAt else { return false }
        isDue = true
        return true
    }
}

/// The directories of all databases that somebody has used.
final class FunctionDirectories: Sendable {
    /// Changes whenever what a client knows of functions may be outdated. Never 0.
    private let count = Atomic<UInt64>(1)
    private let all = Guarded([FunctionDirectory.Key: FunctionDirectory]())

    /// A client that has looked at this epoch need not look again.
    var epoch: UInt64 { count.load(ordering: .acquiring) }

    func advance() { count.wrappingAdd(1, ordering: .acquiringAndReleasing) }

    func withDirectory<Result>(
        of pool: Pool, _ body: (inout FunctionDirectory) -> Result
    ) -> Result {
        let key = pool.state.withLock {
            FunctionDirectory.Key(
                hosts: $0.profile.hosts, ports: $0.profile.ports,
                database: $0.profile.serverDatabase)
        }
        return all.withLock { body(&$0[key, default: FunctionDirectory()]) }
    }

    /// To be called now and then.
    func check(interval: Duration, at now: Instant) {
        guard interval > .zero else { return }
        let isDue = all.withLock { all in
            var isDue = false
            for key in all.keys where all[key]?.check(interval: interval, at: now) ?? false {
                isDue = true
            }
            return isDue
        }
        if isDue { advance() }
    }
}
