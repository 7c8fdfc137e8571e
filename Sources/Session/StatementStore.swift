public import Bytes
public import SQL

/// The facts of one statement's text, which is not plain.
public final class SharedFacts: Sendable {
    public let facts: StatementFacts
    /// Whether the text names statements: what a server gets instead depends on the client.
    var namesStatements: Bool { !facts.nameUses.isEmpty }

    public init(_ facts: StatementFacts) { self.facts = facts }
}

/// The texts of prepared statements, one copy for the whole process, counted by who uses them.
///
/// The machines call it by name only; the worker brings the one that all threads share.
public protocol StatementStore {
    /// The statement whose Parse body, without the name, is `definition`: the text, its NUL, and
    /// the parameter types. `isFromSQL`: it is what follows the name in a PREPARE, and a NUL; its
    /// number is odd then, else even. Adds one use. Never 0, never used for another text, nor for
    /// one that means something else: `reading` says how a server would read it now.
    func intern(
        _ definition: borrowing RawSpan, isFromSQL: Bool, reading: Reading
    ) -> InternedStatement
    /// What the text of `statement` means.
    func meaning(of statement: UInt64) -> StatementMeaning
    /// Adds one use.
    func retain(_ statement: UInt64)
    /// Ends one use; the last one forgets the text.
    func release(_ statement: UInt64)
    /// Appends the definition to `buffer`. The caller holds a use.
    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer)
    /// What its text says, as read with standard_conforming_strings on; nil = nothing to follow.
    func facts(of statement: UInt64) -> SharedFacts?
    /// What the query string of `text` in `range` says, if its like was read before with `names`.
    func rememberedFacts(
        of text: borrowing RawSpan, in range: Range<Int>, names: SuspectNames?
    ) -> ShortFacts?
    /// What it says: `StatementScanner.facts`.
    func facts(
        of text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool,
        names: SuspectNames?
    ) -> StatementFacts
    /// The one object that stands for all states equal to `state`.
    func canonical(_ state: ParameterState) -> ParameterState
}

extension StatementStore {
    public func facts(of statement: UInt64) -> SharedFacts? { nil }
    public func rememberedFacts(
        of text: borrowing RawSpan, in range: Range<Int>, names: SuspectNames?
    ) -> ShortFacts? { nil }
    public func facts(
        of text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool,
        names: SuspectNames?
    ) -> StatementFacts {
        StatementScanner.facts(
            of: text, in: range, standardConformingStrings: standardConformingStrings,
            names: names)
    }
    public func canonical(_ state: ParameterState) -> ParameterState { state }
}

/// Which statements one server has, under the names that we gave them.
public struct ServerStatements: Sendable {
    private var lastUse: [UInt64: UInt64] = [:]
    private var clock: UInt64 = 0
    /// Uses since are of the batch that is still open; none of those may be evicted.
    private var batchStart: UInt64 = 0
    /// Those whose Parse is not answered, and when it was sent.
    private var pending: [UInt64: UInt64] = [:]

    public init() {}

    public var count: Int { lastUse.count }
    public func contains(_ statement: UInt64) -> Bool { lastUse[statement] != nil }

    /// The server has, or will have once it reads what was sent, `statement`; or uses it again.
    public mutating func use(_ statement: UInt64) {
        clock += 1
        lastUse[statement] = clock
    }

    /// What gives the server `statement` is being sent.
    mutating func add(_ statement: UInt64) {
        use(statement)
        pending[statement] = clock
    }

    /// The server has said that it has `statement`.
    mutating func acknowledge(_ statement: UInt64) { pending[statement] = nil }

    /// Whether the server may yet skip what gives it `statement`, and what uses it not: that was
    /// sent before the last Sync and is not answered.
    func isInDoubt(_ statement: UInt64) -> Bool {
        guard !pending.isEmpty, let sent = pending[statement] else { return false }
        return sent <= batchStart
    }

    /// Whether `statement` is there; notes the use.
    public mutating func useIfThere(_ statement: UInt64) -> Bool {
        guard let index = lastUse.index(forKey: statement) else { return false }
        clock += 1
        lastUse.values[index] = clock
        return true
    }

    public mutating func remove(_ statement: UInt64) -> Bool {
        if !pending.isEmpty { pending[statement] = nil }
        return lastUse.removeValue(forKey: statement) != nil
    }

    /// A Sync was sent: the batch is over.
    public mutating func endBatch() { batchStart = clock }

    /// The least recently used statement if there are more than `max`; never one that the open
    /// batch may still need.
    public func victim(max: Int) -> UInt64? {
        guard lastUse.count > max else { return nil }
        guard let oldest = lastUse.min(by: { $0.value < $1.value }) else { return nil }
        return oldest.value <= batchStart ? oldest.key : nil
    }

    /// Forgets all and returns them.
    public mutating func removeAll() -> [UInt64] {
        let all = Array(lastUse.keys)
        lastUse.removeAll()
        pending.removeAll()
        return all
    }

    /// Whether PREPARE makes `statement`, and not Parse.
    static func isFromSQL(_ statement: UInt64) -> Bool { statement & 1 == 1 }

    /// The private name of `statement` on every server.
    public static func name(of statement: UInt64) -> String {
        prefix + String(statement, radix: 36)
    }

    /// Appends that name without making a text of it. Returns how many bytes it has.
    @discardableResult static func appendName(
        of statement: UInt64, to buffer: inout ByteBuffer
    ) -> Int {
        var digits = InlineArray<13, UInt8>(repeating: 0)
        var count = 0
        var rest = statement
        repeat {
            let digit = UInt8(rest % 36)
            digits[count] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
            rest /= 36
            count += 1
        } while rest > 0
        for byte in prefix.utf8 { buffer.append(byte) }
        for index in (0..<count).reversed() { buffer.append(digits[index]) }
        return prefix.utf8.count + count
    }

    private static let prefix = "pgweir_"

    /// `body` of an error with our names replaced by the client's; nil when none is in it.
    static func withClientNames(
        _ body: borrowing RawSpan, _ names: borrowing StatementNames,
        _ replaced: [UInt64: [UInt8]]
    ) -> [UInt8]? {
        var text: [UInt8] = []
        var copied = 0
        var offset = 0
        let letters = Array(prefix.utf8)
        while let start = body.firstOffset(of: letters[0], in: offset..<body.byteCount) {
            offset = start + 1
            guard start + letters.count <= body.byteCount,
                letters.equals(body.extracting(start..<start + letters.count))
            else { continue }
            var end = start + letters.count
            while end < body.byteCount, isDigit(body.uint8(at: end)) { end += 1 }
            let digits = body.string(in: start + letters.count..<end)
            guard let statement = UInt64(digits, radix: 36),
                let name = replaced[statement] ?? names.name(of: statement)
            else { continue }
            text += body.extracting(copied..<start).array() + name
            copied = end
            offset = end
        }
        guard copied > 0 else { return nil }
        return text + body.extracting(copied..<body.byteCount).array()
    }

    /// Of base 36, lower case.
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 || byte &- 0x61 < 26 }
}
