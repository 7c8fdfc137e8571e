internal import Bytes

/// A stretch of one message inside the bytes at hand.
///
///     │ tag │ length (4) │ body …                        │
///     └ start            └ body.lowerBound               └ body.upperBound
public struct FramePiece: Equatable, Sendable {
    public static let headerByteCount = 5
    /// The tag when the message begins in this piece; nil when it began in earlier bytes.
    public let opens: UInt8?
    /// Where this piece begins, header included.
    public let start: Int
    /// The part of the body that is at hand.
    public let body: Range<Int>
    /// Whether the message ends with this piece.
    public let closes: Bool

    public init(opens: UInt8?, start: Int, body: Range<Int>, closes: Bool) {
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
    /// Bytes of the current body that have not been seen yet.
    public private(set) var bodyByteCountLeft = 0
    /// The tag of the message that is not complete yet, or of the last one.
    public private(set) var tag: UInt8 = 0

    public init(lengthMax: UInt32) { self.lengthMax = lengthMax }

    /// Whether the next byte is a tag.
    public var isBetweenFrames: Bool { bodyByteCountLeft == 0 }

    /// The next piece, or nil when no byte is left or the header is not all there yet; then
    /// `offset` stays and the caller keeps those bytes.
    public mutating func next(
        in bytes: borrowing RawSpan, from offset: inout Int
    ) throws(WireError) -> FramePiece? {
        guard offset < bytes.byteCount else { return nil }
        let start = offset
        var opens: UInt8?
        if bodyByteCountLeft == 0 {
            guard bytes.byteCount - offset >= FramePiece.headerByteCount else { return nil }
            let length = bytes.uint32BigEndian(at: offset + 1)
            guard length >= 4 else { throw .lengthTooSmall(length) }
            guard length <= lengthMax else { throw .lengthTooLarge(length, max: lengthMax) }
            tag = bytes.uint8(at: offset)
            opens = tag
            bodyByteCountLeft = Int(length) - 4
            offset += FramePiece.headerByteCount
        }
        let body = offset..<min(offset + bodyByteCountLeft, bytes.byteCount)
        bodyByteCountLeft -= body.count
        offset = body.upperBound
        return FramePiece(opens: opens, start: start, body: body, closes: bodyByteCountLeft == 0)
    }
}
