// How threads wait for work that comes seldom.

internal import CURing
internal import Synchronization

/// Counts rings; whoever waits sleeps until there is one more. futex(2).
@safe final class Bell: @unchecked Sendable {
    // Safe: this object owns the word until `deinit`; all access is atomic or by futex(2).
    private let word: UnsafeMutablePointer<Atomic<UInt32>>

    init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(0))
    }

    deinit {
        unsafe word.deinitialize(count: 1)
        unsafe word.deallocate()
    }

    /// Rings so far. Read it before looking for work, and give it to `wait` when there was none.
    var count: UInt32 { unsafe word.pointee.load(ordering: .acquiring) }

    /// Wakes everybody.
    func ring() {
        unsafe word.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing)
        unsafe curing_futex_wake(address, .max)
    }

    /// Sleeps until there was a ring after `heard`; may also return for no reason.
    func wait(after heard: UInt32) {
        unsafe curing_futex_wait(address, heard, -1)
    }

    private var address: UnsafePointer<UInt32> {
        // Safe: an Atomic<UInt32> is laid out as its value.
        unsafe UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }
}
