/// One node of a parse tree, as libpg_query writes it in JSON. Fields that are 0, false or empty
/// are left out there.
public indirect enum ParseNode: Equatable, Sendable {
    case object([String: ParseNode])
    case array([ParseNode])
    case string(String)
    case number(Int)
    case boolean(Bool)
    case null

    /// The field `name` of an object.
    public subscript(_ name: String) -> ParseNode? {
        if case .object(let fields) = self { fields[name] } else { nil }
    }

    public var items: [ParseNode] { if case .array(let items) = self { items } else { [] } }
    public var text: String? { if case .string(let text) = self { text } else { nil } }
    public var number: Int? { if case .number(let number) = self { number } else { nil } }
    public var isTrue: Bool { self == .boolean(true) }

    /// Names and values of an object's fields.
    public var fields: [String: ParseNode] {
        if case .object(let fields) = self { fields } else { [:] }
    }

    /// Of a node that says its kind, `{"SelectStmt": {…}}`: the kind, and what is inside.
    public var tagged: (kind: String, node: ParseNode)? {
        guard case .object(let fields) = self, fields.count == 1, let field = fields.first,
            field.key.first?.isUppercase == true
        else { return nil }
        return (field.key, field.value)
    }
}

/// Reads JSON as far as libpg_query writes it: whole numbers, no blanks where it has none.
struct JSONReader {
    /// Deeper trees are given up.
    static let depthMax = 1500

    private let bytes: [UInt8]
    private var offset = 0

    /// nil = not such JSON, or too deep.
    static func read(_ bytes: [UInt8]) -> ParseNode? {
        var reader = JSONReader(bytes: bytes)
        guard let node = reader.node(depth: 0), reader.offset == bytes.count else { return nil }
        return node
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func isNext(_ byte: UInt8) -> Bool { offset < bytes.count && bytes[offset] == byte }

    private mutating func take(_ byte: Character) -> Bool {
        guard let value = byte.asciiValue, isNext(value) else { return false }
        offset += 1
        return true
    }

    private mutating func take(word: String) -> Bool {
        guard bytes[offset...].starts(with: word.utf8) else { return false }
        offset += word.utf8.count
        return true
    }

    private mutating func node(depth: Int) -> ParseNode? {
        guard depth < Self.depthMax, offset < bytes.count else { return nil }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return array(depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return take(word: "true") ? .boolean(true) : nil
        case UInt8(ascii: "f"): return take(word: "false") ? .boolean(false) : nil
        case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
        default: return number().map { .number($0) }
        }
    }

    private mutating func object(_ depth: Int) -> ParseNode? {
        guard take("{") else { return nil }
        var fields: [String: ParseNode] = [:]
        if take("}") { return .object(fields) }
        repeat {
            guard let name = string(), take(":"), let value = node(depth: depth + 1) else {
                return nil
            }
            fields[name] = value
        } while take(",")
        return take("}") ? .object(fields) : nil
    }

    private mutating func array(_ depth: Int) -> ParseNode? {
        guard take("[") else { return nil }
        var items: [ParseNode] = []
        if take("]") { return .array(items) }
        repeat {
            guard let item = node(depth: depth + 1) else { return nil }
            items.append(item)
        } while take(",")
        return take("]") ? .array(items) : nil
    }

    private mutating func number() -> Int? {
        let start = offset
        if isNext(UInt8(ascii: "-")) { offset += 1 }
        while offset < bytes.count, bytes[offset] &- 0x30 < 10 { offset += 1 }
        return Int(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var content: [UInt8] = []
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            if byte == UInt8(ascii: "\"") { return String(validating: content, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                content.append(byte)
                continue
            }
            guard let escaped = escape() else { return nil }
            content.append(escaped)
        }
        return nil
    }

    /// Behind a backslash. libpg_query writes \u for control characters and < > only.
    private mutating func escape() -> UInt8? {
        guard offset < bytes.count else { return nil }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "n"): return 0x0a
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "r"): return 0x0d
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0c
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return byte
        case UInt8(ascii: "u"):
            guard offset + 4 <= bytes.count,
                let code = UInt8(
                    String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16),
                code < 0x80
            else { return nil }
            offset += 4
            return code
        default: return nil
        }
    }
}
