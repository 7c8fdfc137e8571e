/// SCRAM messages: `letter=value` between commas. Source: RFC 5802, section 7.
enum ScramSyntax {
    static let clientFirstByteCountMax = 2048
    static let byteCountMax = 4096
    static let comma = UInt8(ascii: ",")
    static let equals = UInt8(ascii: "=")

    /// Letters that mean something; extensions may not use them.
    private static let reserved = Array("acreimnpsv".utf8)

    struct Attribute {
        let letter: UInt8
        let value: ArraySlice<UInt8>
    }

    static func checkLength(_ message: [UInt8], max: Int) throws(ScramError) {
        guard message.count <= max else {
            throw .messageTooLong(byteCount: message.count, max: max)
        }
    }

    /// The attributes of `message`: those of `opening` first, extensions behind them, which are
    /// checked and left out, and at the end that of `closing`.
    static func attributes(
        of message: ArraySlice<UInt8>, opening: [UInt8], closing: UInt8? = nil
    ) throws(ScramError) -> [Attribute] {
        var all: [Attribute] = []
        for part in message.split(separator: comma, omittingEmptySubsequences: false) {
            let attribute = try attribute(of: part)
            guard attribute.letter != UInt8(ascii: "m") else { throw .extensionUnsupported }
            guard !all.contains(where: { $0.letter == attribute.letter }) else {
                throw .attributeRepeated(Unicode.Scalar(attribute.letter))
            }
            all.append(attribute)
        }
        var named: [Attribute] = []
        for (index, letter) in opening.enumerated() {
            guard index < all.count, all[index].letter == letter else {
                throw .attributeExpected(Unicode.Scalar(letter))
            }
            named.append(all[index])
        }
        var extensions = all.dropFirst(opening.count)
        if let closing {
            guard let last = extensions.popLast(), last.letter == closing else {
                throw .attributeExpected(Unicode.Scalar(closing))
            }
            named.append(last)
        }
        for attribute in extensions where reserved.contains(attribute.letter) {
            throw .attributeMisplaced(Unicode.Scalar(attribute.letter))
        }
        // Only the user's name may be empty: PostgreSQL's clients send none.
        for attribute in all where attribute.value.isEmpty && attribute.letter != UInt8(ascii: "n")
        {
            throw .attributeEmpty(Unicode.Scalar(attribute.letter))
        }
        return named
    }

    private static func attribute(of part: ArraySlice<UInt8>) throws(ScramError) -> Attribute {
        guard part.count >= 2, let letter = part.first, part[part.startIndex + 1] == equals,
            isLetter(letter), !part.contains(0)
        else { throw .attributeMalformed }
        return Attribute(letter: letter, value: part.dropFirst(2))
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// Printable ASCII without commas, not empty.
    static func checkNonce(_ nonce: some Collection<UInt8>) throws(ScramError) {
        guard !nonce.isEmpty, nonce.allSatisfy({ (0x21...0x7E).contains($0) && $0 != comma })
        else { throw .nonceMalformed }
    }

    static func checkName(_ name: ArraySlice<UInt8>) throws(ScramError) {
        for offset in name.indices where name[offset] == equals {
            let escape = name[(offset + 1)...].prefix(2)
            guard escape.elementsEqual("2C".utf8) || escape.elementsEqual("3D".utf8) else {
                throw .nameMalformed
            }
        }
    }

    static func base64(_ attribute: Attribute) throws(ScramError) -> [UInt8] {
        guard let bytes = Base64.decode(attribute.value) else {
            throw .base64Expected(Unicode.Scalar(attribute.letter))
        }
        return bytes
    }

    /// Digits only, without a leading zero; nil for anything else or outside of `range`.
    static func decimal(_ text: some Collection<UInt8>, in range: ClosedRange<Int>) -> Int? {
        guard let first = text.first, first != UInt8(ascii: "0"), text.count <= 18 else {
            return nil
        }
        var number = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return range.contains(number) ? number : nil
    }
}
