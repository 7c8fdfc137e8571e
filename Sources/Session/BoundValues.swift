internal import Bytes

/// The values of a Bind message. Source: PostgreSQL documentation, "Message Formats", Bind.
public struct BoundValues: Sendable {
    /// Where each value stands; nil = NULL.
    private var ranges: [Range<Int>?] = []
    /// For each value, or for all, whether it is binary; none = all are text.
    private var formats: [Bool] = []

    /// `range` begins behind the statement's name; nil when it is malformed.
    public init?(_ bytes: borrowing RawSpan, in range: Range<Int>) {
        var offset = range.lowerBound
        guard let formatCount = Self.count(bytes, &offset, range.upperBound) else { return nil }
        guard offset + 2 * formatCount <= range.upperBound else { return nil }
        for index in 0..<formatCount {
            formats.append(bytes.uint16BigEndian(at: offset + 2 * index) == 1)
        }
        offset += 2 * formatCount
        guard let count = Self.count(bytes, &offset, range.upperBound) else { return nil }
        for _ in 0..<count {
            guard offset + 4 <= range.upperBound else { return nil }
            let length = Int(Int32(bitPattern: bytes.uint32BigEndian(at: offset)))
            offset += 4
            guard length >= 0 else {
                ranges.append(nil)
                continue
            }
            guard length <= range.upperBound - offset else { return nil }
            ranges.append(offset..<offset + length)
            offset += length
        }
    }

    /// One value alone, without a list of all: where that of parameter `number`, from 1 on, stands,
    /// and whether it is binary. nil = there is none, or the message is malformed.
    public static func find(
        _ number: Int, _ bytes: borrowing RawSpan, in range: Range<Int>
    ) -> (range: Range<Int>?, isBinary: Bool)? {
        var offset = range.lowerBound
        guard let formatCount = count(bytes, &offset, range.upperBound) else { return nil }
        let formats = offset
        offset += 2 * formatCount
        guard let count = count(bytes, &offset, range.upperBound), number >= 1, number <= count
        else { return nil }
        var found: Range<Int>?
        var current = 0
        while current < count {
            current &+= 1
            guard offset + 4 <= range.upperBound else { return nil }
            let length = Int(Int32(bitPattern: bytes.uint32BigEndian(at: offset)))
            offset += 4
            guard length >= 0 else { continue }
            guard length <= range.upperBound - offset else { return nil }
            if current == number { found = offset..<offset + length }
            offset += length
        }
        // None: all are text; one: it is for all.
        let format = formatCount == 1 ? 1 : number
        let isBinary =
            format <= formatCount && bytes.uint16BigEndian(at: formats + 2 * (format - 1)) == 1
        return (found, isBinary)
    }

    private static func count(
        _ bytes: borrowing RawSpan, _ offset: inout Int, _ end: Int
    ) -> Int? {
        guard offset + 2 <= end else { return nil }
        defer { offset += 2 }
        return Int(bytes.uint16BigEndian(at: offset))
    }

    public var count: Int { ranges.count }

    /// Where the value of the parameter `number`, from 1 on, stands; nil = NULL, or there is none.
    public func range(_ number: Int) -> Range<Int>? {
        number >= 1 && number <= ranges.count ? ranges[number - 1] : nil
    }

    public func isBinary(_ number: Int) -> Bool {
        formats.count == 1
            ? formats[0] : number >= 1 && number <= formats.count && formats[number - 1]
    }

    /// The value of the parameter `number`, from 1 on, as text: its binary form is the same.
    func text(_ number: Int, of bytes: borrowing RawSpan) -> String? {
        guard number >= 1, number <= ranges.count, let range = ranges[number - 1] else {
            return nil
        }
        return bytes.string(in: range)
    }
}
