internal import Bytes

/// Cuts SQL text into tokens; skips white space and comments.
///
/// Follows PostgreSQL's scanner (src/backend/parser/scan.l) in everything that decides where a
/// token ends: nested comments, dollar quotes, backslashes in E'' and, with
/// `standard_conforming_strings` off, in '' too, strings continued on the next line. Never fails:
/// what PostgreSQL would refuse becomes symbols, and an unfinished quote reaches to the end.
///
/// The text is in an encoding in which no byte below 0x80 is part of a longer character; that is
/// all of PostgreSQL's server encodings, and its client encodings but SJIS, BIG5, GBK, UHC, JOHAB,
/// SHIFT_JIS_2004 and GB18030.
public struct Lexer: Sendable {
    public private(set) var offset: Int
    private let hasBackslashes: Bool

    /// `standardConformingStrings`: the session's setting of that name.
    public init(from offset: Int = 0, standardConformingStrings: Bool = true) {
        self.offset = offset
        hasBackslashes = !standardConformingStrings
    }

    /// The next token of `text` before `end`, or nil.
    public mutating func next(in text: borrowing RawSpan, before end: Int) -> Token? {
        guard skipSpace(text, end) else { return nil }
        guard offset < end else { return nil }
        let start = offset
        let byte = text.uint8(at: start)
        if Self.startsWord(byte) { return word(text, end, byte) }
        offset += 1
        switch byte {
        case UInt8(ascii: "'"): return quoted(text, start, end, hasBackslashes)
        case UInt8(ascii: "\""): return identifier(text, start, end)
        case UInt8(ascii: "$"): return dollar(text, start, end)
        case UInt8(ascii: ";"): return Token(kind: .semicolon, range: start..<offset)
        case UInt8(ascii: ","): return Token(kind: .comma, range: start..<offset)
        case UInt8(ascii: "("): return Token(kind: .openParenthesis, range: start..<offset)
        case UInt8(ascii: ")"): return Token(kind: .closeParenthesis, range: start..<offset)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return number(text, start, end)
        case UInt8(ascii: "."):
            if offset < end, text.uint8(at: offset) == byte {
                offset += 1
                return Token(kind: .symbol, range: start..<offset)
            }
            if offset < end, Self.isDigit(text.uint8(at: offset)) {
                return number(text, start, end)
            }
            return Token(kind: .dot, range: start..<offset)
        default: return Token(kind: .symbol, range: start..<offset)
        }
    }

    // MARK: White space and comments

    /// Returns false when an unfinished comment reaches to the end.
    mutating func skipSpace(_ text: borrowing RawSpan, _ end: Int) -> Bool {
        while offset < end {
            switch text.uint8(at: offset) {
            case 0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d:
                offset += 1
            case UInt8(ascii: "-"):
                guard offset + 1 < end, text.uint8(at: offset + 1) == UInt8(ascii: "-") else {
                    return true
                }
                skipLine(text, end)
            case UInt8(ascii: "/"):
                guard offset + 1 < end, text.uint8(at: offset + 1) == UInt8(ascii: "*") else {
                    return true
                }
                guard skipComment(text, end) else { return false }
            default:
                return true
            }
        }
        return true
    }

    private mutating func skipLine(_ text: borrowing RawSpan, _ end: Int) {
        while offset < end {
            let byte = text.uint8(at: offset)
            if byte == 0x0a || byte == 0x0d { return }
            offset += 1
        }
    }

    private mutating func skipComment(_ text: borrowing RawSpan, _ end: Int) -> Bool {
        // Nearly always the first star ends it, and there is none inside of it.
        if let star = text.firstOffset(
            of: UInt8(ascii: "*"), in: offset + 2..<max(offset + 2, end)),
            star + 1 < end, text.uint8(at: star + 1) == UInt8(ascii: "/"),
            text.uint8(at: star - 1) != UInt8(ascii: "/")
        {
            offset = star + 2
            return true
        }
        var depth = 1
        var place = offset + 2
        while place < end {
            let byte = text.uint8(at: place)
            place &+= 1
            guard byte == UInt8(ascii: "/") || byte == UInt8(ascii: "*"), place < end else {
                continue
            }
            let following = text.uint8(at: place)
            if byte == UInt8(ascii: "/"), following == UInt8(ascii: "*") {
                depth += 1
                place &+= 1
            } else if byte == UInt8(ascii: "*"), following == UInt8(ascii: "/") {
                depth -= 1
                place &+= 1
                if depth == 0 {
                    offset = place
                    return true
                }
            }
        }
        offset = end
        return false
    }

