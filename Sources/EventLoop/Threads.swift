// Threads, and what the process may use.

internal import CURing
internal import Glibc
internal import Synchronization

/// Threads and limits of this process.
public enum Threads {
    /// Runs `body` on a thread of its own. `name`: at most 15 bytes count. Stops the process when
    /// the kernel gives no thread.
    public static func start(
        name: String, _ body: @Sendable @escaping () -> Void
    ) -> ThreadHandle {
        let start = unsafe Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var thread = pthread_t()
        // Safe: the thread takes over the one reference that was retained for it.
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
                unsafe curing_name_thread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard result == 0 else {
            fatalError("no thread for \(name): \(SocketError.text(of: result))")
        }
        return ThreadHandle(thread)
    }

    /// Cores that this process may run on. sched_getaffinity(2).
    public static func coreCount() -> Int { Int(curing_core_count()) }

    /// Raises the limit of open files to what is allowed, and returns it. getrlimit(2).
    @discardableResult
    public static func raiseFileLimit() -> Int {
        var limit = rlimit()
        // Safe: both calls use one rlimit, ours.
        guard unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(__rlimit_resource_t(7), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// CPU time, user and system, that the calling thread has used. clock_gettime(2).
    public static func currentCPUTime() -> Duration {
        var time = timespec()
        // Safe: the call writes one timespec, ours.
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

/// A started thread. Dropped without `join`, the thread runs on by itself.
public final class ThreadHandle: Sendable {
    private let thread: pthread_t
    private let isJoined = Atomic<Bool>(false)

    fileprivate init(_ thread: pthread_t) { self.thread = thread }

    deinit {
        guard !isJoined.load(ordering: .acquiring) else { return }
        _ = pthread_detach(thread)
    }

    /// Waits until the thread has ended. Once, and not from the thread itself.
    public func join() {
        let wasJoined = isJoined.exchange(true, ordering: .acquiringAndReleasing)
        precondition(!wasJoined, "a thread can be joined once")
        _ = pthread_join(thread, nil)
    }
}

/// What a new thread gets.
private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @Sendable @escaping () -> Void) {
        self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
        self.body = body
    }
}
