public import Bytes

/// A stretch of one message inside the bytes at hand.
///
///     │ tag │ length (4) │ body …                        │
///     └ start            └ body.lowerBound               └ body.upperBound
public struct FramePiece: Equatable, Sendable {
    @inlinable public static var headerByteCount: Int { 5 }
    /// The tag when the message begins in this piece; nil when it began in earlier bytes.
    public let opens: UInt8?
    /// Where this piece begins, header included.
    public let start: Int
    /// The part of the body that is at hand.
    public let body: Range<Int>
    /// Whether the message ends with this piece.
    public let closes: Bool

    @inlinable public init(opens: UInt8?, start: Int, body: Range<Int>, closes: Bool) {
        self.opens = opens
        self.start = start
        self.body = body
        self.closes = closes
    }
}

/// Cuts received bytes into pieces of frames. Looks at five header bytes per frame, at no body.
///
///     tag: UInt8 │ length: UInt32, counts itself but not the tag │ body: length - 4 bytes
///
/// Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
public struct FrameScanner: Sendable {
    /// Largest `length` accepted. Who announces more is cut off before we wait for it.
    public let lengthMax: UInt32
    @usableFromInline var left = 0

    public init(lengthMax: UInt32) { self.lengthMax = lengthMax }

    /// Bytes of the current body that have not been seen yet.
    @inlinable public var bodyByteCountLeft: Int { left }
    /// Whether the next byte is a tag.
    @inlinable public var isBetweenFrames: Bool { left == 0 }

    /// The next piece, or nil when no byte is left or the header is not all there yet; then
    /// `offset` stays and the caller keeps those bytes.
    @inlinable public mutating func next(
        in bytes: borrowing RawSpan, from offset: inout Int
    ) throws(WireError) -> FramePiece? {
        guard offset < bytes.byteCount else { return nil }
        let start = offset
        var opens: UInt8?
        if left == 0 {
            guard bytes.byteCount - offset >= FramePiece.headerByteCount else { return nil }
            let length = bytes.uint32BigEndian(at: offset + 1)
            guard length >= 4 else { throw .lengthTooSmall(length) }
            guard length <= lengthMax else { throw .lengthTooLarge(length, max: lengthMax) }
            opens = bytes.uint8(at: offset)
            left = Int(length) - 4
            offset += FramePiece.headerByteCount
        }
        let body = offset..<min(offset + left, bytes.byteCount)
        left -= body.count
        offset = body.upperBound
        return FramePiece(opens: opens, start: start, body: body, closes: left == 0)
    }

    /// The end of the whole frames with `tag` that begin at `offset`, one behind the other;
    /// `offset` if there is none, or a body goes on there. Broken ones are left to `next`.
    @inlinable public func end(
        ofFramesTagged tag: UInt8, in bytes: borrowing RawSpan, from offset: Int
    ) -> Int {
        guard left == 0 else { return offset }
        var end = offset
        while bytes.byteCount &- end >= FramePiece.headerByteCount, bytes.uint8(at: end) == tag {
            let length = bytes.uint32BigEndian(at: end &+ 1)
            guard length >= 4, length <= lengthMax, Int(length) < bytes.byteCount &- end else {
                break
            }
            end &+= 1 &+ Int(length)
        }
        return end
    }
}
