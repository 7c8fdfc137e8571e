public import Bytes

/// What one turn of a session wants to send one way, in order.
///
/// As long as everything is a stretch of the received bytes as they came, it stays a range of
/// them and nothing is copied; the first byte of ours makes it a buffer.
public struct Outgoing: ~Copyable {
    /// The stretch of the received bytes to send; empty once `buffer` is in use.
    public private(set) var passed: Range<Int> = 0..<0
    /// Everything to send, when it is not just `passed`.
    public var buffer = ByteBuffer()

    public init() {}

    public var isEmpty: Bool { passed.isEmpty && buffer.isEmpty }
    /// Whether `passed` is all there is to send.
    public var isPassedOnly: Bool { buffer.isEmpty }
    public var byteCount: Int { passed.count + buffer.count }

    /// Sends `range` of `bytes` as it came.
    public mutating func pass(_ range: Range<Int>, of bytes: borrowing RawSpan) {
        guard !range.isEmpty else { return }
        if buffer.isEmpty {
            if passed.isEmpty {
                passed = range
                return
            }
            if passed.upperBound == range.lowerBound {
                passed = passed.lowerBound..<range.upperBound
                return
            }
            spill(bytes)
        }
        buffer.append(bytes.extracting(range))
    }

    /// Makes `buffer` the whole of what is to be sent, so that bytes of ours can follow.
    public mutating func spill(_ bytes: borrowing RawSpan) {
        guard !passed.isEmpty else { return }
        buffer.append(bytes.extracting(passed))
        passed = 0..<0
    }

    /// Forgets everything and keeps the buffer's memory.
    public mutating func removeAll() {
        passed = 0..<0
        buffer.removeAll()
    }
}
