/// What a line of the auth file has wrong.
public struct AuthFileError: Error, Equatable, Sendable {
    public enum Problem: Equatable, Sendable {
        /// A user or a secret begins with a double quote.
        case quoteExpected
        /// The line ended inside of quotes.
        case quoteUnclosed
        /// Between the user and the secret stands white space.
        case spaceExpected
        case userEmpty
        case userRepeated(String, firstLine: Int)
    }

    /// From 1.
    public let line: Int
    public let problem: Problem

    public init(line: Int, problem: Problem) {
        self.line = line
        self.problem = problem
    }
}

extension AuthFileError: CustomStringConvertible {
    public var description: String {
        let what =
            switch problem {
            case .quoteExpected: "expected \"user\" \"secret\""
            case .quoteUnclosed: "a double quote is not closed"
            case .spaceExpected: "expected a space after the closing quote"
            case .userEmpty: "the user name is empty"
            case .userRepeated(let user, let firstLine):
                "user \"\(user)\" is in line \(firstLine) already"
            }
        return "line \(line): \(what)"
    }
}

/// The file of users and their secrets. Source: PgBouncer's "Authentication file format".
public enum AuthFile {
    /// One `"user" "secret"` per line; `""` inside of quotes is one quote. What follows the secret
    /// is ignored, as are empty lines and lines that begin with `;` or `#`.
    public static func parse(_ text: String) throws(AuthFileError) -> [String: Secret] {
        var secrets: [String: Secret] = [:]
        var lines: [String: Int] = [:]
        var number = 0
        let all = Array(text.utf8)
        for bytes in all.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            var line = AuthFileLine(bytes: bytes, number: number)
            guard let (user, secret) = try line.parse() else { continue }
            if let firstLine = lines[user] {
                throw AuthFileError(
                    line: number, problem: .userRepeated(user, firstLine: firstLine))
            }
            lines[user] = number
            secrets[user] = Secret(stored: secret)
        }
        return secrets
    }
}

/// One line, read from its start to its end.
private struct AuthFileLine {
    private var left: ArraySlice<UInt8>
    private let number: Int

    init(bytes: ArraySlice<UInt8>, number: Int) {
        left = bytes
        self.number = number
    }

    /// nil when the line holds no user.
    mutating func parse() throws(AuthFileError) -> (user: String, secret: String)? {
        _ = skipSpaces()
        guard let first = left.first, first != UInt8(ascii: ";"), first != UInt8(ascii: "#")
        else { return nil }
        let user = try quoted()
        guard !user.isEmpty else { throw error(.userEmpty) }
        let hasSpace = skipSpaces()
        // `"user""secret"` is one name with a quote in it, so only other bytes come here.
        guard hasSpace || left.isEmpty else { throw error(.spaceExpected) }
        let secret = try quoted()
        guard skipSpaces() || left.isEmpty else { throw error(.spaceExpected) }
        return (user, secret)
    }

    /// Whether there was any.
    private mutating func skipSpaces() -> Bool {
        let rest = left.drop { $0 == UInt8(ascii: " ") || $0 == 9 || $0 == 13 }
        defer { left = rest }
        return rest.count < left.count
    }

    private mutating func quoted() throws(AuthFileError) -> String {
        let quote = UInt8(ascii: "\"")
        guard left.first == quote else { throw error(.quoteExpected) }
        left.removeFirst()
        var text: [UInt8] = []
        while let byte = left.popFirst() {
            if byte == quote {
                guard left.first == quote else { return String(decoding: text, as: UTF8.self) }
                left.removeFirst()
            }
            text.append(byte)
        }
        throw error(.quoteUnclosed)
    }

    private func error(_ problem: AuthFileError.Problem) -> AuthFileError {
        AuthFileError(line: number, problem: problem)
    }
}
