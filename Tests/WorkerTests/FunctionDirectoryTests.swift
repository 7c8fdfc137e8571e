import Bytes
import Pooling
import SQL
import Testing

@testable import Worker

@Suite struct FunctionDirectoryTests {
    private let first = ServerID(slot: 1, generation: 1)
    private let second = ServerID(slot: 2, generation: 1)
    private var directory = FunctionDirectory()
    private var now = Instant(nanoseconds: 1_000_000_000_000)

    private enum Seen: Equatable {
        case settled, doubtful, read
    }

    private mutating func released(_ server: ServerID) -> Seen {
        switch directory.released(server, at: now) {
        case .settled: .settled
        case .doubtful: .doubtful
        case .read: .read
        }
    }

    private func names(_ name: String) -> SuspectNames? {
        var leavings = Leavings()
        leavings.suspicions = .advisoryLocks
        return SuspectNames([name: leavings])
    }

    /// `first` reads, and finds `found`.
    private mutating func read(_ mark: String, _ found: SuspectNames? = nil) {
        #expect(released(first) == .read)
        _ = directory.wasRead(by: first, mark: mark, found, at: now)
        now = now + .milliseconds(100)
    }

    @Test mutating func `one reads, and until it has, nobody is sure`() {
        #expect(released(first) == .read)
        #expect(released(second) == .doubtful)
        _ = directory.wasRead(by: first, mark: "1", nil, at: now)
        #expect(released(first) == .settled)
        #expect(released(second) == .settled)
        #expect(directory.isSettled)
    }

    @Test mutating func `a change puts everybody in doubt until it has run and was read`() {
        read("1")
        directory.definitionBegan()
        #expect(released(second) == .doubtful)
        directory.definitionEnded()
        #expect(!directory.isSettled)
        read("2", names("f"))
        #expect(released(second) == .settled)
        #expect(directory.names != nil)
    }

    @Test mutating func `what is changed while it is read is read again`() {
        read("1")
        directory.definitionBegan()
        directory.definitionEnded()
        #expect(released(first) == .read)
        directory.definitionBegan()
        directory.definitionEnded()
        _ = directory.wasRead(by: first, mark: "2", nil, at: now)
        #expect(!directory.isSettled)
        #expect(released(second) == .doubtful)
        now = now + .milliseconds(100)
        #expect(released(second) == .read)
        _ = directory.wasRead(by: second, mark: "3", nil, at: now)
        #expect(directory.isSettled)
    }

    @Test mutating func `many changes one after the other are not all read`() {
        read("1")
        directory.definitionBegan()
        directory.definitionEnded()
        #expect(released(first) == .read)
        _ = directory.wasRead(by: first, mark: "2", nil, at: now)
        directory.definitionBegan()
        directory.definitionEnded()
        #expect(released(first) == .doubtful)
        now = now + .milliseconds(100)
        #expect(released(second) == .read)
    }

    @Test mutating func `what takes long to read is not read all the time`() {
        #expect(released(first) == .read)
        now = now + .seconds(1)
        _ = directory.wasRead(by: first, mark: "1", nil, at: now)
        directory.definitionBegan()
        directory.definitionEnded()
        now = now + .seconds(8)
        #expect(released(first) == .doubtful)
        now = now + .seconds(1)
        #expect(released(first) == .read)
    }

    @Test mutating func `when it is due, one reads and the others go on`() {
        read("1", names("f"))
        let due = directory.check(interval: .seconds(10), at: now)
        #expect(!due)
        now = now + .seconds(10)
        let isDue = directory.check(interval: .seconds(10), at: now)
        #expect(isDue)
        let again = directory.check(interval: .seconds(10), at: now)
        #expect(!again)
        #expect(released(first) == .read)
        #expect(released(second) == .settled)
        // Nothing has changed: nothing was listed, and what was known stays.
        _ = directory.wasRead(by: first, mark: "1", nil, at: now)
        #expect(directory.names != nil)
    }

    @Test mutating func `whoever is told that it is due may read at once`() {
        #expect(released(first) == .read)
        now = now + .seconds(1)
        _ = directory.wasRead(by: first, mark: "1", nil, at: now)
        now = now + .seconds(5)
        let early = directory.check(interval: .seconds(1), at: now)
        #expect(!early)
        now = now + .seconds(4)
        let due = directory.check(interval: .seconds(1), at: now)
        #expect(due)
        #expect(released(first) == .read)
        directory.readingFailed(first, at: now)
        #expect(released(first) == .settled)
        now = now + .seconds(1)
        let again = directory.check(interval: .seconds(1), at: now)
        #expect(again)
        #expect(released(second) == .read)
    }

    @Test mutating func `the same names stay the same object`() {
        read("1", names("f"))
        let before = directory.names
        directory.definitionBegan()
        directory.definitionEnded()
        read("2", names("f"))
        #expect(directory.names === before)
        directory.definitionBegan()
        directory.definitionEnded()
        read("3", names("g"))
        #expect(directory.names !== before)
    }

    @Test mutating func `a reading that fails is another server's a second later`() {
        #expect(released(first) == .read)
        directory.readingFailed(second, at: now)
        #expect(released(second) == .doubtful)
        directory.readingFailed(first, at: now)
        #expect(released(second) == .doubtful)
        now = now + .seconds(1)
        #expect(released(second) == .read)
        // Too late.
        _ = directory.wasRead(by: first, mark: "1", nil, at: now)
        #expect(!directory.isSettled)
    }
}
