internal import Bytes
internal import Wire

/// One message of a client as far as it is there.
struct Message {
    let tag: UInt8
    /// As announced; may reach beyond the bytes at hand.
    let body: Range<Int>
    let isWhole: Bool

    var end: Int { body.upperBound }

    /// nil = its header is not all there, or its length cannot be true.
    init?(_ bytes: borrowing RawSpan, at offset: Int) {
        guard bytes.byteCount - offset >= FramePiece.headerByteCount else { return nil }
        let length = Int(bytes.uint32BigEndian(at: offset + 1))
        guard length >= 4 else { return nil }
        tag = bytes.uint8(at: offset)
        body = offset + 5..<offset + 1 + length
        isWhole = body.upperBound <= bytes.byteCount
    }

    /// Whether its body may say where it belongs.
    var isStatement: Bool {
        switch tag {
        case ClientTag.query, ClientTag.parse, ClientTag.bind, ClientTag.functionCall: true
        default: false
        }
    }

    /// Whether more of its batch may follow, of which it says nothing.
    var isOfBatch: Bool {
        switch tag {
        case ClientTag.describe, ClientTag.execute, ClientTag.close, ClientTag.flush: true
        default: false
        }
    }
}

/// The types that a Parse declares: its body behind the text.
struct ParameterTypes {
    private var types: [UInt32] = []

    /// `textEnd`: where the text's NUL stands.
    init(_ bytes: borrowing RawSpan, behind textEnd: Int, _ end: Int) {
        var offset = textEnd + 1
        guard offset + 2 <= end else { return }
        let count = Int(bytes.uint16BigEndian(at: offset))
        offset += 2
        guard offset + 4 * count <= end else { return }
        for index in 0..<count { types.append(bytes.uint32BigEndian(at: offset + 4 * index)) }
    }

    /// Of the parameter `number` alone, from 1 on; 0 = not said.
    static func declared(
        _ number: Int, _ bytes: borrowing RawSpan, behind textEnd: Int, _ end: Int
    ) -> UInt32 {
        let start = textEnd + 3
        guard start <= end else { return 0 }
        let count = Int(bytes.uint16BigEndian(at: textEnd + 1))
        guard number >= 1, number <= count, start + 4 * count <= end else { return 0 }
        return bytes.uint32BigEndian(at: start + 4 * (number - 1))
    }

    /// Of the parameter `number`, from 1 on; 0 = not said.
    subscript(_ number: Int) -> UInt32 {
        number >= 1 && number <= types.count ? types[number - 1] : 0
    }
}
