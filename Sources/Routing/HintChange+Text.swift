internal import Bytes

// A SET of ours in the extended protocol: the server gets another text with the same answer, in
// which a comment says what is meant, because the statement may be executed later and elsewhere.

extension HintChange {
    /// Sets what holds nothing.
    private static let harmless = "SET pgweir.set = ''"

    var markedText: String {
        let scope = isLocal ? "local" : "session"
        let word: String
        let written: String
        switch value {
        case .shard(let name): (word, written) = ("shard", name)
        case .key(let key): (word, written) = ("key", key)
        case .startup: (word, written) = ("startup", "")
        }
        // In hexadecimal, so that nothing in it ends the comment.
        let letters = written.utf8.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "\(Self.harmless) /* \(scope) \(word) \(letters.joined()) */"
    }

    /// What `text` was put in the place of; nil = nothing of ours.
    init?(marked bytes: borrowing RawSpan, _ text: Range<Int>) {
        let start = Self.harmless.utf8.count
        guard text.count > start, bytes.uint8(at: text.lowerBound) == UInt8(ascii: "S") else {
            return nil
        }
        let whole = bytes.string(in: text)
        guard whole.hasPrefix(Self.harmless + " /* "), whole.hasSuffix(" */") else { return nil }
        let inside = whole.dropFirst(start + 4).dropLast(3)
        let parts = inside.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count >= 2 else { return nil }
        var letters = parts.count > 2 ? parts[2][...] : ""
        var written: [UInt8] = []
        while letters.count >= 2 {
            guard let byte = UInt8(letters.prefix(2), radix: 16) else { return nil }
            written.append(byte)
            letters = letters.dropFirst(2)
        }
        let value = String(decoding: written, as: UTF8.self)
        switch parts[1] {
        case "shard": self.init(.shard(value), isLocal: parts[0] == "local")
        case "key": self.init(.key(value), isLocal: parts[0] == "local")
        case "startup": self.init(.startup, isLocal: parts[0] == "local")
        default: return nil
        }
    }
}
