import Configuration
import Foundation
import Testing

/// A directory of its own for the files of one test, gone afterwards.
final class Directory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "pgweir-configuration-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try write("users.txt", "\"app\" \"geheim\"\n")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path + "/" + name, atomically: true, encoding: .utf8)
    }

    func load(_ name: String, _ text: String) throws -> LoadedConfiguration {
        try ConfigurationFile.load(text: text, name: name, directory: path)
    }

    /// A valid TOML file with `text` behind `[pgweir]`, from line 3.
    func toml(_ text: String) throws -> LoadedConfiguration {
        try load("t.toml", "[pgweir]\nauth_file = \"users.txt\"\n" + text)
    }

    /// A valid ini file with `text` behind `[pgbouncer]`, from line 4.
    func ini(_ text: String) throws -> LoadedConfiguration {
        try load("t.ini", "[pgbouncer]\nlisten_addr = *\nauth_file = users.txt\n" + text)
    }

    /// The problems, one description each.
    func problems(_ load: () throws -> LoadedConfiguration) -> [String] {
        do {
            _ = try load()
            return []
        } catch let errors as ConfigurationErrors {
            return errors.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }
}

/// The root of the package, from the place of this file.
let packageDirectory = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(3).joined(separator: "/")
