internal import Foundation

/// Reads the file that the operator wrote.
///
/// Called at the start and at RELOAD. Opens the file, what it includes, and the file of users; of
/// certificates it only looks whether they can be read.
public enum ConfigurationFile {
    /// Reads `path`: TOML if it ends in ".toml", else PgBouncer's ini. Relative names in it start
    /// at its directory.
    public static func load(path: String) throws(ConfigurationErrors) -> LoadedConfiguration {
        try load(text: try text(of: path), name: path, directory: directory(of: path))
    }

    /// As `load(path:)`, with the text at hand; `name` tells the notation, and stands in errors.
    public static func load(
        text: String, name: String, directory: String
    ) throws(ConfigurationErrors) -> LoadedConfiguration {
        let format: Format = name.hasSuffix(".toml") ? .toml : .ini
        let result = try interpret(text, name: name, directory: directory, format)
        return LoadedConfiguration(
            warnings: result.warnings, draft: result.draft, format: format, directory: directory)
    }

    /// The same configuration as TOML; to be saved in the same directory. Loading it gives equal
    /// settings. Comments are lost, secrets of databases are in it.
    public static func convert(iniPath: String) throws(ConfigurationErrors) -> String {
        let directory = directory(of: iniPath)
        let result = try interpret(
            try text(of: iniPath), name: iniPath, directory: directory, .ini)
        return TOMLWriter.text(result.draft, warnings: result.warnings, directory: directory)
    }

    private static func interpret(
        _ text: String, name: String, directory: String, _ format: Format
    ) throws(ConfigurationErrors) -> Interpreter {
        // A byte order mark, as some editors write, would be part of the first key.
        let isMarked = text.unicodeScalars.first == "\u{FEFF}"
        let unmarked = isMarked ? String(text.unicodeScalars.dropFirst()) : text
        let lines = unmarked.replacing("\r\n", with: "\n")
        let parsed =
            switch format {
            case .toml: TOMLReader.read(text: lines, name: name)
            case .ini: INIReader.read(text: lines, name: name, directory: directory)
            }
        // What a text that cannot be cut into entries lacks is not known.
        if format == .toml, !parsed.problems.isEmpty, parsed.entries.isEmpty {
            throw ConfigurationErrors(problems: parsed.problems)
        }
        var interpreter = Interpreter(parsed, format: format, file: name, directory: directory)
        interpreter.finish()
        guard interpreter.problems.isEmpty else {
            throw ConfigurationErrors(problems: interpreter.problems)
        }
        return interpreter
    }

    private static func text(of path: String) throws(ConfigurationErrors) -> String {
        switch readText(path) {
        case .success(let text): return text
        case .failure(let complaint):
            let problem = ConfigurationProblem(
                file: path, line: 1, key: nil, message: complaint.message)
            throw ConfigurationErrors(problems: [problem])
        }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
