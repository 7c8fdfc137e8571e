// The buffers that the kernel picks from when bytes arrive, so that an idle socket owns none.

internal import CURing
internal import Glibc

/// Equal buffers in one mapping, and the ring by which the kernel gets them. Group 0 of its ring.
///
///     │ entries: 16 bytes each, up to a whole page │ buffer 0 │ buffer 1 │ … │
///     0                                            start
///
/// io_uring_register_buf_ring(3).
@safe struct ReceiveBuffers: ~Copyable {
    // Safe: the mapping lives until `deinit`. The loop ends its ring before that: the body of its
    // own deinit runs first, its fields end after it.
    private let mapping: UnsafeMutableRawPointer
    private let mappingByteCount: Int
    private let entries: UnsafeMutablePointer<io_uring_buf_ring>
    private let start: UnsafeMutableRawPointer
    let count: Int
    let byteCount: Int

    init(count: Int, byteCount: Int) throws(EventLoopError) {
        precondition(count > 0 && count.nonzeroBitCount == 1, "bufferCount: a power of two")
        precondition(count <= 32768, "bufferCount: at most 32,768")
        precondition(byteCount > 0)
        let page = Int(getpagesize())
        let headByteCount = (count * MemoryLayout<io_uring_buf>.size + page - 1) & ~(page - 1)
        let wholeByteCount = headByteCount + count * byteCount
        let mapped = unsafe mmap(
            nil, wholeByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
            throw .explaining("mmap", errno: curing_errno())
        }
        self.count = count
        self.byteCount = byteCount
        mappingByteCount = wholeByteCount
        unsafe mapping = mapped
        unsafe start = mapped + headByteCount
        unsafe entries = mapped.bindMemory(to: io_uring_buf_ring.self, capacity: 1)
    }

    /// Shows all buffers to the kernel, as group 0 of `ring`.
    func register(with ring: UnsafeMutablePointer<io_uring>) throws(EventLoopError) {
        var registration = io_uring_buf_reg()
        unsafe registration.ring_addr = UInt64(UInt(bitPattern: mapping))
        registration.ring_entries = UInt32(count)
        registration.bgid = 0
        let result = unsafe io_uring_register_buf_ring(ring, &registration, 0)
        guard result == 0 else {
            throw .explaining("io_uring_register_buf_ring", errno: -result)
        }
        unsafe io_uring_buf_ring_init(entries)
        for slot in 0..<count { recycle(slot: UInt16(slot)) }
    }

    deinit { _ = unsafe munmap(mapping, mappingByteCount) }

    @_lifetime(immortal)
    func bytes(in buffer: LentBufferID) -> RawSpan {
        precondition(Int(buffer.slot) < count && buffer.byteCount <= byteCount)
        // Safe: the range lies inside this slot of the mapping. "Immortal" is a promise of the
        // caller's: it reads before it recycles, and a loop ends only with its thread.
        let base = unsafe UnsafeRawPointer(start) + Int(buffer.slot) * byteCount
        let span = unsafe RawSpan(_unsafeStart: base, byteCount: buffer.byteCount)
        return unsafe _overrideLifetime(span, copying: ())
    }

    /// Gives the buffer in `slot` to the kernel.
    func recycle(slot: UInt16) {
        precondition(Int(slot) < count)
        // Safe: the address and length are those of the slot, inside the mapping.
        let address = unsafe start + Int(slot) * byteCount
        let mask = Int32(count - 1)
        unsafe io_uring_buf_ring_add(entries, address, UInt32(byteCount), slot, mask, 0)
        unsafe io_uring_buf_ring_advance(entries, 1)
    }
}
