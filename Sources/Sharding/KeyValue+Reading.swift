internal import Bytes

extension KeyValue {
    /// Reads `bytes` as PostgreSQL's input function of `type` does.
    ///
    /// What depends on a session's settings (dates that are not ISO 8601, times without an offset)
    /// and what could be stored as something else is refused. `isUTF8`: whether the text is known
    /// to be in UTF-8; if not, keys are ASCII.
    public static func read(
        text bytes: [UInt8], as type: KeyType, isUTF8: Bool = true
    ) throws(KeyProblem) -> KeyValue {
        switch type {
        case .smallint, .integer, .bigint:
            return .integer(try integer(bytes, type))
        case .text, .varchar:
            return .bytes(try characters(bytes, type, isUTF8: isUTF8))
        case .uuid:
            return .uuid(try uuid(bytes))
        case .date:
            return .date(try date(bytes))
        case .timestamp, .timestamptz:
            return .timestamp(try timestamp(bytes, hasZone: type == .timestamptz))
        case .boolean:
            return .boolean(try boolean(bytes))
        case .bytea:
            return .bytes(try bytea(bytes))
        case .oid:
            return .oid(try oid(bytes))
        }
    }

    /// As `read(text:as:isUTF8:)`; integers are read without an allocation.
    public static func read(
        text: borrowing RawSpan, in range: Range<Int>, as type: KeyType, isUTF8: Bool = true
    ) throws(KeyProblem) -> KeyValue {
        if let limits = type.integerRange, range.count < 19 {
            var number: Int64 = 0
            var offset = range.lowerBound
            let isNegative = !range.isEmpty && text.uint8(at: offset) == 0x2d
            if isNegative { offset += 1 }
            let start = offset
            while offset < range.upperBound, text.uint8(at: offset) &- 0x30 < 10 {
                number = number * 10 + Int64(text.uint8(at: offset) &- 0x30)
                offset += 1
            }
            number = isNegative ? -number : number
            if offset == range.upperBound, offset > start, limits.contains(number) {
                return .integer(number)
            }
        }
        return try read(text: text.extracting(range).array(), as: type, isUTF8: isUTF8)
    }

    /// Reads a value in the binary form of `type`.
    public static func read(
        binary bytes: [UInt8], as type: KeyType, isUTF8: Bool = true
    ) throws(KeyProblem) -> KeyValue {
        switch type {
        case .smallint:
            return .integer(Int64(Int16(truncatingIfNeeded: try bits(bytes, 2, type))))
        case .integer:
            return .integer(Int64(Int32(truncatingIfNeeded: try bits(bytes, 4, type))))
        case .bigint: return .integer(Int64(bitPattern: try bits(bytes, 8, type)))
        case .oid: return .oid(UInt32(truncatingIfNeeded: try bits(bytes, 4, type)))
        case .date: return .date(Int32(truncatingIfNeeded: try bits(bytes, 4, type)))
        case .timestamp, .timestamptz:
            return .timestamp(Int64(bitPattern: try bits(bytes, 8, type)))
        case .boolean: return .boolean(try bits(bytes, 1, type) != 0)
        case .text, .varchar: return .bytes(try characters(bytes, type, isUTF8: isUTF8))
        case .bytea: return .bytes(bytes)
        case .uuid:
            guard bytes.count == 16 else { throw wrongCount(bytes, 16, type) }
            return .uuid(bytes)
        }
    }

