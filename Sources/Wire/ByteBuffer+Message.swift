public import Bytes

extension ByteBuffer {
    /// Appends one message: `tag`, the length, and what `body` appends.
    public mutating func appendMessage(_ tag: UInt8, _ body: (inout ByteBuffer) -> Void) {
        append(tag)
        let lengthOffset = count
        append(bigEndian: UInt32(0))
        body(&self)
        replace(at: lengthOffset, bigEndian: UInt32(count - lengthOffset))
    }

    /// Appends a message without a body.
    public mutating func appendMessage(_ tag: UInt8) {
        append(tag)
        append(bigEndian: UInt32(4))
    }

    /// The UTF-8 of `text` up to its first NUL, and a NUL.
    public mutating func append(cString text: String) {
        let start = count
        append(utf8: text)
        append(UInt8(0))
        // Nearly always the one at the end.
        guard let end = bytes.firstOffset(of: 0, in: start..<count), end + 1 < count else { return }
        removeLast(count - end - 1)
    }
}
