// The one place where bytes are loaded: integers in network order, strings, searches.
// Every function stops the process on an offset outside of the span; callers check lengths that
// came from a peer first, so that no peer can cause it.

#if canImport(Glibc)
    internal import Glibc
#endif

extension RawSpan {
    /// The byte at `offset`.
    @inlinable public func uint8(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount)
        // Safe: the load stays inside the span.
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The two bytes at `offset` as an integer, most significant first, as PostgreSQL sends them.
    @inlinable public func uint16BigEndian(at offset: Int) -> UInt16 {
        precondition(offset >= 0 && offset <= byteCount - 2)
        // Safe: the load stays inside the span, and every bit pattern is a valid UInt16.
        let raw = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self)
        return UInt16(bigEndian: raw)
    }

    /// The four bytes at `offset` as an integer, most significant first, as PostgreSQL sends them.
    @inlinable public func uint32BigEndian(at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= byteCount - 4)
        // Safe: the load stays inside the span, and every bit pattern is a valid UInt32.
        let raw = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
        return UInt32(bigEndian: raw)
    }

    /// Where `byte` stands first in `range`, or nil. O(range.count).
    public func firstOffset(of byte: UInt8, in range: Range<Int>) -> Int? {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
        guard !range.isEmpty else { return nil }
        // Safe: memchr reads `range.count` bytes, all of them inside the span.
        return unsafe withUnsafeBytes { all -> Int? in
            guard let base = all.baseAddress else { return nil }
            let start = unsafe base + range.lowerBound
            guard let found = unsafe memchr(start, Int32(byte), range.count) else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    /// The bytes of `range` as text; what is not UTF-8 becomes U+FFFD. Allocates.
    public func string(in range: Range<Int>) -> String {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
        // Safe: the string copies bytes that lie inside the span.
        return unsafe withUnsafeBytes { unsafe String(decoding: $0[range], as: UTF8.self) }
    }

    /// A copy of all bytes. Allocates.
    public func array() -> [UInt8] {
        // Safe: the array copies bytes that lie inside the span.
        unsafe withUnsafeBytes { unsafe Array($0) }
    }

    /// Whether both hold the same bytes. Not in constant time: not for secrets.
    public func equals(_ other: borrowing RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        guard byteCount > 0 else { return true }
        // Safe: memcmp reads byteCount bytes of each, and both are that long.
        return unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { theirs in
                guard let left = mine.baseAddress, let right = theirs.baseAddress else {
                    return true
                }
                return unsafe memcmp(left, right, mine.count) == 0
            }
        }
    }

    /// Whether `word`, which is in lower case, stands at `offset` in whatever case.
    @inlinable public func hasWord(_ word: String, at offset: Int) -> Bool {
        guard offset + word.utf8.count <= byteCount else { return false }
        var place = offset
        for letter in word.utf8 {
            let byte = uint8(at: place)
            let isSame = byte == letter || (letter &- 0x61 < 26 && byte | 0x20 == letter)
            guard isSame else { return false }
            place += 1
        }
        return true
    }

    /// A 64-bit hash of the bytes, eight at a time. For tables of ours, never for secrets; differs
    /// between machines.
    @inlinable public func hash64() -> UInt64 { hash64(in: 0..<byteCount) }

    /// `hash64` of the bytes of `range`.
    @inlinable public func hash64(in range: Range<Int>) -> UInt64 {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
        var hash = UInt64(truncatingIfNeeded: range.count) &* 0x9e37_79b9_7f4a_7c15
        var offset = range.lowerBound
        while offset &+ 8 <= range.upperBound {
            hash = (hash ^ uint64(unchecked: offset)) &* 0xff51_afd7_ed55_8ccd
            hash ^= hash >> 32
            offset &+= 8
        }
        if offset < range.upperBound {
            // The last eight again, or what there is.
            let rest =
                range.count >= 8 ? uint64(unchecked: range.upperBound &- 8) : few(in: range)
            hash = (hash ^ rest) &* 0xff51_afd7_ed55_8ccd
        }
        hash ^= hash >> 29
        hash = hash &* 0x9e37_79b9_7f4a_7c15
        return hash ^ (hash >> 32)
    }

    /// The eight bytes at `offset` as an integer, in the machine's order. The caller has checked
    /// that they are there.
    @inlinable func uint64(unchecked offset: Int) -> UInt64 {
        // Safe: see above; every bit pattern is a valid UInt64.
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    }

    /// The bytes of `range`, fewer than eight, as an integer; some may be in it twice. The caller
    /// has checked that they are there.
    @inlinable func few(in range: Range<Int>) -> UInt64 {
        let count = range.count
        guard count > 0 else { return 0 }
        if count >= 4 {
            // Safe: four bytes from the start and four up to the end are inside.
            let first = unsafe unsafeLoadUnaligned(
                fromUncheckedByteOffset: range.lowerBound, as: UInt32.self)
            let last = unsafe unsafeLoadUnaligned(
                fromUncheckedByteOffset: range.upperBound &- 4, as: UInt32.self)
            return UInt64(first) | UInt64(last) << 32
        }
        // Safe: the first byte, the last one and the one in the middle are inside.
        let first = unsafe unsafeLoad(
            fromUncheckedByteOffset: range.lowerBound, as: UInt8.self)
        let middle = unsafe unsafeLoad(
            fromUncheckedByteOffset: range.lowerBound &+ count / 2, as: UInt8.self)
        let last = unsafe unsafeLoad(
            fromUncheckedByteOffset: range.upperBound &- 1, as: UInt8.self)
        return UInt64(first) | UInt64(middle) << 8 | UInt64(last) << 16
    }

    /// Where the first digit or one of `$ % & '` stands in `range`, or nil. Eight at a time.
    public func firstDigitOrQuote(in range: Range<Int>) -> Int? {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
        var offset = range.lowerBound
        while offset &+ 8 <= range.upperBound {
            let found = Self.digitsAndQuotes(UInt64(littleEndian: uint64(unchecked: offset)))
            if found != 0 { return offset &+ found.trailingZeroBitCount / 8 }
            offset &+= 8
        }
        while offset < range.upperBound {
            if Self.digitsAndQuotes(UInt64(uint8(at: offset))) != 0 { return offset }
            offset &+= 1
        }
        return nil
    }

    /// The highest bit of each byte of `word` that is a digit or one of `$ % & '`.
    @inline(__always) private static func digitsAndQuotes(_ word: UInt64) -> UInt64 {
        let low: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
        // A byte is below n if adding 128 - n does not reach its highest bit.
        let digit = word ^ 0x3030_3030_3030_3030
        let noDigit = ((digit & low) &+ 0x7676_7676_7676_7676) | digit
        let quote = word ^ 0x2424_2424_2424_2424
        let noQuote = ((quote & low) &+ 0x7c7c_7c7c_7c7c_7c7c) | quote
        return ~(noDigit & noQuote) & 0x8080_8080_8080_8080
    }

    /// Whether the bytes of `other` in `range` stand here at `offset`.
    public func hasBytes(
        of other: borrowing RawSpan, in range: Range<Int>, at offset: Int
    ) -> Bool {
        precondition(offset >= 0 && offset <= byteCount - range.count)
        precondition(range.lowerBound >= 0 && range.upperBound <= other.byteCount)
        var place = 0
        while place &+ 8 <= range.count {
            let mine = uint64(unchecked: offset &+ place)
            guard mine == other.uint64(unchecked: range.lowerBound &+ place) else { return false }
            place &+= 8
        }
        guard place < range.count else { return true }
        if range.count >= 8 {
            // The last eight again.
            let mine = uint64(unchecked: offset &+ range.count &- 8)
            return mine == other.uint64(unchecked: range.upperBound &- 8)
        }
        return few(in: offset..<offset &+ range.count) == other.few(in: range)
    }

    /// Whether all bytes of `range` are below 0x80.
    public func isASCII(in range: Range<Int>) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
        var bits: UInt64 = 0
        var offset = range.lowerBound
        while offset &+ 8 <= range.upperBound {
            bits |= uint64(unchecked: offset)
            offset &+= 8
        }
        if offset < range.upperBound, range.count >= 8 {
            // The last eight again.
            bits |= uint64(unchecked: range.upperBound &- 8)
        } else {
            while offset < range.upperBound {
                bits |= UInt64(uint8(at: offset))
                offset &+= 1
            }
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }
}

extension [UInt8] {
    /// Calls `body` with the bytes as a span, which is valid for the call only.
    public func withRawSpan<Result, Failure: Error>(
        _ body: (borrowing RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Safe: the span is of this array's own storage, which outlives the call.
        let bytes = unsafe span.bytes
        return try body(bytes)
    }

    /// Whether `span` holds the same bytes.
    public func equals(_ other: borrowing RawSpan) -> Bool {
        count == other.byteCount && withRawSpan { $0.equals(other) }
    }

    /// `RawSpan.hash64()` of the bytes.
    public func hash64() -> UInt64 { withRawSpan { $0.hash64() } }
}
