/// One query to the console, read. Names keep their case; what is a word of ours has none.
enum Command: Equatable {
    /// Nothing but blanks and a semicolon.
    case empty
    /// `SHOW what`, in lower case.
    case show(String)
    /// `SHOW ROUTE …`; nil = the rest was not understood.
    case route(RouteQuestion?)
    /// `SET key = value`; the key in lower case.
    case set(key: String, value: String)
    case run(Verb, argument: String?)
    /// None of the above: the text as it came.
    case invalid(String)

    /// `FOR 'statement' [IN database]`.
    struct RouteQuestion: Equatable {
        let statement: String
        let database: String?
    }

    enum Verb: String, CaseIterable {
        case pause = "PAUSE"
        case resume = "RESUME"
        case kill = "KILL"
        case killClient = "KILL_CLIENT"
        case reconnect = "RECONNECT"
        case disable = "DISABLE"
        case enable = "ENABLE"
        case waitClose = "WAIT_CLOSE"
        case reload = "RELOAD"
        case shutdown = "SHUTDOWN"
    }

    /// Longest name and value that are taken, in bytes. Statements are as long as a query.
    static let wordByteCountMax = 255

    init(_ text: String) {
        self = Command.read(text) ?? .invalid(text)
    }

    private static func read(_ text: String) -> Command? {
        var reader = CommandReader(text)
        guard !reader.isAtEnd else { return .empty }
        guard let name = reader.word()?.uppercased() else { return nil }
        switch name {
        case "SHOW", "SELECT":
            guard let what = reader.name() else { return nil }
            if what.lowercased() == "route" { return .route(reader.routeQuestion()) }
            guard reader.isAtEnd else { return nil }
            return .show(what.lowercased())
        case "SET":
            guard let key = reader.word(), reader.equalsOrTo() else { return nil }
            guard let value = reader.value(), reader.isAtEnd else { return nil }
            return .set(key: key.lowercased(), value: value)
        default:
            guard let verb = Verb(rawValue: name) else { return nil }
            if reader.isAtEnd { return .run(verb, argument: nil) }
            guard let argument = reader.name(), reader.isAtEnd else { return nil }
            return .run(verb, argument: argument)
        }
    }
}

/// Takes one piece after the other off a command.
struct CommandReader {
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    /// Whether only blanks and at most one semicolon are left.
    var isAtEnd: Bool {
        var left = rest.drop(while: \.isWhitespace)
        if left.first == ";" { left = left.dropFirst() }
        return left.allSatisfy(\.isWhitespace)
    }

    /// Letters, digits and underscores; nil when there are none, or too many.
    mutating func word() -> String? {
        take { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "_" }
    }

    /// A name in double quotes, in which two stand for one, or anything up to a blank.
    mutating func name() -> String? {
        skipBlanks()
        if rest.first == "\"" { return quoted("\"", byteCountMax: Command.wordByteCountMax) }
        return take { !$0.isWhitespace && $0 != ";" && $0 != "\"" && $0 != "'" }
    }

    /// A value in single quotes, or as `name`.
    mutating func value() -> String? {
        skipBlanks()
        return rest.first == "'" ? quoted("'", byteCountMax: Command.wordByteCountMax) : name()
    }

    /// What follows SHOW ROUTE, to the end.
    mutating func routeQuestion() -> Command.RouteQuestion? {
        guard word()?.uppercased() == "FOR" else { return nil }
        skipBlanks()
        guard rest.first == "'", let statement = quoted("'", byteCountMax: .max) else { return nil }
        if isAtEnd { return Command.RouteQuestion(statement: statement, database: nil) }
        guard word()?.uppercased() == "IN", let database = name(), isAtEnd else { return nil }
        return Command.RouteQuestion(statement: statement, database: database)
    }

    /// The sign between the key and the value of SET.
    mutating func equalsOrTo() -> Bool {
        skipBlanks()
        if rest.first == "=" {
            rest = rest.dropFirst()
            return true
        }
        return word()?.uppercased() == "TO"
    }

    private mutating func skipBlanks() { rest = rest.drop(while: \.isWhitespace) }

    private mutating func take(while belongs: (Character) -> Bool) -> String? {
        skipBlanks()
        let found = rest.prefix(while: belongs)
        guard !found.isEmpty, found.utf8.count <= Command.wordByteCountMax else { return nil }
        rest = rest[found.endIndex...]
        return String(found)
    }

    private mutating func quoted(_ mark: Character, byteCountMax: Int) -> String? {
        var text = ""
        var left = rest.dropFirst()
        while let next = left.popFirst() {
            if next != mark {
                text.append(next)
            } else if left.first == mark {
                text.append(mark)
                left = left.dropFirst()
            } else {
                guard text.utf8.count <= byteCountMax else { return nil }
                rest = left
                return text
            }
        }
        return nil
    }
}
