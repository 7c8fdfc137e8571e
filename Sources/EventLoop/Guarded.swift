/// A value that several threads use, one at a time, and the lock that sees to it.
@safe public final class Guarded<Value>: @unchecked Sendable {
    // Safe: `value` is reached only inside `withLock`.
    @usableFromInline let lock = Lock()
    @usableFromInline var value: Value

    public init(_ value: Value) { self.value = value }

    /// Runs `body` with the value while no other thread has it. Keep it short: no I/O inside.
    @inlinable public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
