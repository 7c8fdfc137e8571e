internal import Bytes

/// Query strings that differ in their literals and comments only, recognised without reading their
/// tokens: what stands between is compared, and only what may differ is read.
///
///     select * from t where k = │42│ and s = │'a'│ limit 1 │/* x */│
///     └───── compared ─────────┘    └ compared ┘   …
///
/// Cutting the text into tokens would give the same tokens but for the values of the literals: a
/// literal begins with a digit or a quote in both, and no token before it looks further ahead.
/// Texts with a byte that is not ASCII, or with a backslash in a literal, are not recognised, so
/// that nothing depends on `client_encoding` or `standard_conforming_strings`.
///
/// Patterns are numbered as they come, from 0. There are at most `countMax`; the next one makes
/// this forget all others, and is 0.
public struct TextPatterns: ~Copyable {
    /// Longest text that makes a pattern, and most literals and comments in it.
    public static let byteCountMax = 4096
    public static let literalCountMax = 64
    public static let commentCountMax = 8
    /// Most patterns of texts that begin alike; of more, those that came first stay.
    private static let chainCountMax = 16

    /// What stands behind a piece of fixed text.
    private enum Variable: UInt8 {
        case integer, decimal, plain
        /// White space with a comment in it.
        case comment
        case end
    }

    private struct Piece {
        /// Of the fixed text in front of `variable`.
        let byteCount: Int32
        let variable: Variable
    }

    private struct Pattern {
        /// Of what all its texts begin with.
        let hash: UInt64
        /// The next one in its slot; -1 = none.
        let next: Int32
        /// In `pieces` and `fixed`.
        let firstPiece: Int32
        let firstByte: Int32
    }

    public let countMax: Int
    private var patterns: [Pattern] = []
    private var pieces: [Piece] = []
    private var fixed = ByteBuffer()
    /// The last pattern of each slot, by hash; -1 = none. A power of two of them.
    private var slots: [Int32]
    /// Of the text that was recognised last, in its order; `literalCount` of them hold.
    public private(set) var literals: [Literal]
    public private(set) var literalCount = 0
    /// The same: what stands between two tokens where the pattern has a comment.
    public private(set) var comments: [Range<Int>]
    public private(set) var commentCount = 0

    public init(countMax: Int = 10_000) {
        self.countMax = countMax
        var count = 64
        while count < countMax { count *= 2 }
        slots = Array(repeating: -1, count: count)
        literals = Array(
            repeating: Literal(kind: .integer, range: 0..<0), count: Self.literalCountMax)
        comments = Array(repeating: 0..<0, count: Self.commentCountMax)
    }

    public var count: Int { patterns.count }

    // MARK: Recognising

    /// The number of the pattern that `text` in `range` has; nil = none that is known.
    public mutating func find(_ text: borrowing RawSpan, in range: Range<Int>) -> Int? {
        guard range.count <= Self.byteCountMax else { return nil }
        let hash = Self.hash(text, range)
        var candidate = Int(slots[slot(of: hash)])
        while candidate >= 0 {
            let pattern = patterns[candidate]
            if pattern.hash == hash, has(pattern, text, range) { return candidate }
            candidate = Int(pattern.next)
        }
        return nil
    }

    private func slot(of hash: UInt64) -> Int { Int(hash & UInt64(slots.count - 1)) }

    private mutating func has(
        _ pattern: Pattern, _ text: borrowing RawSpan, _ range: Range<Int>
    ) -> Bool {
        literalCount = 0
        commentCount = 0
        var offset = range.lowerBound
        var start = Int(pattern.firstByte)
        var index = Int(pattern.firstPiece)
        while true {
            let piece = pieces[index]
            let count = Int(piece.byteCount)
            guard count <= range.upperBound - offset,
                text.hasBytes(of: fixed.bytes, in: start..<start + count, at: offset)
            else { return false }
            offset += count
            start += count
            index += 1
            let end: Int?
            switch piece.variable {
            case .end:
                return offset == range.upperBound
            case .integer:
                end = Self.integerEnd(text, offset, range.upperBound)
                if let end { note(.integer, offset..<end) }
            case .decimal:
                end = Self.decimalEnd(text, offset, range.upperBound)
                if let end { note(.decimal, offset..<end) }
            case .plain:
                end = Self.plainEnd(text, offset, range.upperBound)
                if let end { note(.plain, offset..<end) }
            case .comment:
                end = Self.gapEnd(text, offset, range.upperBound)
                if let end {
                    comments[commentCount] = offset..<end
                    commentCount += 1
                }
            }
            guard let end else { return false }
            offset = end
        }
    }

