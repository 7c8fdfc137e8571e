// The seam between the Worker and the kernel: io_uring now; epoll and a simulator fit behind it.

public import Bytes

/// Operations on sockets for one thread: begun here, ended by a completion with the same token.
///
/// Made, used and ended on one thread; only its `waker` may go to others. A begun operation goes
/// to the kernel with the next `turn`, in order. Sockets are non-blocking.
public protocol EventLoop: ~Copyable {
    /// Accepts until cancelled or failed; each completion brings one socket (close-on-exec,
    /// non-blocking) or -errno.
    mutating func accept(on socket: Int32, token: Token)
    /// Receives into a buffer of the loop's. Result 0 = the peer sends no more. -ENOBUFS = all
    /// buffers are lent: recycle, then receive again. Multishot stays armed while `hasMore`;
    /// single-shot polls first, so use it where the bytes are not there yet.
    mutating func receive(on socket: Int32, token: Token, isMultishot: Bool)
    /// Ends all operations with `token`. They complete with -ECANCELED, or as if not cancelled
    /// when they were done already.
    mutating func cancel(_ token: Token)
    /// Completes with 0 when connected, or -errno.
    mutating func connect(_ socket: Int32, to address: SocketAddress, token: Token)
    /// Completes once, with poll(2) events, when `socket` takes bytes again (or has failed).
    mutating func pollWritable(_ socket: Int32, token: Token)
    /// Completes once, with poll(2) events, when the peer has closed, the socket has failed, or we
    /// have shut down its receiving side.
    mutating func pollHangUp(_ socket: Int32, token: Token)
    /// Closes a socket, behind everything that was begun on it. Closed at once, its number could
    /// become another connection's, and an operation not yet submitted would be about that one.
    /// What is armed on it already must be cancelled, or be ended by a shutdown.
    mutating func close(_ socket: Int32)

    /// Sends what the socket takes at once: the byte count, which may be short, or -errno.
    /// -EAGAIN = nothing sent; `pollWritable` tells when to try again. Not an operation.
    mutating func send(_ bytes: borrowing RawSpan, on socket: Int32) -> Int

    /// Submits what was begun and waits until there is a completion, `deadline` has come, or the
    /// waker was called since the last turn. `isPollOnly` = does not wait. One system call.
    mutating func turn(until deadline: Instant, isPollOnly: Bool)
    /// The next thing that the last `turn` found; nil = that was all.
    mutating func nextCompletion() -> Completion?

    /// The received bytes. Valid until `buffer` is recycled, whatever else the loop does meanwhile:
    /// the kernel writes into a buffer only while it is not lent. The compiler does not check it,
    /// so that the caller may begin operations while it reads.
    @_lifetime(immortal)
    func bytes(in buffer: LentBufferID) -> RawSpan
    /// Ends the loan; exactly once for each buffer.
    mutating func recycle(_ buffer: LentBufferID)

    /// Ends a `turn` from any thread.
    var waker: Waker { get }
    /// The loop's clock, for deadlines of `turn`.
    func now() -> Instant
    /// The same for who has no loop at hand. CLOCK_MONOTONIC.
    static func now() -> Instant
}
