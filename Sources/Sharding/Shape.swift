public import Bytes
public import SQL

/// Sets of bytes, a bit for each.
private enum ByteSet {
    /// Letters, digits, `_`, and what is not ASCII.
    @inline(__always) static func continuesWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || has(0x03ff_0000_0000_0000, 0x07ff_fffe_87ff_fffe, byte)
    }

    /// With these a word may begin.
    @inline(__always) static func startsWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || has(0, 0x07ff_fffe_87ff_fffe, byte)
    }

    @inline(__always) static func isSpace(_ byte: UInt8) -> Bool {
        has(0x0000_0001_0000_3e00, 0, byte)
    }

    /// Tokens by themselves, whatever follows: ! % ( ) * + ; < = > [ ]
    @inline(__always) static func isSign(_ byte: UInt8) -> Bool {
        has(0x7800_0f22_0000_0000, 0x0000_0000_2800_0000, byte)
    }

    @inline(__always) private static func has(
        _ low: UInt64, _ high: UInt64, _ byte: UInt8
    ) -> Bool {
        byte < 0x80 && (byte < 0x40 ? low : high) &>> UInt64(byte & 0x3f) & 1 != 0
    }
}

/// A query string without its literals and comments: what is planned once for all statements that
/// differ in literals only.
///
///     SELECT * FROM t WHERE k = 42 /* x */   ─▶   SELECT * FROM t WHERE k = ␀1
///
/// Two texts with equal `key` have the same tokens but for the values of literals. Holds its memory
/// from one text to the next: one per worker.
public struct Shape: ~Copyable {
    /// Longer statements are not planned: the parser recurses with their structure.
    public static let structureCountMax = 5000

    /// In the order of the text.
    public private(set) var literals: [Literal] = []
    /// Pieces of the text between two tokens in which comments stand.
    public private(set) var comments: [Range<Int>] = []
    /// The text without literals; each is a zero and its kind.
    public private(set) var key = ByteBuffer()
    /// Of `key`.
    public private(set) var hash: UInt64 = 0
    /// Tokens but for literals, parameters and commas: what nesting is made of.
    public private(set) var structureCount = 0
    /// A '…' with a backslash in it, which `standard_conforming_strings` decides about.
    public private(set) var hasPlainBackslash = false
    /// A quote or a comment does not end, or there is a zero.
    public private(set) var isBroken = false
    /// Whether there is any byte that is not ASCII.
    public private(set) var isASCII = true

    public init() {}

    /// Reads `text` in `range`, which is in UTF-8 or ASCII. One pass.
    public mutating func read(
        _ text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool = true
    ) {
        literals.removeAll(keepingCapacity: true)
        comments.removeAll(keepingCapacity: true)
        key.removeAll()
        structureCount = 0
        hasPlainBackslash = false
        isBroken = text.firstOffset(of: 0, in: range) != nil
        // What is not in the key yet starts here.
        var start = range.lowerBound
        /// Behind the last token.
        var end = range.lowerBound
        var offset = range.lowerBound
        while offset < range.upperBound {
            // Most of a text are words, spaces and signs, which need no more than a look.
            let byte = text.uint8(at: offset)
            if ByteSet.isSpace(byte) {
                offset += 1
                continue
            }
            if ByteSet.startsWord(byte) {
                if let wordEnd = Self.plainWordEnd(text, offset, range.upperBound) {
                    offset = wordEnd
                    end = offset
                    structureCount += 1
                    continue
                }
            } else if byte == UInt8(ascii: ",") || ByteSet.isSign(byte) {
                offset += 1
                end = offset
                if byte != UInt8(ascii: ",") { structureCount += 1 }
                continue
            }
            var lexer = Lexer(from: offset, standardConformingStrings: standardConformingStrings)
            guard let token = lexer.next(in: text, before: range.upperBound) else { break }
            offset = lexer.offset
            let gap = end..<token.range.lowerBound
            if gap.count > 1, Self.hasComment(text, gap) {
                comments.append(gap)
                key.append(text.extracting(start..<end))
                key.append(0x20)
                start = token.range.lowerBound
            }
            end = token.range.upperBound
            if token.isUnfinished { isBroken = true }
            guard let kind = kind(of: token, text) else { continue }
            literals.append(Literal(kind: kind, range: token.range))
            key.append(text.extracting(start..<token.range.lowerBound))
            key.append(0)
            key.append(kind.rawValue)
            start = end
        }
        key.append(text.extracting(start..<end))
        let rest = end..<range.upperBound
        if Self.hasComment(text, rest) {
            comments.append(rest)
            if !Self.isEnded(text, rest) { isBroken = true }
        }
        hash = key.bytes.hash64()
        isASCII = text.isASCII(in: range)
    }

    /// Whether it may be of a text that sets or shows a parameter of ours, however that is written:
    /// it names one, or calls set_config.
    var mayNameUs: Bool {
        let bytes = key.bytes
        for offset in 0..<max(0, bytes.byteCount - 5) {
            let next = bytes.uint8(at: offset + 1)
            switch bytes.uint8(at: offset) | 0x20 {
            case UInt8(ascii: "p") where next | 0x20 == UInt8(ascii: "g"):
                if bytes.hasWord("pgweir", at: offset) { return true }
            case UInt8(ascii: "s") where next | 0x20 == UInt8(ascii: "e"):
                if bytes.hasWord("set_config", at: offset) { return true }
            case UInt8(ascii: "&") where next == UInt8(ascii: "\""): return true
            default: continue
            }
        }
        return false
    }

