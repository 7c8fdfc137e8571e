// The loop on Linux's io_uring: one ring, one ring of receive buffers, one thread.

public import Bytes
internal import CURing
internal import Glibc

/// One thread's io_uring. Made on the thread that uses it: the ring accepts no other
/// (io_uring_setup(2) IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN).
@safe public struct IOUringLoop: EventLoop, ~Copyable {
    // Safe: this value owns the ring, the buffers and the addresses until `deinit`, which first
    // ends the ring, so the kernel has let go of all of them.
    private let ring: UnsafeMutablePointer<io_uring>
    /// What io_uring_enter(2) gets: the ring's registered index.
    private let enterDescriptor: Int32
    private let enterFlags: UInt32
    private var buffers: ReceiveBuffers
    /// One place per submission entry: the kernel has copied the address when it has taken the
    /// entry (io_uring_setup(2) IORING_FEAT_SUBMIT_STABLE), so the place is free with the entry.
    private let addresses: UnsafeMutablePointer<sockaddr_storage>
    /// The next completion to read, and the first that is not there yet.
    private var completionHead: UInt32
    private var completionTail: UInt32
    private let completionMask: UInt32
    public let waker: Waker
    private var isWakerArmed = false

    /// Throws when the kernel does not give us a ring with all that is needed (Linux 6.1).
    public init(settings: IOUringSettings) throws(EventLoopError) {
        let waker = try Waker()
        let buffers = try ReceiveBuffers(
            count: settings.bufferCount, byteCount: settings.bufferByteCount)
        let made = try unsafe IOUringLoop.makeRing(settings, buffers)
        self.waker = waker
        self.buffers = buffers
        unsafe ring = made
        unsafe enterDescriptor = made.pointee.enter_ring_fd
        enterFlags = UInt32(IORING_ENTER_REGISTERED_RING)
        unsafe addresses = .allocate(capacity: Int(made.pointee.sq.ring_entries))
        unsafe completionHead = made.pointee.cq.khead.pointee
        completionTail = completionHead
        unsafe completionMask = made.pointee.cq.ring_mask
    }

    deinit {
        unsafe io_uring_queue_exit(ring)
        unsafe ring.deallocate()
        unsafe addresses.deallocate()
    }

    // MARK: Operations

    public mutating func accept(on socket: Int32, token: Token) {
        let entry = unsafe nextEntry()
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        unsafe io_uring_prep_multishot_accept(entry, socket, nil, nil, flags)
        unsafe entry.pointee.user_data = token.rawValue
    }

    public mutating func receive(on socket: Int32, token: Token, isMultishot: Bool) {
        let entry = unsafe nextEntry()
        unsafe curing_prepare_receive(entry, socket, isMultishot ? 1 : 0)
        unsafe entry.pointee.user_data = token.rawValue
    }

    public mutating func cancel(_ token: Token) {
        let entry = unsafe nextEntry()
        unsafe curing_prepare_cancel(entry, token.rawValue)
        unsafe entry.pointee.user_data = Token.cancel.rawValue
    }

