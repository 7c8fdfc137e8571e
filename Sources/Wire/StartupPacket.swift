internal import Bytes

/// The first packet of a connection, which has no tag.
///
///     length: UInt32, counts itself │ code: UInt32 │ …
///
/// Source: PostgreSQL documentation, "Message Formats": StartupMessage, SSLRequest, CancelRequest.
public enum StartupPacket: Equatable, Sendable {
    case sslRequest
    case gssEncryptionRequest
    case cancelRequest(processID: UInt32, key: [UInt8])
    /// Parameters in the order sent; a name may stand twice. `minor` is what the client asked for.
    case startup(minor: UInt16, parameters: [StartupParameter])

    /// PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH).
    public static let byteCountMax = 10_000
    static let cancelKeyByteCountMax = 256

    /// The packet at the start of `bytes` and its size, or nil when it is not all there yet.
    public static func parse(
        _ bytes: borrowing RawSpan
    ) throws(WireError) -> (packet: StartupPacket, byteCount: Int)? {
        guard bytes.byteCount >= 4 else { return nil }
        let length = bytes.uint32BigEndian(at: 0)
        guard length >= 8, length <= byteCountMax else { throw .startupLength(length) }
        let byteCount = Int(length)
        guard bytes.byteCount >= 8 else { return nil }
        let code = bytes.uint32BigEndian(at: 4)
        guard bytes.byteCount >= byteCount else { return nil }
        switch code {
        case 80_877_103:
            guard length == 8 else { throw .startupLength(length) }
            return (.sslRequest, byteCount)
        case 80_877_104:
            guard length == 8 else { throw .startupLength(length) }
            return (.gssEncryptionRequest, byteCount)
        case 80_877_102:
            let keyByteCount = byteCount - 12
            guard keyByteCount >= 4, keyByteCount <= cancelKeyByteCountMax else {
                throw .startupLength(length)
            }
            let key = bytes.extracting(12..<byteCount).array()
            return (.cancelRequest(processID: bytes.uint32BigEndian(at: 8), key: key), byteCount)
        default:
            let major = UInt16(code >> 16)
            let minor = UInt16(code & 0xffff)
            guard major == 3 else { throw .unsupportedVersion(major: major, minor: minor) }
            let parameters = try parameters(bytes, in: 8..<byteCount)
            return (.startup(minor: minor, parameters: parameters), byteCount)
        }
    }

    private static func parameters(
        _ bytes: borrowing RawSpan, in range: Range<Int>
    ) throws(WireError) -> [StartupParameter] {
        guard let last = range.last, bytes.uint8(at: last) == 0 else { throw .startupNotTerminated }
        var found: [StartupParameter] = []
        var offset = range.lowerBound
        while offset < last {
            guard let nameEnd = bytes.firstOffset(of: 0, in: offset..<last),
                let valueEnd = bytes.firstOffset(of: 0, in: nameEnd + 1..<last)
            else { throw .startupNotTerminated }
            found.append(
                StartupParameter(
                    name: bytes.string(in: offset..<nameEnd),
                    value: bytes.string(in: nameEnd + 1..<valueEnd)))
            offset = valueEnd + 1
        }
        guard offset == last else { throw .startupNotTerminated }
        return found
    }
}

/// One name and value of a StartupMessage.
public struct StartupParameter: Equatable, Sendable {
    public let name: String
    public let value: String
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}
