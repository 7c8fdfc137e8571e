internal import Bytes

/// Reads a query string once and notes what a pooler must know of it.
///
/// It looks for what stays in the server's session behind the transaction: parameters, locks,
/// temporary objects, cursors, channels, prepared statements. When in doubt it suspects, which
/// costs a question to the server, never a wrong answer.
public struct StatementScanner: ~Copyable {
    public private(set) var facts = StatementFacts()
    var lexer: Lexer
    let end: Int
    /// The token that was looked at and not used.
    private var peeked: Token?
    /// CREATE TABLE … AS EXECUTE name is the one place where EXECUTE does not come first.
    private var isInCreate = false
    /// Whether what stands in quotes is code that runs.
    private var readsQuotes = false
    /// CREATE, ALTER: what it names may make more names suspect.
    private(set) var isDefinition = false
    /// Names whose use leaves something; nil = none.
    let names: SuspectNames?
    /// What one of them is called with may be names of parameters.
    var takesParameters = false
    var literals: [String] = []
    /// Whether what stands in quotes, or a number, has decided anything.
    var readsLiterals = false

    /// The facts of `text` in `range`. `names`: those of its database that leave something.
    public static func facts(
        of text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool = true,
        names: SuspectNames? = nil
    ) -> StatementFacts {
        read(
            text, in: range, standardConformingStrings: standardConformingStrings, names: names
        ).facts
    }

    /// The same, and whether it holds for every text that differs in literals only.
    static func read(
        _ text: borrowing RawSpan, in range: Range<Int>, standardConformingStrings: Bool,
        names: SuspectNames?
    ) -> (facts: StatementFacts, holdsForLike: Bool) {
        var scanner = StatementScanner(range, standardConformingStrings, names)
        scanner.scan(text)
        var facts = StatementFacts()
        swap(&facts, &scanner.facts)
        let dependsOnLiterals = scanner.readsLiterals || scanner.takesParameters
        return (facts, !dependsOnLiterals && !facts.hasDetails)
    }

    init(
        _ range: Range<Int>, _ standardConformingStrings: Bool, _ names: SuspectNames?
    ) {
        self.names = names
        lexer = Lexer(
            from: range.lowerBound, standardConformingStrings: standardConformingStrings)
        end = range.upperBound
    }

    private mutating func scan(_ text: borrowing RawSpan) {
        if let names, names.includesUnnamed { add(names.all) }
        while let first = next(text) {
            if first.kind == .semicolon { continue }
            facts.statementCount += 1
            isInCreate = false
            isDefinition = false
            readsQuotes = false
            if first.kind == .word { begin(text, first) }
            finish(text)
        }
        if takesParameters { touchLiterals() }
    }

    mutating func next(_ text: borrowing RawSpan) -> Token? {
        if let token = peeked {
            peeked = nil
            return token
        }
        return read(text)
    }

    mutating func peek(_ text: borrowing RawSpan) -> Token? {
        if peeked == nil { peeked = read(text) }
        return peeked
    }

    /// Every token comes by here once, whoever looks at it.
    @inline(__always) private mutating func read(_ text: borrowing RawSpan) -> Token? {
        let token = lexer.next(in: text, before: end)
        if let names, let token { compare(token, with: names, text) }
        return token
    }

    /// Goes on behind the next token if it is `word`.
    mutating func take(_ word: String, _ text: borrowing RawSpan) -> Bool {
        guard let token = peek(text), isWord(token, word, text) else { return false }
        peeked = nil
        return true
    }

    func isWord(_ token: Token, _ word: String, _ text: borrowing RawSpan) -> Bool {
        token.kind == .word && token.range.count == word.utf8.count
            && text.hasWord(word, at: token.range.lowerBound)
    }

    // MARK: The first word

