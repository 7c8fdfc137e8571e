// Signals, as something that one thread waits for.

internal import CURing
internal import Glibc

/// Signals of this process.
public enum Signals {
    /// Blocks every signal that others send, for this thread and those it starts from now on. Call
    /// it before the first thread. Faults of our own still stop the process.
    public static func blockAll() {
        var all = sigset_t()
        // Safe: the calls use one sigset_t, ours.
        _ = unsafe sigfillset(&all)
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] {
            _ = unsafe sigdelset(&all, fault)
        }
        _ = unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    }

    /// Waits for one of `signals`, all of them blocked, and returns it. sigwait(3).
    public static func wait(for signals: [Int32]) -> Int32 {
        var awaited = sigset_t()
        // Safe: the calls use one sigset_t, ours.
        _ = unsafe sigemptyset(&awaited)
        for signal in signals { _ = unsafe sigaddset(&awaited, signal) }
        var signal: Int32 = 0
        while unsafe sigwait(&awaited, &signal) != 0 {}
        return signal
    }
}
