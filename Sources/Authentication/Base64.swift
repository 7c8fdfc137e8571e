/// Strict base64: whole groups of four, padding only at the end, unused bits zero, so that each
/// run of bytes has exactly one text. Source: RFC 4648, sections 3 and 4.
public enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// With padding and without line breaks.
    public static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var offset = 0
        while offset < bytes.count {
            let left = bytes.count - offset
            var group = UInt32(bytes[offset]) << 16
            if left > 1 { group |= UInt32(bytes[offset + 1]) << 8 }
            if left > 2 { group |= UInt32(bytes[offset + 2]) }
            text.append(alphabet[Int(group >> 18)])
            text.append(alphabet[Int(group >> 12 & 63)])
            text.append(left > 1 ? alphabet[Int(group >> 6 & 63)] : padding)
            text.append(left > 2 ? alphabet[Int(group & 63)] : padding)
            offset += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// nil when `text` is not what `encode` makes of some bytes.
    public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var digitCount = 0
        var paddingCount = 0
        for character in text {
            if character == padding {
                paddingCount += 1
                group <<= 6
            } else {
                guard paddingCount == 0, let digit = value(of: character) else { return nil }
                group = group << 6 | digit
            }
            digitCount += 1
            guard digitCount == 4 else { continue }
            bytes.append(UInt8(group >> 16))
            switch paddingCount {
            case 0:
                bytes.append(UInt8(group >> 8 & 255))
                bytes.append(UInt8(group & 255))
            case 1:
                guard group & 255 == 0 else { return nil }
                bytes.append(UInt8(group >> 8 & 255))
            case 2:
                guard group & 0xFFFF == 0 else { return nil }
            default:
                return nil
            }
            group = 0
            digitCount = 0
            // A group after padding is refused by its first character, or by the count below.
            guard paddingCount == 0 || bytes.count > (text.count / 4 - 1) * 3 else { return nil }
        }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
