import EventLoop
import Foundation
import Testing

@Suite struct AppendedFileTests {
    private let path = NSTemporaryDirectory() + "pgweir-appended-\(UUID().uuidString)"

    private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test func `lines are added behind what is there`() throws {
        defer { unlink(path) }
        try AppendedFile(path: path).append("one\n")
        let file = try AppendedFile(path: path)
        file.append("two\n")
        file.append("")
        file.append("three\n")
        #expect(try text() == "one\ntwo\nthree\n")
    }

    @Test func `a file that was renamed keeps its lines`() throws {
        let other = path + ".1"
        defer { unlink(other) }
        let file = try AppendedFile(path: path)
        try FileManager.default.moveItem(atPath: path, toPath: other)
        file.append("late\n")
        #expect(try String(contentsOfFile: other, encoding: .utf8) == "late\n")
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `what cannot be opened says which and why`() {
        #expect(throws: SocketError(call: "open /no/such/log", errno: ENOENT)) {
            try AppendedFile(path: "/no/such/log")
        }
    }

    @Test func `a full disk stops nobody`() throws {
        try AppendedFile(path: "/dev/full").append("lost\n")
    }

    private func unlink(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
