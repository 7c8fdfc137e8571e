/// One thing wrong with a configuration, and where. Never contains a secret.
public struct ConfigurationProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// As the operator named it.
    public let file: String
    /// From 1; 1 also for what is missing from the whole file.
    public let line: Int
    /// nil = the file or section as a whole.
    public let key: String?
    public let message: String

    public init(file: String, line: Int, key: String?, message: String) {
        self.file = file
        self.line = line
        self.key = key
        self.message = message
    }

    /// "pgweir.toml:12: pool_szie: unknown key; did you mean pool_size?"
    public var description: String {
        let subject = key.map { "\($0): " } ?? ""
        return "\(file):\(line): \(subject)\(message)"
    }
}

/// Every problem of a configuration, in the order of the file; never empty.
public struct ConfigurationErrors: Error, Equatable, Sendable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    public init(problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    /// One problem per line.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