    // MARK: Words

    private mutating func word(_ text: borrowing RawSpan, _ end: Int, _ first: UInt8) -> Token {
        let start = offset
        offset += 1
        if offset < end, let prefixed = prefixedQuote(text, start, end, first | 0x20) {
            return prefixed
        }
        while offset < end, Self.continuesWord(text.uint8(at: offset)) { offset += 1 }
        return Token(kind: .word, range: start..<offset)
    }

    /// E'…', N'…', B'…', X'…', U&'…', U&"…".
    private mutating func prefixedQuote(
        _ text: borrowing RawSpan, _ start: Int, _ end: Int, _ letter: UInt8
    ) -> Token? {
        let following = text.uint8(at: offset)
        switch letter {
        case UInt8(ascii: "e") where following == UInt8(ascii: "'"):
            offset += 1
            return quoted(text, start, end, true)
        case UInt8(ascii: "n") where following == UInt8(ascii: "'"):
            offset += 1
            return quoted(text, start, end, hasBackslashes)
        case UInt8(ascii: "b") where following == UInt8(ascii: "'"),
            UInt8(ascii: "x") where following == UInt8(ascii: "'"):
            offset += 1
            return quoted(text, start, end, false, doubling: false)
        case UInt8(ascii: "u") where following == UInt8(ascii: "&") && offset + 1 < end:
            let quote = text.uint8(at: offset + 1)
            if quote == UInt8(ascii: "'") {
                offset += 2
                return quoted(text, start, end, false)
            }
            if quote == UInt8(ascii: "\"") {
                offset += 2
                return identifier(text, start, end)
            }
            return nil
        default:
            return nil
        }
    }

    // MARK: Quotes

    /// `offset` is behind the opening quote. `doubling`: two quotes stand for one.
    private mutating func quoted(
        _ text: borrowing RawSpan, _ start: Int, _ end: Int, _ backslashes: Bool,
        doubling: Bool = true
    ) -> Token {
        while offset < end {
            let byte = text.uint8(at: offset)
            offset += 1
            if byte == UInt8(ascii: "\\"), backslashes {
                offset = min(end, offset + 1)
            } else if byte == UInt8(ascii: "'") {
                if doubling, offset < end, text.uint8(at: offset) == UInt8(ascii: "'") {
                    offset += 1
                } else if !continues(text, end) {
                    return Token(kind: .string, range: start..<offset)
                }
            }
        }
        return Token(kind: .string, range: start..<offset, isUnfinished: true)
    }

    /// A string goes on when white space with a line break and another quote follow. Then `offset`
    /// is moved behind that quote.
    private mutating func continues(_ text: borrowing RawSpan, _ end: Int) -> Bool {
        var place = offset
        var hasBreak = false
        while place < end {
            switch text.uint8(at: place) {
            case 0x0a, 0x0d:
                hasBreak = true
                place += 1
            case 0x20, 0x09, 0x0b, 0x0c:
                place += 1
            case UInt8(ascii: "-"):
                guard place + 1 < end, text.uint8(at: place + 1) == UInt8(ascii: "-") else {
                    return false
                }
                while place < end, text.uint8(at: place) != 0x0a, text.uint8(at: place) != 0x0d {
                    place += 1
                }
            case UInt8(ascii: "'") where hasBreak:
                offset = place + 1
                return true
            default:
                return false
            }
        }
        return false
    }

