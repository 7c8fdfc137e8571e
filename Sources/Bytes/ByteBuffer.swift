// Bytes on their way: what was received and not yet understood, what was written and not yet sent.

/// A growable run of bytes with one owner: appended at the end, consumed from the start.
///
///     │ consumed │ bytes (readable) │ spare │
///     0        head               tail    capacity
///
/// Holds no memory until the first append, and none after `release()`, so a connection that owes
/// nothing costs only these few words.
@safe public struct ByteBuffer: ~Copyable, @unchecked Sendable {
    // Safe: this value owns `base`; it is freed in `deinit` and `release()`, and every access
    // below stays inside `capacity`.
    private var base: UnsafeMutableRawPointer?
    private var capacity = 0
    @usableFromInline var head = 0
    @usableFromInline var tail = 0

    public init() { unsafe base = nil }

    /// An empty buffer with room for `byteCount` bytes.
    public init(capacity byteCount: Int) {
        unsafe base = nil
        reserve(byteCount)
    }

    deinit { unsafe base?.deallocate() }

    /// How many bytes are readable.
    @inlinable public var count: Int { tail - head }
    @inlinable public var isEmpty: Bool { tail == head }
    /// How many bytes of memory this value holds.
    public var allocatedByteCount: Int { capacity }

    /// The readable bytes.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // Safe: head...tail lies inside the allocation, and the span cannot outlive `self`.
            let span =
                if let base = unsafe base {
                    unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base) + head, byteCount: count)
                } else {
                    RawSpan()
                }
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    public mutating func append(_ span: borrowing RawSpan) {
        let added = span.byteCount
        guard added > 0 else { return }
        reserve(added)
        unsafe span.withUnsafeBytes { source in
            guard let base = unsafe base, let start = source.baseAddress else { return }
            // Safe: `reserve` made room for `added` bytes at `tail`.
            unsafe (base + tail).copyMemory(from: start, byteCount: added)
        }
        tail += added
    }

    public mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe base?.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
        tail += 1
    }

    /// Two bytes, most significant first.
    public mutating func append(bigEndian value: UInt16) {
        reserve(2)
        unsafe base?.storeBytes(of: value.bigEndian, toByteOffset: tail, as: UInt16.self)
        tail += 2
    }

    /// Four bytes, most significant first.
    public mutating func append(bigEndian value: UInt32) {
        reserve(4)
        unsafe base?.storeBytes(of: value.bigEndian, toByteOffset: tail, as: UInt32.self)
        tail += 4
    }

    /// The UTF-8 of `text`, without a terminator.
    public mutating func append(utf8 text: String) {
        var text = text
        text.withUTF8 { unsafe append(copying: UnsafeRawBufferPointer($0)) }
    }

    public mutating func append(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe append(copying: $0) }
    }

    /// Overwrites four bytes at `offset` from the start of the readable bytes: a length that is
    /// known only when the message is finished.
    public mutating func replace(at offset: Int, bigEndian value: UInt32) {
        precondition(offset >= 0 && offset <= count - 4)
        unsafe base?.storeBytes(of: value.bigEndian, toByteOffset: head + offset, as: UInt32.self)
    }

    /// Drops the last `byteCount` readable bytes.
    public mutating func removeLast(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count)
        tail -= byteCount
    }

    /// Drops the first `byteCount` readable bytes.
    public mutating func consume(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count)
        head += byteCount
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Drops everything after the first `byteCount` readable bytes.
    public mutating func truncate(to byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count)
        tail = head + byteCount
    }

    /// Forgets the bytes and keeps the memory.
    public mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// Forgets the bytes and gives the memory back.
    public mutating func release() {
        removeAll()
        unsafe base?.deallocate()
        unsafe base = nil
        capacity = 0
    }

    /// Lets `body` write up to `byteCount` bytes behind the readable ones; it returns how many.
    public mutating func appendUninitialized(
        byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        reserve(byteCount)
        guard let base = unsafe base else { return }
        let written = unsafe body(
            UnsafeMutableRawBufferPointer(start: base + tail, count: byteCount))
        precondition(written >= 0 && written <= byteCount)
        tail += written
    }

    /// Makes room for `byteCount` more bytes: moves the readable ones to the front, or grows to at
    /// least twice the size.
    public mutating func reserve(_ byteCount: Int) {
        guard tail + byteCount > capacity else { return }
        if let base = unsafe base, head > 0, count + byteCount <= capacity, head >= count {
            unsafe base.copyMemory(from: base + head, byteCount: count)
        } else {
            let larger = max(64, capacity * 2, count + byteCount)
            let grown = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            if let base = unsafe base {
                unsafe grown.copyMemory(from: base + head, byteCount: count)
                unsafe base.deallocate()
            }
            unsafe base = grown
            capacity = larger
        }
        tail = count
        head = 0
    }

    private mutating func append(copying source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress, source.count > 0 else { return }
        reserve(source.count)
        guard let base = unsafe base else { return }
        unsafe (base + tail).copyMemory(from: start, byteCount: source.count)
        tail += source.count
    }
}