    /// `first` is the statement's first word; reads as much of the statement as it decides.
    private mutating func begin(_ text: borrowing RawSpan, _ first: Token) {
        switch text.uint8(at: first.range.lowerBound) | 0x20 {
        case UInt8(ascii: "a"):
            if isWord(first, "abort", text) { rollback(text) }
            if isWord(first, "alter", text) { alter(text) }
        case UInt8(ascii: "b"):
            if isWord(first, "begin", text) { facts.block = .opens }
        case UInt8(ascii: "c"):
            beginWithC(text, first)
        case UInt8(ascii: "d"):
            beginWithD(text, first)
        case UInt8(ascii: "e"):
            beginWithE(text, first)
        case UInt8(ascii: "i"):
            if isWord(first, "insert", text) { facts.suspicions.insert(.sequenceWrites) }
        case UInt8(ascii: "l"):
            if isWord(first, "listen", text) { facts.suspicions.insert(.channels) }
            if isWord(first, "load", text) { facts.suspicions.insert(.libraries) }
        case UInt8(ascii: "p"):
            if isWord(first, "prepare", text) { prepare(text) }
        case UInt8(ascii: "r"):
            if isWord(first, "rollback", text) { rollback(text) }
            if isWord(first, "reset", text) { reset(text) }
        case UInt8(ascii: "s"):
            if isWord(first, "set", text) { set(text) }
            if isWord(first, "start", text) { facts.block = .opens }
        case UInt8(ascii: "u"):
            if isWord(first, "unlisten", text) { unlisten(text) }
        default:
            break
        }
    }

    private mutating func beginWithC(_ text: borrowing RawSpan, _ first: Token) {
        if isWord(first, "commit", text) { return endBlock(text) }
        if isWord(first, "close", text) { facts.suspicions.insert(.removals) }
        if isWord(first, "call", text) { facts.suspicions.formUnion(.anything) }
        if isWord(first, "create", text) { create(text) }
    }

    private mutating func beginWithD(_ text: borrowing RawSpan, _ first: Token) {
        if isWord(first, "do", text) {
            facts.suspicions.formUnion(.anything)
            readsQuotes = true
        }
        if isWord(first, "drop", text) {
            facts.suspicions.insert(.removals)
            if take("database", text) { dropDatabase(text) }
        }
        if isWord(first, "deallocate", text) { deallocate(text) }
        if isWord(first, "discard", text) { discard(text) }
        if isWord(first, "declare", text) { declare(text) }
    }

    private mutating func beginWithE(_ text: borrowing RawSpan, _ first: Token) {
        if isWord(first, "end", text) { return endBlock(text) }
        if isWord(first, "execute", text) { return execute(text) }
        if isWord(first, "explain", text) { explain(text) }
    }

    // MARK: The rest

    /// Reads up to the statement's end; functions and names matter wherever they stand.
    private mutating func finish(_ text: borrowing RawSpan) {
        while let token = next(text) {
            switch token.kind {
            case .semicolon: return
            case .word, .quotedIdentifier: note(token, text)
            case .string, .dollarString: if readsQuotes { readCode(in: token, text) }
            default: break
            }
        }
    }

    /// A body of code: of its words, those count that would count outside of it.
    mutating func readCode(in token: Token, _ text: borrowing RawSpan) {
        readsLiterals = true
        var quote = token.range.lowerBound
        while quote < token.range.upperBound, Lexer.startsWord(text.uint8(at: quote)) { quote += 1 }
        var start = quote + 1
        if token.kind == .dollarString {
            while start < token.range.upperBound, text.uint8(at: start) != UInt8(ascii: "$") {
                start += 1
            }
            start += 1
        }
        guard start < token.range.upperBound else { return }
        var inner = StatementScanner(start..<token.range.upperBound, true, names)
        inner.readsQuotes = true
        while let word = inner.next(text) {
            switch word.kind {
            case .word where inner.isWord(word, "set", text): inner.set(text)
            case .word where inner.isWord(word, "reset", text): inner.reset(text)
            case .word where inner.isWord(word, "create", text): inner.define(text)
            case .word where inner.isWord(word, "alter", text): inner.define(text)
            case .word, .quotedIdentifier: inner.note(word, text)
            case .string, .dollarString: inner.readCode(in: word, text)
            default: break
            }
        }
        facts.suspicions.formUnion(inner.facts.suspicions)
        facts.parameters += inner.facts.parameters
        if !inner.facts.localParameters.isEmpty {
            facts.localParameters += inner.facts.localParameters
        }
        if !inner.facts.boundNames.isEmpty { facts.suspicions.insert(.anyParameter) }
    }

