// The clock. The only place that reads it.

public import Bytes
internal import CURing
internal import Glibc

/// CLOCK_MONOTONIC, in nanoseconds. About 20 ns a reading, no system call. clock_gettime(2).
public enum MonotonicClock {
    public static func now() -> Instant {
        var time = timespec()
        // Safe: the call writes one timespec, ours.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
