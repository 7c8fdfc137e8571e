// The one lock of the data plane.

internal import CURing
internal import Synchronization

/// Mutual exclusion for sections of some ten nanoseconds. About 20 ns when nobody contends.
///
/// Spins a little, then sleeps in futex(2). Does not hand over: a thread that runs takes the lock
/// before one that must first be woken, so a preempted holder costs little. (A lock that hands
/// over moves from sleeper to sleeper then, at two context switches each.)
@safe public final class Lock: @unchecked Sendable {
    // Safe: this object owns the word until `deinit`; all access is atomic or by futex(2).
    /// 0 free, 1 held, 2 held and somebody may sleep.
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    private static let spinsMax = 100

    public init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(0))
    }

    deinit {
        unsafe word.deinitialize(count: 1)
        unsafe word.deallocate()
    }

    /// Runs `body` while no other thread is inside.
    public func withLock<R: ~Copyable, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Waits until the lock is free, and takes it. Prefer `withLock`.
    public func lock() {
        guard !attempt() else { return }
        lockSlowly()
    }

    /// Ends what `lock` began, on the same thread.
    public func unlock() {
        let before = unsafe word.pointee.exchange(0, ordering: .releasing)
        precondition(before != 0, "unlocked a lock that was free")
        if before == 2 { unsafe curing_futex_wake(address, 1) }
    }

    private func attempt() -> Bool {
        unsafe word.pointee.compareExchange(
            expected: 0, desired: 1, successOrdering: .acquiring, failureOrdering: .relaxed
        ).exchanged
    }

    @inline(never) private func lockSlowly() {
        for _ in 0..<Lock.spinsMax {
            curing_relax()
            if unsafe word.pointee.load(ordering: .relaxed) == 0, attempt() { return }
        }
        while unsafe word.pointee.exchange(2, ordering: .acquiring) != 0 {
            unsafe curing_futex_wait(address, 2, -1)
        }
    }

    private var address: UnsafePointer<UInt32> {
        // Safe: an Atomic<UInt32> is laid out as its value.
        unsafe UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }
}
