// How large one loop is.

/// Sizes of one io_uring loop. All of them powers of two.
public struct IOUringSettings: Sendable, Equatable {
    /// Operations that can be begun before the loop must submit by itself. 1 to 32,768.
    public var submissionCount: UInt32 = 1024
    /// Completions the kernel can note before it must queue them aside. At least submissionCount.
    public var completionCount: UInt32 = 16384
    /// Receive buffers. The kernel uses them in turn, so all become resident. 1 to 32,768.
    public var bufferCount = 256
    /// Size of each receive buffer.
    public var bufferByteCount = 16384

    public init() {}
}
