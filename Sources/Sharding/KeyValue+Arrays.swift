/// Arrays of one dimension, for `= ANY ($1)`.
extension KeyValue {
    /// The elements of an array as text, such as `{1,2,NULL}`; NULLs are left out.
    static func readElements(
        text bytes: [UInt8], as type: KeyType, isUTF8: Bool
    ) throws(KeyProblem) -> [KeyValue] {
        let problem = KeyProblem("not an array of one dimension, such as {1,2}")
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}")
        else { throw problem }
        let end = bytes.count - 1
        var values: [KeyValue] = []
        var offset = 1
        if end == 1 { return [] }
        while true {
            let (element, isQuoted) = try element(bytes, &offset, end)
            let isNull =
                !isQuoted && String(decoding: element, as: UTF8.self).lowercased() == "null"
            guard isQuoted || !element.isEmpty else { throw problem }
            if !isNull { values.append(try read(text: element, as: type, isUTF8: isUTF8)) }
            if offset == end { return values }
            guard bytes[offset] == UInt8(ascii: ",") else { throw problem }
            offset += 1
        }
    }

    private static func element(
        _ bytes: [UInt8], _ offset: inout Int, _ end: Int
    ) throws(KeyProblem) -> ([UInt8], isQuoted: Bool) {
        let problem = KeyProblem("an array with signs that are not read for certain")
        var element: [UInt8] = []
        let isQuoted = offset < end && bytes[offset] == UInt8(ascii: "\"")
        if isQuoted { offset += 1 }
        while offset < end {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\"") where isQuoted:
                offset += 1
                return (element, true)
            case UInt8(ascii: "\\") where isQuoted:
                guard offset + 1 < end else { throw problem }
                element.append(bytes[offset + 1])
                offset += 2
                continue
            case UInt8(ascii: ",") where !isQuoted:
                return (element, false)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "{"), UInt8(ascii: "}"),
                0x20, 0x09...0x0d:
                // Blanks around an element would be dropped.
                guard isQuoted else { throw problem }
            default: break
            }
            element.append(byte)
            offset += 1
        }
        guard !isQuoted else { throw problem }
        return (element, false)
    }

    /// The elements of an array in binary: its own header says their type.
    ///
    ///     dimensions, flags, type: Int32 │ count, lower bound: Int32 │ length: Int32, bytes …
    ///
    /// Source: PostgreSQL, arrayfuncs.c array_recv.
    static func readElements(
        binary bytes: [UInt8], as type: KeyType, isUTF8: Bool
    ) throws(KeyProblem) -> [KeyValue] {
        let problem = KeyProblem("not an array of one dimension of \(type.rawValue)")
        var offset = 0
        func number() throws(KeyProblem) -> Int {
            guard offset + 4 <= bytes.count else { throw problem }
            let bits = bytes[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            offset += 4
            return Int(Int32(bitPattern: bits))
        }
        let dimensions = try number()
        _ = try number()
        guard let source = KeyType(oid: UInt32(truncatingIfNeeded: try number())),
            type.isComparable(to: source)
        else { throw problem }
        if dimensions == 0, offset == bytes.count { return [] }
        guard dimensions == 1 else { throw problem }
        let count = try number()
        _ = try number()
        var values: [KeyValue] = []
        guard count >= 0 else { throw problem }
        for _ in 0..<count {
            let byteCount = try number()
            if byteCount == -1 { continue }
            guard byteCount >= 0, offset + byteCount <= bytes.count else { throw problem }
            let element = Array(bytes[offset..<offset + byteCount])
            values.append(try read(binary: element, as: source, isUTF8: isUTF8))
            offset += byteCount
        }
        guard offset == bytes.count else { throw problem }
        return values
    }
}

extension KeyType {
    /// The number of the type's array in pg_type.
    var arrayOID: UInt32 {
        switch self {
        case .boolean: 1000
        case .bytea: 1001
        case .smallint: 1005
        case .integer: 1007
        case .text: 1009
        case .varchar: 1015
        case .bigint: 1016
        case .oid: 1028
        case .timestamp: 1115
        case .date: 1182
        case .timestamptz: 1185
        case .uuid: 2951
        }
    }

    /// The type of an array's elements, by the array's number.
    init?(arrayOID oid: UInt32) {
        guard let type = KeyType.allCases.first(where: { $0.arrayOID == oid }) else { return nil }
        self = type
    }
}
