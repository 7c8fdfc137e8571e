// How one thread ends another's wait.

internal import CURing
internal import Glibc
internal import Synchronization

/// Ends a loop's `turn`, or keeps its next one from waiting. From any thread; about 10 ns when the
/// loop is awake, one write(2) when it sleeps.
///
///     awake ──beginSleep──▶ sleeping ──wake──▶ notified ──endSleep──▶ awake
///       └────────────wake, then beginSleep refuses───────▶┘
///
/// No wake-up is lost: every change is an atomic exchange of one word, so either the loop sees
/// `notified` and does not sleep, or `wake` sees `sleeping` and writes. What the waking thread
/// did before `wake` is visible to the loop after its turn.
public final class Waker: Sendable {
    private static let awake: UInt8 = 0
    private static let sleeping: UInt8 = 1
    private static let notified: UInt8 = 2

    private let state = Atomic<UInt8>(Waker.awake)
    /// Becomes readable at each wake-up of a sleeping loop; never read, so its count only grows.
    let descriptor: Int32

    /// Throws -errno's meaning when there is no descriptor left.
    public init() throws(EventLoopError) {
        descriptor = curing_eventfd()
        guard descriptor >= 0 else { throw .explaining("eventfd", errno: curing_errno()) }
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Ends the loop's wait, now or at its next turn.
    public func wake() {
        let before = state.exchange(Waker.notified, ordering: .acquiringAndReleasing)
        guard before == Waker.sleeping else { return }
        var one: UInt64 = 1
        // Safe: write reads the eight bytes of `one`.
        while unsafe Glibc.write(descriptor, &one, 8) < 0 && curing_errno() == EINTR {}
    }

    /// The loop wants to wait. false: somebody woke it already, it must not.
    func beginSleep() -> Bool {
        state.compareExchange(
            expected: Waker.awake, desired: Waker.sleeping, ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// The loop runs again; all wake-ups so far are answered by this turn.
    func endSleep() {
        _ = state.exchange(Waker.awake, ordering: .acquiringAndReleasing)
    }
}