    /// `offset` is behind the opening quote.
    private mutating func identifier(
        _ text: borrowing RawSpan, _ start: Int, _ end: Int
    ) -> Token {
        while let quote = text.firstOffset(of: UInt8(ascii: "\""), in: offset..<end) {
            offset = quote + 1
            guard offset < end, text.uint8(at: offset) == UInt8(ascii: "\"") else {
                return Token(kind: .quotedIdentifier, range: start..<offset)
            }
            offset += 1
        }
        offset = end
        return Token(kind: .quotedIdentifier, range: start..<end, isUnfinished: true)
    }

    /// `offset` is behind the dollar: a parameter, a dollar quote, or a symbol.
    private mutating func dollar(_ text: borrowing RawSpan, _ start: Int, _ end: Int) -> Token {
        if offset < end, Self.isDigit(text.uint8(at: offset)) {
            while offset < end, Self.isDigit(text.uint8(at: offset)) { offset += 1 }
            return Token(kind: .parameter, range: start..<offset)
        }
        var place = offset
        if place < end, Self.startsWord(text.uint8(at: place)) {
            while place < end, Self.continuesTag(text.uint8(at: place)) { place += 1 }
        }
        guard place < end, text.uint8(at: place) == UInt8(ascii: "$") else {
            return Token(kind: .symbol, range: start..<offset)
        }
        let tag = start...place
        offset = place + 1
        while let dollar = text.firstOffset(of: UInt8(ascii: "$"), in: offset..<end) {
            if dollar + tag.count <= end, Self.isSame(text, tag, dollar) {
                offset = dollar + tag.count
                return Token(kind: .dollarString, range: start..<offset)
            }
            offset = dollar + 1
        }
        offset = end
        return Token(kind: .dollarString, range: start..<end, isUnfinished: true)
    }

    private static func isSame(
        _ text: borrowing RawSpan, _ tag: ClosedRange<Int>, _ place: Int
    ) -> Bool {
        for index in 0..<tag.count
        where text.uint8(at: tag.lowerBound + index) != text.uint8(at: place + index) {
            return false
        }
        return true
    }

    // MARK: Numbers

    /// Digits, at most one dot, and an exponent, as one token.
    private mutating func number(_ text: borrowing RawSpan, _ start: Int, _ end: Int) -> Token {
        var hasDot = text.uint8(at: start) == UInt8(ascii: ".")
        while offset < end {
            let byte = text.uint8(at: offset)
            if Self.isDigit(byte) || byte == UInt8(ascii: "_") {
                offset += 1
            } else if byte == UInt8(ascii: "."), !hasDot {
                // "1..10" is a range: two numbers.
                if offset + 1 < end, text.uint8(at: offset + 1) == byte { break }
                hasDot = true
                offset += 1
            } else if byte | 0x20 == UInt8(ascii: "e"), hasExponent(text, end) {
                offset += 2
                while offset < end, Self.isDigit(text.uint8(at: offset)) { offset += 1 }
                break
            } else {
                break
            }
        }
        return Token(kind: .number, range: start..<offset)
    }

    private func hasExponent(_ text: borrowing RawSpan, _ end: Int) -> Bool {
        guard offset + 1 < end else { return false }
        let following = text.uint8(at: offset + 1)
        if Self.isDigit(following) { return true }
        guard following == UInt8(ascii: "+") || following == UInt8(ascii: "-") else { return false }
        return offset + 2 < end && Self.isDigit(text.uint8(at: offset + 2))
    }

    // MARK: Letters

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    static func startsWord(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte == 0x5f || byte >= 0x80
    }

    /// Letters, digits, `_`, `$`, and what is not ASCII: a bit for each.
    static func continuesWord(_ byte: UInt8) -> Bool {
        let bits: UInt64 = byte < 0x40 ? 0x03ff_0010_0000_0000 : 0x07ff_fffe_87ff_fffe
        return byte >= 0x80 || bits &>> UInt64(byte & 0x3f) & 1 != 0
    }

    private static func continuesTag(_ byte: UInt8) -> Bool { startsWord(byte) || isDigit(byte) }
}
