/// A value on the heap that its holders share. Used by one thread; reaching it costs a pointer,
/// where the properties of a class are checked for overlapping accesses at run time.
@safe public final class Box<Value: ~Copyable> {
    // Safe: the memory is this object's own until `deinit`.
    @usableFromInline let place: UnsafeMutablePointer<Value>

    public init(_ value: consuming Value) {
        unsafe place = .allocate(capacity: 1)
        unsafe place.initialize(to: value)
    }

    deinit {
        unsafe place.deinitialize(count: 1)
        unsafe place.deallocate()
    }

    /// In place.
    @inlinable public var value: Value {
        unsafeAddress { unsafe UnsafePointer(place) }
        unsafeMutableAddress { unsafe place }
    }
}