    private static func bits(
        _ bytes: [UInt8], _ count: Int, _ type: KeyType
    ) throws(KeyProblem) -> UInt64 {
        guard bytes.count == count else { throw wrongCount(bytes, count, type) }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func wrongCount(
        _ bytes: [UInt8], _ count: Int, _ type: KeyType
    ) -> KeyProblem {
        KeyProblem("a binary \(type.rawValue) has \(count) bytes, this one \(bytes.count)")
    }

    // MARK: Numbers

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d) ~= byte }

    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        let front = bytes.drop(while: isSpace)
        let end = front.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? front.startIndex
        return front[..<end]
    }

    private static func integer(_ bytes: [UInt8], _ type: KeyType) throws(KeyProblem) -> Int64 {
        var digits = trimmed(bytes)
        let sign = digits.first
        if sign == 0x2d || sign == 0x2b { digits.removeFirst() }
        guard !digits.isEmpty, digits.allSatisfy({ $0 &- 0x30 < 10 }) else {
            throw KeyProblem("not a whole number in decimal digits")
        }
        var number: Int64 = 0
        for digit in digits {
            let (product, isLarge) = number.multipliedReportingOverflow(by: 10)
            let step = Int64(digit &- 0x30)
            let (sum, isLarger) =
                sign == 0x2d
                ? product.subtractingReportingOverflow(step)
                : product.addingReportingOverflow(step)
            guard !isLarge, !isLarger else { throw outOfRange(type) }
            number = sum
        }
        guard type.integerRange?.contains(number) == true else { throw outOfRange(type) }
        return number
    }

    private static func outOfRange(_ type: KeyType) -> KeyProblem {
        KeyProblem("out of range for \(type.rawValue)")
    }

    private static func oid(_ bytes: [UInt8]) throws(KeyProblem) -> UInt32 {
        let number = try integer(bytes, .bigint)
        guard let oid = UInt32(exactly: number) else { throw outOfRange(.oid) }
        return oid
    }

    /// Source: PostgreSQL, bool.c parse_bool_with_len.
    private static func boolean(_ bytes: [UInt8]) throws(KeyProblem) -> Bool {
        let word = String(decoding: trimmed(bytes), as: UTF8.self).lowercased()
        if !word.isEmpty {
            if "true".hasPrefix(word) || "yes".hasPrefix(word) { return true }
            if "false".hasPrefix(word) || "no".hasPrefix(word) { return false }
        }
        switch word {
        case "on", "1": return true
        case "of", "off", "0": return false
        default: throw KeyProblem("not a boolean")
        }
    }

    // MARK: Texts and bytes

    private static func characters(
        _ bytes: [UInt8], _ type: KeyType, isUTF8: Bool
    ) throws(KeyProblem) -> [UInt8] {
        guard !bytes.contains(0) else { throw KeyProblem("a text with a zero byte") }
        if bytes.contains(where: { $0 >= 0x80 }) {
            guard isUTF8 else {
                throw KeyProblem(
                    "a text that is not ASCII, from a client whose encoding is not UTF8",
                    hint: "SET client_encoding = 'UTF8'.")
            }
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw KeyProblem("not UTF-8")
            }
        }
        guard type != .varchar || bytes.last != 0x20 else {
            throw KeyProblem("a varchar that ends in blanks, which its column may cut off")
        }
        return bytes
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// Source: PostgreSQL, uuid.c string_to_uuid.
    private static func uuid(_ bytes: [UInt8]) throws(KeyProblem) -> [UInt8] {
        let problem = KeyProblem("not a uuid")
        var rest = bytes[...]
        let hasBraces = rest.first == 0x7b
        if hasBraces { rest.removeFirst() }
        var uuid: [UInt8] = []
        for index in 0..<16 {
            guard rest.count >= 2, let high = nibble(rest[rest.startIndex]),
                let low = nibble(rest[rest.startIndex + 1])
            else { throw problem }
            uuid.append(high << 4 | low)
            rest.removeFirst(2)
            if index % 2 == 1, index < 15, rest.first == 0x2d { rest.removeFirst() }
        }
        if hasBraces {
            guard rest.first == 0x7d else { throw problem }
            rest.removeFirst()
        }
        guard rest.isEmpty else { throw problem }
        return uuid
    }

    /// The hexadecimal form without blanks, and the escape form.
    private static func bytea(_ bytes: [UInt8]) throws(KeyProblem) -> [UInt8] {
        let problem = KeyProblem("not a bytea, such as \\x0102")
        var result: [UInt8] = []
        if bytes.starts(with: [0x5c, 0x78]) {
            let digits = bytes.dropFirst(2)
            guard digits.count % 2 == 0 else { throw problem }
            var offset = digits.startIndex
            while offset < digits.endIndex {
                guard let high = nibble(digits[offset]), let low = nibble(digits[offset + 1]) else {
                    throw problem
                }
                result.append(high << 4 | low)
                offset += 2
            }
            return result
        }
        var offset = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte < 0x80, byte != 0 else { throw problem }
            guard byte == 0x5c else {
                result.append(byte)
                offset += 1
                continue
            }
            if offset + 1 < bytes.count, bytes[offset + 1] == 0x5c {
                result.append(0x5c)
                offset += 2
                continue
            }
            let octal = bytes[(offset + 1)...].prefix(3)
            guard octal.count == 3, octal.allSatisfy({ (0x30...0x37) ~= $0 }),
                octal[offset + 1] <= 0x33
            else { throw problem }
            result.append(octal.reduce(0) { $0 << 3 | ($1 - 0x30) })
            offset += 4
        }
        return result
    }

    // MARK: Dates

    private static func isInfinity(_ bytes: [UInt8]) -> Bool? {
        switch bytes {
        case Array("infinity".utf8): true
        case Array("-infinity".utf8): false
        default: nil
        }
    }

    private static func date(_ bytes: [UInt8]) throws(KeyProblem) -> Int32 {
        if let isLast = isInfinity(bytes) { return isLast ? .max : .min }
        var reader = CalendarReader(bytes)
        guard let days = reader.date(), reader.isAtEnd else {
            throw KeyProblem(
                "not a date that is read alike everywhere", hint: "Write it as 2026-01-31.")
        }
        return days
    }

    private static func timestamp(
        _ bytes: [UInt8], hasZone: Bool
    ) throws(KeyProblem) -> Int64 {
        if let isLast = isInfinity(bytes) { return isLast ? .max : .min }
        let example = "2026-01-31 12:00:00" + (hasZone ? "+00" : "")
        let problem = KeyProblem(
            "not a time that is read alike everywhere"
                + (hasZone ? "; its distance from UTC must be in it" : ""),
            hint: "Write it as \(example).")
        var reader = CalendarReader(bytes)
        guard let days = reader.date(), reader.take(0x20, 0x54) != nil, let time = reader.time()
        else { throw problem }
        var zone: Int64 = 0
        if hasZone {
            guard let found = reader.zone() else { throw problem }
            zone = found
        }
        guard reader.isAtEnd else { throw problem }
        return Int64(days) * Calendar.microsecondsPerDay + time - zone
    }
}