    mutating func note(_ token: Token, _ text: borrowing RawSpan) {
        let quote = token.kind == .quotedIdentifier ? 1 : 0
        let name =
            token.range.lowerBound
            + quote..<max(
                token.range.lowerBound + quote, token.range.upperBound - quote)
        guard name.count >= 4 else {
            if isInCreate, has("as", text, name), take("execute", text) { execute(text) }
            return
        }
        switch text.uint8(at: name.lowerBound) | 0x20 {
        case UInt8(ascii: "c"):
            if has("currval", text, name) { facts.suspicions.insert(.sequenceReads) }
        case UInt8(ascii: "i"):
            if has("into", text, name) { into(text) }
            if has("insert", text, name) { facts.suspicions.insert(.sequenceWrites) }
        case UInt8(ascii: "l"):
            if has("lastval", text, name) { facts.suspicions.insert(.sequenceReads) }
        case UInt8(ascii: "n"):
            if has("nextval", text, name) { facts.suspicions.insert(.sequenceWrites) }
        case UInt8(ascii: "p"):
            notePG(text, name)
        case UInt8(ascii: "s"):
            if has("set_config", text, name) { setConfig(text) }
            if has("setseed", text, name) { facts.suspicions.insert(.seed) }
            if has("setval", text, name) { facts.suspicions.insert(.sequenceWrites) }
        default:
            break
        }
    }

    /// Names that begin with "pg_".
    private mutating func notePG(_ text: borrowing RawSpan, _ name: Range<Int>) {
        if has("pg_temp", text, name) { facts.suspicions.insert(.temporaryObjects) }
        if has("pg_settings", text, name) { facts.suspicions.insert(.anyParameter) }
        // Whoever looks must see its own, as who takes some away must have them.
        if has("pg_listening_channels", text, name) {
            facts.suspicions.formUnion([.channels, .removals])
        }
        if begins("pg_advisory_unlock", text, name) {
            facts.suspicions.formUnion([.advisoryLocks, .removals])
        } else if begins("pg_advisory_lock", text, name)
            || begins("pg_try_advisory_lock", text, name)
        {
            facts.suspicions.insert(.advisoryLocks)
        }
    }

    private func has(_ word: String, _ text: borrowing RawSpan, _ name: Range<Int>) -> Bool {
        name.count == word.utf8.count && text.hasWord(word, at: name.lowerBound)
    }

    private func begins(_ word: String, _ text: borrowing RawSpan, _ name: Range<Int>) -> Bool {
        name.count >= word.utf8.count && text.hasWord(word, at: name.lowerBound)
    }

    private mutating func into(_ text: borrowing RawSpan) {
        if take("temp", text) || take("temporary", text) {
            facts.suspicions.insert(.temporaryObjects)
        }
    }

    // MARK: Noting

    mutating func suspect(_ suspicions: Suspicions) { facts.suspicions.formUnion(suspicions) }

    mutating func touch(_ name: String, isReset: Bool = false) {
        if name == "seed" { return suspect(.seed) }
        facts.parameters.append(ParameterTouch(name, isReset: isReset))
        facts.suspicions.insert(.parameters)
    }

    mutating func touchBound(_ number: Int) {
        facts.boundNames.append(number)
        facts.suspicions.insert(.parameters)
    }

    /// `names` are set until the transaction ends.
    mutating func touchLocally(_ names: [String]) {
        facts.localParameters += names
        facts.suspicions.insert(.localReadings)
    }

    mutating func touchBoundLocally(_ number: Int) {
        facts.boundLocalNames.append(number)
        facts.suspicions.insert(.localReadings)
    }

    mutating func use(_ use: NameUse) { facts.nameUses.append(use) }

    mutating func claim(_ database: String) {
        facts.databases.append(database)
        facts.suspicions.insert(.wholeDatabases)
    }

    mutating func noteBlock(_ effect: BlockEffect) { facts.block = effect }
    mutating func noteRemoval(_ removal: ChannelRemoval) { facts.channelRemovals.append(removal) }
    mutating func noteCreate() { isInCreate = true }
    mutating func noteDefinition() { isDefinition = true }
    /// What stands behind a name of the text may leave this.
    mutating func add(_ leavings: Leavings) {
        facts.suspicions.formUnion(leavings.suspicions)
        for parameter in leavings.parameters where !facts.parameters.contains(parameter) {
            facts.parameters.append(parameter)
        }
        if leavings.resetsAll { facts.resetsAll = true }
        if leavings.suspicions.contains(.anyParameter) { takesParameters = true }
    }

    mutating func noteResetAll() { facts.resetsAll = true }
}
