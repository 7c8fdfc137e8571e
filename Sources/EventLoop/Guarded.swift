/// A value that several threads use, one at a time, and the lock that sees to it.
@safe public final class Guarded<Value>: @unchecked Sendable {
    // Safe: this object owns the place until `deinit`, and reaches it only inside `withLock`. A
    // stored property would be checked for exclusive access at each use, which the lock has done.
    @usableFromInline let lock = Lock()
    @usableFromInline let place: UnsafeMutablePointer<Value>

    public init(_ value: Value) {
        unsafe place = .allocate(capacity: 1)
        unsafe place.initialize(to: value)
    }

    deinit {
        unsafe place.deinitialize(count: 1)
        unsafe place.deallocate()
    }

    /// Runs `body` with the value while no other thread has it. Keep it short: no I/O inside.
    @inlinable public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try unsafe body(&place.pointee)
    }
}