    /// nil = not a literal. Counts what is neither that nor a comma.
    private mutating func kind(of token: Token, _ text: borrowing RawSpan) -> Literal.Kind? {
        switch token.kind {
        case .number:
            return Self.isWhole(text, token.range) ? .integer : .decimal
        case .dollarString:
            return .dollar
        case .string:
            switch text.uint8(at: token.range.lowerBound) | 0x20 {
            case UInt8(ascii: "e"): return .escape
            case UInt8(ascii: "n"): return .national
            case UInt8(ascii: "u"): return .unicode
            case UInt8(ascii: "b"): return .bits
            case UInt8(ascii: "x"): return .hexadecimal
            default:
                if text.firstOffset(of: UInt8(ascii: "\\"), in: token.range) != nil {
                    hasPlainBackslash = true
                }
                return .plain
            }
        case .comma, .parameter:
            return nil
        case .word, .quotedIdentifier, .semicolon, .openParenthesis, .closeParenthesis, .dot,
            .symbol:
            structureCount += 1
            return nil
        }
    }

    private static func isWhole(_ text: borrowing RawSpan, _ range: Range<Int>) -> Bool {
        for offset in range where text.uint8(at: offset) &- 0x30 >= 10 { return false }
        return true
    }

    /// The end of the word that begins at `offset`; nil = it may be the prefix of a quote.
    private static func plainWordEnd(
        _ text: borrowing RawSpan, _ offset: Int, _ end: Int
    ) -> Int? {
        var place = offset + 1
        while place < end, ByteSet.continuesWord(text.uint8(at: place)) { place += 1 }
        guard place < end else { return place }
        // E'…', U&"…"; and words that have a dollar in them.
        switch text.uint8(at: place) {
        case UInt8(ascii: "'"), UInt8(ascii: "&"), UInt8(ascii: "$"): return nil
        default: return place
        }
    }

    private static func hasComment(_ text: borrowing RawSpan, _ gap: Range<Int>) -> Bool {
        for offset in gap {
            let byte = text.uint8(at: offset)
            if byte != 0x20, byte &- 0x09 >= 5 { return true }
        }
        return false
    }

    /// Whether every comment in a gap at the end of a text is finished.
    private static func isEnded(_ text: borrowing RawSpan, _ gap: Range<Int>) -> Bool {
        var reader = CommentReader(text, in: gap)
        while reader.next(text) != nil {}
        return !reader.isUnfinished
    }
}

extension Literal {
    /// The text that the literal stands for, of `text`, the statement; nil = not read for certain.
    func content(in text: borrowing RawSpan) -> [UInt8]? {
        switch kind {
        case .integer, .decimal:
            return text.extracting(range).array()
        case .plain:
            return unquoted(text, from: range.lowerBound + 1, hasEscapes: false)
        case .escape:
            return unquoted(text, from: range.lowerBound + 2, hasEscapes: true)
        case .dollar:
            guard
                let tagEnd = text.firstOffset(
                    of: UInt8(ascii: "$"), in: range.lowerBound + 1..<range.upperBound)
            else { return nil }
            let tagCount = tagEnd - range.lowerBound + 1
            guard range.count >= 2 * tagCount else { return nil }
            return text.extracting(tagEnd + 1..<range.upperBound - tagCount).array()
        case .national, .unicode, .bits, .hexadecimal:
            return nil
        }
    }

    /// The inside of quotes. Strings continued on the next line are not read.
    private func unquoted(
        _ text: borrowing RawSpan, from start: Int, hasEscapes: Bool
    ) -> [UInt8]? {
        let end = range.upperBound - 1
        guard start <= end, text.uint8(at: end) == UInt8(ascii: "'") else { return nil }
        var content: [UInt8] = []
        content.reserveCapacity(end - start)
        var offset = start
        while offset < end {
            let byte = text.uint8(at: offset)
            if byte == UInt8(ascii: "'") {
                guard offset + 1 < end, text.uint8(at: offset + 1) == byte else { return nil }
                offset += 1
            } else if byte == UInt8(ascii: "\\"), hasEscapes {
                guard offset + 1 < end else { return nil }
                offset += 1
                let escaped = text.uint8(at: offset)
                guard escaped == UInt8(ascii: "\\") || escaped == UInt8(ascii: "'") else {
                    return nil
                }
                content.append(escaped)
                offset += 1
                continue
            }
            content.append(byte)
            offset += 1
        }
        return content
    }
}

/// Finds the comments in what stands between two tokens.
struct CommentReader {
    private(set) var isUnfinished = false
    private var offset: Int
    private let end: Int

    init(_ text: borrowing RawSpan, in gap: Range<Int>) {
        offset = gap.lowerBound
        end = gap.upperBound
    }

    /// The inside of the next comment in `/*` and `*/`; those behind `--` are passed over.
    mutating func next(_ text: borrowing RawSpan) -> Range<Int>? {
        while offset < end {
            switch text.uint8(at: offset) {
            case UInt8(ascii: "-"):
                while offset < end, text.uint8(at: offset) != 0x0a, text.uint8(at: offset) != 0x0d {
                    offset += 1
                }
            case UInt8(ascii: "/"):
                return block(text)
            default:
                offset += 1
            }
        }
        return nil
    }

    private mutating func block(_ text: borrowing RawSpan) -> Range<Int>? {
        let start = offset + 2
        var depth = 0
        while offset + 1 < end {
            let pair = (text.uint8(at: offset), text.uint8(at: offset + 1))
            if pair == (UInt8(ascii: "/"), UInt8(ascii: "*")) {
                depth += 1
                offset += 2
            } else if pair == (UInt8(ascii: "*"), UInt8(ascii: "/")) {
                depth -= 1
                offset += 2
                if depth == 0 { return start..<offset - 2 }
            } else {
                offset += 1
            }
        }
        offset = end
        isUnfinished = true
        return nil
    }
}
