import Foundation
import Testing

/// The files of this repository, as they lie in the working tree.
enum Repository {
    static let root: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A file and its text. `path` is relative to the root.
    struct File: Sendable {
        let path: String
        let text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    /// Files below `directory` with one of `endings`, by path.
    static func files(in directory: String, endings: [String]) throws -> [File] {
        let base = root.appendingPathComponent(directory)
        let names = try #require(FileManager.default.enumerator(atPath: base.path))
        return try names.compactMap { $0 as? String }.sorted().compactMap { name in
            guard endings.contains((name as NSString).pathExtension) else { return nil }
            return try file("\(directory)/\(name)")
        }
    }

    static func file(_ path: String) throws -> File {
        let url = root.appendingPathComponent(path)
        return File(path: path, text: try String(contentsOf: url, encoding: .utf8))
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    /// Our Swift: product, tests, benchmarks and the package description.
    static func swift() throws -> [File] {
        try ["Sources", "Tests", "Benchmarks"].flatMap { try files(in: $0, endings: ["swift"]) }
            + [file("Package.swift")]
    }

    /// Every page: those at the root and those in Docs.
    static func pages() throws -> [File] {
        let names = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
        return try names.filter { $0.hasSuffix(".md") }.map { try file($0) }
            + files(in: "Docs", endings: ["md"])
    }
}
