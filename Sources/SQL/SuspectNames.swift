internal import Bytes

/// What the use of something that a server keeps (a function, a table with a trigger) may leave
/// behind in the session.
public struct Leavings: Equatable, Sendable {
    public var suspicions: Suspicions = []
    public var parameters: [ParameterTouch] = []
    public var resetsAll = false

    public init() {}

    public init(_ facts: StatementFacts) {
        suspicions = facts.suspicions
        parameters = facts.parameters
        resetsAll = facts.resetsAll
    }

    public var isEmpty: Bool { suspicions.isEmpty && parameters.isEmpty && !resetsAll }

    /// Returns whether anything is new.
    @discardableResult public mutating func formUnion(_ other: Leavings) -> Bool {
        let before = (suspicions, parameters.count, resetsAll)
        suspicions.formUnion(other.suspicions)
        for parameter in other.parameters where !parameters.contains(parameter) {
            parameters.append(parameter)
        }
        resetsAll = resetsAll || other.resetsAll
        return before != (suspicions, parameters.count, resetsAll)
    }
}

/// Names of one database whose use may leave something behind that no text shows.
///
/// A text is compared identifier by identifier, without regard to case, quotes and schemas, so
/// that it may be suspected in vain and never missed. Never empty, never changed.
public final class SuspectNames: Sendable {
    /// What all of them together may leave.
    public let all: Leavings
    /// By name, in lower case, with quotes doubled.
    public let byName: [String: Leavings]
    /// Every text may use what has no name: an operator, a cast.
    public let includesUnnamed: Bool
    /// Open addressing, a power of two of them; -1 = free, else an index in `entries`.
    private let slots: [Int32]
    private let entries: [(name: [UInt8], leavings: Leavings)]
    /// Of names that are not ASCII: texts may come in other encodings than they did.
    private let foreign: Leavings?

    /// Longest identifier, in bytes. Source: PostgreSQL, NAMEDATALEN.
    private static let nameByteCountMax = 63

    /// nil when nothing is suspect. `unnamed`: what no name shows.
    public init?(_ byName: [String: Leavings], unnamed: Leavings = Leavings()) {
        guard !byName.isEmpty || !unnamed.isEmpty else { return nil }
        var all = unnamed
        var entries: [(name: [UInt8], leavings: Leavings)] = []
        var foreign: Leavings?
        for (name, leavings) in byName {
            all.formUnion(leavings)
            let bytes = Array(name.utf8)
            if bytes.contains(where: { $0 >= 0x80 }) {
                var more = foreign ?? Leavings()
                more.formUnion(leavings)
                foreign = more
            } else {
                entries.append((bytes, leavings))
            }
        }
        var slots: [Int32] = [-1, -1]
        while slots.count < entries.count * 2 { slots += slots }
        for (index, entry) in entries.enumerated() {
            var hash = Self.basis
            for byte in entry.name { hash = Self.mix(hash, byte) }
            var slot = Int(hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index)
        }
        self.all = all
        self.byName = byName
        includesUnnamed = !unnamed.isEmpty
        self.slots = slots
        self.entries = entries
        self.foreign = foreign
    }

    /// What the identifier that stands in `range`, without quotes, may leave.
    public func leavings(of range: Range<Int>, in text: borrowing RawSpan) -> Leavings? {
        let range = range.prefix(Self.nameByteCountMax)
        var hash = Self.basis
        for offset in range {
            let byte = text.uint8(at: offset)
            if byte >= 0x80 { return foreign }
            hash = Self.mix(hash, Self.fold(byte))
        }
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if isName(index, range, text) { return entries[index].leavings }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func isName(_ index: Int, _ range: Range<Int>, _ text: borrowing RawSpan) -> Bool {
        guard entries[index].name.count == range.count else { return false }
        for offset in range
        where entries[index].name[offset - range.lowerBound] != Self.fold(text.uint8(at: offset)) {
            return false
        }
        return true
    }

    // FNV-1a.
    private static let basis: UInt32 = 2_166_136_261

    private static func mix(_ hash: UInt32, _ byte: UInt8) -> UInt32 {
        (hash ^ UInt32(byte)) &* 16_777_619
    }

    private static func fold(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }
}