    public mutating func connect(_ socket: Int32, to address: SocketAddress, token: Token) {
        let entry = unsafe nextEntry()
        // Safe: the place is this entry's own; see `addresses`.
        let place = unsafe addresses + (entry - ring.pointee.sq.sqes)
        let byteCount = unsafe address.write(to: place)
        unsafe place.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe io_uring_prep_connect(entry, socket, $0, byteCount)
        }
        unsafe entry.pointee.user_data = token.rawValue
    }

    public mutating func pollWritable(_ socket: Int32, token: Token) {
        let entry = unsafe nextEntry()
        unsafe io_uring_prep_poll_add(entry, socket, UInt32(POLLOUT))
        unsafe entry.pointee.user_data = token.rawValue
    }

    public mutating func pollHangUp(_ socket: Int32, token: Token) {
        let entry = unsafe nextEntry()
        // The kernel adds POLLHUP and POLLERR by itself.
        unsafe io_uring_prep_poll_add(entry, socket, curing_poll_read_hang_up)
        unsafe entry.pointee.user_data = token.rawValue
    }

    public mutating func close(_ socket: Int32) {
        let entry = unsafe nextEntry()
        unsafe curing_prepare_close(entry, socket)
        unsafe entry.pointee.user_data = Token.close.rawValue
    }

    public mutating func send(_ bytes: borrowing RawSpan, on socket: Int32) -> Int {
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        // Safe: send reads the span's bytes and keeps nothing.
        return unsafe bytes.withUnsafeBytes { raw in
            guard raw.count > 0 else { return 0 }
            while true {
                let sent = unsafe curing_send(socket, raw.baseAddress, raw.count, flags)
                if sent != -Int(EINTR) { return sent }
            }
        }
    }

    // MARK: Turning

    public mutating func turn(until deadline: Instant, isPollOnly: Bool) {
        if !isWakerArmed { armWaker() }
        var nanoseconds: Int64 = -1
        var waits = !isPollOnly
        if waits, deadline != .never {
            nanoseconds = deadline.nanoseconds &- now().nanoseconds
            waits = nanoseconds > 0
        }
        waits = waits && waker.beginSleep()
        enter(waitCount: waits ? 1 : 0, nanoseconds: nanoseconds)
        waker.endSleep()
        unsafe completionTail = curing_completion_tail(ring)
    }

    public mutating func nextCompletion() -> Completion? {
        while completionHead != completionTail {
            // Safe: the mask keeps the index inside the ring, and the kernel has written this
            // entry before it moved the tail.
            let entry = unsafe ring.pointee.cq.cqes[Int(completionHead & completionMask)]
            completionHead &+= 1
            if let completion = completion(of: entry) { return completion }
        }
        unsafe curing_set_completion_head(ring, completionHead)
        return nil
    }

    // MARK: Buffers

    @_lifetime(immortal)
    public func bytes(in buffer: LentBufferID) -> RawSpan { buffers.bytes(in: buffer) }

    public mutating func recycle(_ buffer: LentBufferID) { buffers.recycle(slot: buffer.slot) }

    public func now() -> Instant { MonotonicClock.now() }
    public static func now() -> Instant { MonotonicClock.now() }

    // MARK: Inside

    private mutating func completion(of entry: io_uring_cqe) -> Completion? {
        let token = Token(rawValue: entry.user_data)
        let hasMore = entry.flags & UInt32(IORING_CQE_F_MORE) != 0
        guard token.kind != Token.ownKind else {
            if token == .wakeUp, !hasMore { isWakerArmed = false }
            return nil
        }
        var buffer: LentBufferID?
        if entry.flags & UInt32(IORING_CQE_F_BUFFER) != 0 {
            let slot = UInt16(truncatingIfNeeded: entry.flags >> 16)
            if entry.res > 0 {
                buffer = LentBufferID(slot: slot, byteCount: Int(entry.res))
            } else {
                buffers.recycle(slot: slot)
            }
        }
        return Completion(
            token: token, result: entry.res, buffer: buffer, hasMore: hasMore,
            isSocketNonEmpty: entry.flags & UInt32(IORING_CQE_F_SOCK_NONEMPTY) != 0)
    }

    private mutating func armWaker() {
        let entry = unsafe nextEntry()
        unsafe io_uring_prep_poll_multishot(entry, waker.descriptor, UInt32(POLLIN))
        unsafe entry.pointee.user_data = Token.wakeUp.rawValue
        isWakerArmed = true
    }

    /// A free submission entry. When all are taken, submits them first: no operation is lost.
    private mutating func nextEntry() -> UnsafeMutablePointer<io_uring_sqe> {
        if let entry = unsafe io_uring_get_sqe(ring) { return unsafe entry }
        // The kernel may refuse for a moment, when it is short of memory.
        for _ in 0..<IOUringLoop.refusalsMax {
            enter(waitCount: 0, nanoseconds: -1)
            if let entry = unsafe io_uring_get_sqe(ring) { return unsafe entry }
            _ = sched_yield()
        }
        fatalError("the kernel takes no more io_uring submissions")
    }

    /// Attempts to submit before we give up: some seconds.
    private static let refusalsMax = 1_000_000

    private func enter(waitCount: UInt32, nanoseconds: Int64) {
        let result = unsafe curing_enter(ring, enterDescriptor, enterFlags, waitCount, nanoseconds)
        guard result < 0 else { return }
        // Of these all but the last three are usual; with them the entries wait for the next turn.
        let mayHappen = [ETIME, EINTR, EAGAIN, EBUSY, ENOMEM].contains(-result)
        precondition(mayHappen, "io_uring_enter failed: \(SocketError.text(of: -result))")
    }
}
