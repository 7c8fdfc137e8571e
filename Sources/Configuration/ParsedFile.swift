/// Where something was said.
struct Position: Sendable, Equatable {
    let file: String
    let line: Int

    func problem(_ key: String?, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(file: file, line: line, key: key, message: message)
    }
}

/// One `key = value`.
struct Entry: Sendable {
    let section: Section
    /// The database or user; "" in the other sections.
    let owner: String
    let key: String
    let value: WrittenValue
    let position: Position
}

/// A file cut into entries, whatever its notation; no key has been looked at yet.
struct ParsedFile: Sendable {
    var entries: [Entry] = []
    /// Databases and users, also those without any key.
    var owners: [(section: Section, name: String, position: Position)] = []
    var problems: [ConfigurationProblem] = []
    var warnings: [ConfigurationProblem] = []
}