    @inline(__always) private mutating func note(_ kind: Literal.Kind, _ range: Range<Int>) {
        literals[literalCount] = Literal(kind: kind, range: range)
        literalCount += 1
    }

    /// Of the number that begins at `offset`, if it is nothing but digits.
    private static func integerEnd(
        _ text: borrowing RawSpan, _ offset: Int, _ end: Int
    ) -> Int? {
        var place = offset
        while place < end, Lexer.isDigit(text.uint8(at: place)) { place += 1 }
        guard place > offset else { return nil }
        guard place < end else { return place }
        switch text.uint8(at: place) {
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "e"), UInt8(ascii: "E"):
            var lexer = Lexer(from: offset)
            return lexer.next(in: text, before: end)?.range.upperBound == place ? place : nil
        default:
            return place
        }
    }

    /// Of the number that begins with a digit at `offset`, if there is more to it.
    private static func decimalEnd(
        _ text: borrowing RawSpan, _ offset: Int, _ end: Int
    ) -> Int? {
        guard offset < end, Lexer.isDigit(text.uint8(at: offset)) else { return nil }
        var lexer = Lexer(from: offset)
        guard let token = lexer.next(in: text, before: end), !isWhole(token.range, text) else {
            return nil
        }
        return token.range.upperBound
    }

    private static func isWhole(_ range: Range<Int>, _ text: borrowing RawSpan) -> Bool {
        for offset in range where !Lexer.isDigit(text.uint8(at: offset)) { return false }
        return true
    }

    /// Of the string that begins with a quote at `offset`, if it is read the same by everybody.
    private static func plainEnd(_ text: borrowing RawSpan, _ offset: Int, _ end: Int) -> Int? {
        guard offset < end, text.uint8(at: offset) == UInt8(ascii: "'") else { return nil }
        // Most are short, and have nothing in them that matters.
        var place = offset &+ 1
        let near = min(end, offset &+ shortByteCount)
        while place < near {
            let byte = text.uint8(at: place)
            if byte == UInt8(ascii: "'") {
                if mayGoOn(text, place &+ 1, end) { break }
                return place &+ 1
            }
            if byte >= 0x80 || byte == UInt8(ascii: "\\") { return nil }
            place &+= 1
        }
        return longEnd(text, offset, end)
    }

    private static let shortByteCount = 24

    /// The same for any.
    private static func longEnd(_ text: borrowing RawSpan, _ offset: Int, _ end: Int) -> Int? {
        guard let quote = text.firstOffset(of: UInt8(ascii: "'"), in: offset + 1..<end) else {
            return nil
        }
        var place = quote + 1
        if mayGoOn(text, place, end) {
            var lexer = Lexer(from: offset)
            guard let token = lexer.next(in: text, before: end), !token.isUnfinished else {
                return nil
            }
            place = token.range.upperBound
        }
        let range = offset..<place
        guard text.isASCII(in: range), text.firstOffset(of: UInt8(ascii: "\\"), in: range) == nil
        else { return nil }
        return place
    }

    /// Whether a string whose closing quote stands before `place` may not end there.
    private static func mayGoOn(_ text: borrowing RawSpan, _ place: Int, _ end: Int) -> Bool {
        guard place < end else { return false }
        switch text.uint8(at: place) {
        case UInt8(ascii: "'"), UInt8(ascii: "-"), 0x09...0x0d: return true
        case 0x20: return place + 1 < end && !Lexer.startsWord(text.uint8(at: place + 1))
        default: return false
        }
    }

    /// Of white space and comments, of which there must be some.
    private static func gapEnd(_ text: borrowing RawSpan, _ offset: Int, _ end: Int) -> Int? {
        var lexer = Lexer(from: offset)
        guard lexer.skipSpace(text, end), lexer.offset > offset,
            text.isASCII(in: offset..<lexer.offset)
        else { return nil }
        return lexer.offset
    }

    // MARK: What texts begin with

    /// The hash of `text` up to its first literal, parameter or quote at most. Equal for all texts
    /// of a pattern; a comment in front of them does not count.
    private static func hash(_ text: borrowing RawSpan, _ range: Range<Int>) -> UInt64 {
        var start = range.lowerBound
        if start < range.upperBound, !Lexer.startsWord(text.uint8(at: start)) {
            var lexer = Lexer(from: start)
            _ = lexer.skipSpace(text, range.upperBound)
            start = lexer.offset
        }
        var from = start
        while let place = text.firstDigitOrQuote(in: from..<range.upperBound) {
            // A digit or a dollar in the midst of a word.
            guard place > start, Lexer.continuesWord(text.uint8(at: place - 1)),
                text.uint8(at: place) != UInt8(ascii: "'")
            else { return text.hash64(in: start..<place) }
            from = place + 1
            while from < range.upperBound, Lexer.continuesWord(text.uint8(at: from)) { from += 1 }
        }
        return text.hash64(in: start..<range.upperBound)
    }

    // MARK: Learning

    /// Makes a pattern of `text` in `range`, which none has so far. Returns its number; nil = it
    /// has what patterns do not know, or too many others begin alike.
    public mutating func add(_ text: borrowing RawSpan, in range: Range<Int>) -> Int? {
        guard range.count <= Self.byteCountMax, text.isASCII(in: range),
            text.firstOffset(of: 0, in: range) == nil
        else { return nil }
        if patterns.count >= countMax { removeAll() }
        let hash = Self.hash(text, range)
        var length = 0
        var other = Int(slots[slot(of: hash)])
        while other >= 0 {
            length += 1
            other = Int(patterns[other].next)
        }
        guard length < Self.chainCountMax else { return nil }
        let firstPiece = pieces.count
        let firstByte = fixed.count
        guard cut(text, range) else {
            pieces.removeSubrange(firstPiece...)
            fixed.truncate(to: firstByte)
            return nil
        }
        let number = patterns.count
        patterns.append(
            Pattern(
                hash: hash, next: slots[slot(of: hash)], firstPiece: Int32(firstPiece),
                firstByte: Int32(firstByte)))
        slots[slot(of: hash)] = Int32(number)
        return number
    }

    private mutating func removeAll() {
        patterns.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        fixed.removeAll()
        for index in slots.indices { slots[index] = -1 }
    }

    /// Appends the pieces of `text`; false = it cannot be a pattern.
    private mutating func cut(_ text: borrowing RawSpan, _ range: Range<Int>) -> Bool {
        var lexer = Lexer(from: range.lowerBound)
        // Behind the last token, and where the fixed text begins that is not a piece yet.
        var end = range.lowerBound
        var start = range.lowerBound
        var count = 0
        var gapCount = 0
        while true {
            guard lexer.skipSpace(text, range.upperBound) else { return false }
            if Self.hasComment(text, end..<lexer.offset) {
                gapCount += 1
                guard gapCount <= Self.commentCountMax else { return false }
                // "- --" and "---" are not the same.
                guard end == range.lowerBound || !Self.opensComment(text.uint8(at: end - 1)) else {
                    return false
                }
                append(text, start..<end, .comment)
                start = lexer.offset
            }
            guard let token = lexer.next(in: text, before: range.upperBound) else { break }
            end = token.range.upperBound
            guard !token.isUnfinished else { return false }
            let first = text.uint8(at: token.range.lowerBound)
            let variable: Variable
            switch token.kind {
            case .number where Lexer.isDigit(first):
                variable = Self.isWhole(token.range, text) ? .integer : .decimal
            case .string where first == UInt8(ascii: "'"):
                guard text.firstOffset(of: UInt8(ascii: "\\"), in: token.range) == nil else {
                    return false
                }
                variable = .plain
            case .number, .string, .dollarString:
                return false
            case .word, .quotedIdentifier, .parameter, .semicolon, .comma, .openParenthesis,
                .closeParenthesis, .dot, .symbol:
                continue
            }
            count += 1
            guard count <= Self.literalCountMax else { return false }
            append(text, start..<token.range.lowerBound, variable)
            start = end
        }
        append(text, start..<range.upperBound, .end)
        return true
    }

    private mutating func append(
        _ text: borrowing RawSpan, _ range: Range<Int>, _ variable: Variable
    ) {
        pieces.append(Piece(byteCount: Int32(range.count), variable: variable))
        fixed.append(text.extracting(range))
    }

    private static func opensComment(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/")
    }

    private static func hasComment(_ text: borrowing RawSpan, _ gap: Range<Int>) -> Bool {
        for offset in gap where opensComment(text.uint8(at: offset)) { return true }
        return false
    }
}
