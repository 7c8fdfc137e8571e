import Bytes

// Messages written out field by field, without the code under test.

/// What `write` appends to an empty buffer.
public func written(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    write(&buffer)
    return buffer.bytes.array()
}

public func int16(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
}

public func int32(_ value: Int) -> [UInt8] {
    int16(value >> 16) + int16(value)
}

/// The UTF-8 of `text`.
public func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The UTF-8 of `text` and a NUL.
public func cString(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

/// One message: `tag`, the length, and the fields.
public func message(_ tag: Unicode.Scalar, _ fields: [UInt8]...) -> [UInt8] {
    let body = fields.flatMap(\.self)
    return [UInt8(ascii: tag)] + int32(body.count + 4) + body
}

/// A packet without a tag: the length and the fields.
public func packet(_ fields: [UInt8]...) -> [UInt8] {
    let body = fields.flatMap(\.self)
    return int32(body.count + 4) + body
}
