// Names of operations, completions and lent buffers: the words of the seam.

/// What an operation was for. The loop hands it back with each completion and never looks inside.
///
///     │ kind: 8 bits │ slot: 24 bits │ generation: 32 bits │
///     63             55              31                    0
///
/// Kind 0xFF is the loop's own.
public struct Token: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// `kind` 0 to 254; `slot` below 2^24.
    public init(kind: UInt8, slot: UInt32, generation: UInt32) {
        precondition(slot < 1 << 24, "a slot has 24 bits")
        rawValue = UInt64(kind) << 56 | UInt64(slot) << 32 | UInt64(generation)
    }

    public var kind: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56) }
    public var slot: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) & 0xFF_FFFF }
    public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

    /// `kind` of the loop's own operations: its wake-up, cancels and closes.
    static let ownKind: UInt8 = 0xFF
    static let wakeUp = Token(kind: ownKind, slot: 0, generation: 0)
    static let cancel = Token(kind: ownKind, slot: 1, generation: 0)
    static let close = Token(kind: ownKind, slot: 2, generation: 0)
}

/// Bytes the kernel wrote into one of the loop's buffers, lent until `recycle`.
///
/// A buffer that is never recycled is lost: when all are, receives complete with -ENOBUFS.
public struct LentBufferID: Sendable {
    public let slot: UInt16
    /// At least 1, at most the loop's `bufferByteCount`.
    public let byteCount: Int

    public init(slot: UInt16, byteCount: Int) {
        self.slot = slot
        self.byteCount = byteCount
    }
}

/// One thing that happened to one operation.
public struct Completion: Sendable {
    public let token: Token
    /// Bytes received, an accepted socket, poll(2) events, 0, or -errno.
    public let result: Int32
    /// Holds the received bytes; set exactly when a receive has a positive result.
    public let buffer: LentBufferID?
    /// A multishot operation is still armed. false: this was its last completion.
    public let hasMore: Bool
    /// The kernel saw more to read in the socket. A hint. io_uring_enter(2) SOCK_NONEMPTY.
    public let isSocketNonEmpty: Bool

    public init(
        token: Token, result: Int32, buffer: LentBufferID?, hasMore: Bool, isSocketNonEmpty: Bool
    ) {
        self.token = token
        self.result = result
        self.buffer = buffer
        self.hasMore = hasMore
        self.isSocketNonEmpty = isSocketNonEmpty
    }
}
