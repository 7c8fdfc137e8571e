/// How bytes broke the protocol: what was expected and what came.
public enum WireError: Error, Equatable, Sendable {
    /// A message length below the four bytes it counts itself.
    case lengthTooSmall(UInt32)
    case lengthTooLarge(UInt32, max: UInt32)
    /// A field reaches beyond the end of its message.
    case truncated(tag: UInt8)
    /// Bytes are left behind the last field.
    case excess(tag: UInt8, byteCount: Int)
    case startupLength(UInt32)
    case startupNotTerminated
    /// The protocol version that a client asked for, as major and minor.
    case unsupportedVersion(major: UInt16, minor: UInt16)
    case unexpectedTag(UInt8)

    /// One line for the peer and the log.
    public var text: String {
        switch self {
        case .lengthTooSmall(let length): "message length \(length) is below 4"
        case .lengthTooLarge(let length, let max): "message length \(length) is above \(max)"
        case .truncated(let tag): "message '\(printable(tag))' ends inside a field"
        case .excess(let tag, let count):
            "message '\(printable(tag))' has \(count) bytes behind its last field"
        case .startupLength(let length): "invalid length of startup packet: \(length)"
        case .startupNotTerminated:
            "invalid startup packet layout: expected terminator as last byte"
        case .unsupportedVersion(let major, let minor):
            "unsupported frontend protocol \(major).\(minor): server supports 3.0 to 3.2"
        case .unexpectedTag(let tag): "invalid frontend message type \(tag)"
        }
    }

    private func printable(_ tag: UInt8) -> String {
        tag > 0x20 && tag < 0x7f ? String(UnicodeScalar(tag)) : "\\\(tag)"
    }
}
