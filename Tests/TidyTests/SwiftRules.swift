import Foundation

/// What a program can check of a source file. Each function returns what breaks its rule.
enum SwiftRules {
    static let columnsMax = 100
    static let fileLinesMax = 450
    static let functionLinesMax = 80
    /// Where raw memory may be touched.
    static let unsafeDirectories = [
        "Sources/Bytes/", "Sources/EventLoop/", "Sources/Grammar/", "Sources/TLS/",
    ]

    static func unsafeWords(_ file: Repository.File) -> [String] {
        guard !unsafeDirectories.contains(where: file.path.hasPrefix) else { return [] }
        return places(in: file, of: /^(?!\s*\/\/).*(?:\bunsafe\b|[uU]nsafe[A-Z]|@unchecked)/)
    }

    static func longLines(_ file: Repository.File) -> [String] {
        zip(1..., file.lines).filter { $1.count > columnsMax }
            .map { "\(file.path):\($0): \($1.count) columns" }
    }

    static func tooLong(_ file: Repository.File) -> [String] {
        let count = file.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        return count > fileLinesMax ? ["\(file.path): \(count) lines"] : []
    }

    /// A function ends at the next `}` that stands as far from the left as its first line.
    static func longFunctions(_ file: Repository.File) -> [String] {
        let lines = file.lines
        let start = /^( *)(?:[@\w()]+ )*(?:func |init[(?<]).*[({]$/
        return lines.indices.compactMap { index in
            guard let found = lines[index].wholeMatch(of: start) else { return nil }
            let end = lines[index...].firstIndex { $0 == found.1 + "}" } ?? index
            let count = end - index + 1
            return count > functionLinesMax ? "\(file.path):\(index + 1): \(count) lines" : nil
        }
    }

    static func notesToOurselves(_ file: Repository.File) -> [String] {
        places(in: file, of: /\b(?:TODO|FIXME|XXX)\b|\b[Pp]laceholder\b/)
    }

    /// Paths that exist on one machine only.
    static func machinePaths(_ file: Repository.File) -> [String] {
        places(in: file, of: /(?:^|[^\w.\/\-])\/(?:work|root|home|tmp\/pgweir)\b/)
    }

    private static func places(
        in file: Repository.File, of pattern: some RegexComponent
    ) -> [String] {
        zip(1..., file.lines).filter { $1.contains(pattern) }
            .map { "\(file.path):\($0): \($1.trimmingCharacters(in: .whitespaces))" }
    }
}