extension KeyValue {
    /// The value of a Bind message's parameter, for a key of `type`; nil = NULL.
    ///
    /// `declared`: the parameter's type as Parse or the server's ParameterDescription said it,
    /// by its number in pg_type; 0 = it follows from the key.
    public static func read(
        parameter bytes: [UInt8]?, isBinary: Bool, declared: UInt32, as type: KeyType,
        isUTF8: Bool = true
    ) throws(KeyProblem) -> KeyValue? {
        guard let bytes else { return nil }
        let source = try sourceType(declared, of: type)
        return isBinary
            ? try read(binary: bytes, as: source, isUTF8: isUTF8)
            : try read(text: bytes, as: source, isUTF8: isUTF8)
    }

    /// The same for a value that stands in `range` of `bytes`; nil = NULL.
    static func read(
        parameter bytes: borrowing RawSpan, in range: Range<Int>?, isBinary: Bool,
        declared: UInt32, as type: KeyType
    ) throws(KeyProblem) -> KeyValue? {
        guard let range else { return nil }
        let source = try sourceType(declared, of: type)
        return isBinary
            ? try read(binary: bytes.extracting(range).array(), as: source)
            : try read(text: bytes, in: range, as: source)
    }

    /// How a parameter is read that is compared with a key of `type`.
    private static func sourceType(
        _ declared: UInt32, of type: KeyType
    ) throws(KeyProblem) -> KeyType {
        // 705 is "unknown", which PostgreSQL replaces as it does 0.
        let source = declared == 0 || declared == 705 ? type : KeyType(oid: declared)
        guard let source, type.isComparable(to: source) else {
            throw KeyProblem(
                "a parameter of another type (number \(declared) in pg_type) for a key of type "
                    + type.rawValue,
                hint: "Declare the parameter as \(type.rawValue).")
        }
        return source
    }
}
