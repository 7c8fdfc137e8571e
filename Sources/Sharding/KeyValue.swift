/// One column of a key, typed; NULL is nil where it may stand.
public enum KeyValue: Hashable, Sendable {
    /// smallint, integer, bigint: equal numbers are equal keys.
    case integer(Int64)
    case oid(UInt32)
    case boolean(Bool)
    /// Days since 2000-01-01. `Int32.max` and `.min` = infinity and -infinity.
    case date(Int32)
    /// timestamp and timestamptz: microseconds since 2000-01-01, of the latter in UTC.
    /// `Int64.max` and `.min` = infinity and -infinity.
    case timestamp(Int64)
    /// text and varchar in UTF-8; bytea.
    case bytes([UInt8])
    /// 16 bytes.
    case uuid([UInt8])

    /// The type's extended hash function with the partition seed.
    public var partitionHash: UInt64 {
        switch self {
        case .integer(let number), .timestamp(let number): PartitionHash.of(number)
        case .oid(let number): PartitionHash.of(number)
        case .boolean(let isTrue): PartitionHash.of(isTrue ? 1 as UInt32 : 0)
        case .date(let days): PartitionHash.of(UInt32(bitPattern: days))
        case .bytes(let bytes), .uuid(let bytes): PartitionHash.of(bytes)
        }
    }
}

extension KeyValue: Comparable {
    /// The order of the type; texts by their bytes, as COLLATE "C". Values of two types have an
    /// order too, but it means nothing.
    public static func < (left: KeyValue, right: KeyValue) -> Bool {
        switch (left, right) {
        case (.integer(let one), .integer(let other)), (.timestamp(let one), .timestamp(let other)):
            one < other
        case (.oid(let one), .oid(let other)): one < other
        case (.boolean(let one), .boolean(let other)): !one && other
        case (.date(let one), .date(let other)): one < other
        case (.bytes(let one), .bytes(let other)), (.uuid(let one), .uuid(let other)):
            one.lexicographicallyPrecedes(other)
        case _: left.rank < right.rank
        }
    }

    private var rank: Int {
        switch self {
        case .integer: 0
        case .oid: 1
        case .boolean: 2
        case .date: 3
        case .timestamp: 4
        case .bytes: 5
        case .uuid: 6
        }
    }
}

extension KeyValue {
    /// For error texts and EXPLAIN: as PostgreSQL would show it.
    public func described(as type: KeyType) -> String {
        switch self {
        case .integer(let number): "\(number)"
        case .oid(let number): "\(number)"
        case .boolean(let isTrue): isTrue ? "true" : "false"
        case .date(let days): Calendar.text(days: days)
        case .timestamp(let microseconds):
            Calendar.text(microseconds: microseconds) + (type == .timestamptz ? "+00" : "")
        case .uuid(let bytes): Self.uuidText(bytes)
        case .bytes(let bytes):
            type == .bytea
                ? "'\\x" + bytes.map { Self.hexadecimal($0) }.joined() + "'"
                : "'" + String(decoding: bytes, as: UTF8.self).replacing("'", with: "''") + "'"
        }
    }

    /// As a parameter of a query, in text.
    public func parameterText(as type: KeyType) -> [UInt8] {
        if case .bytes(let bytes) = self, type != .bytea { return bytes }
        let text = described(as: type)
        return Array((type == .bytea ? String(text.dropFirst().dropLast()) : text).utf8)
    }

    private static func uuidText(_ bytes: [UInt8]) -> String {
        bytes.enumerated().map { index, byte in
            ([4, 6, 8, 10].contains(index) ? "-" : "") + hexadecimal(byte)
        }.joined()
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
