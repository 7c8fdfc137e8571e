import Testing

/// The rules find what breaks them; a rule that finds nothing would keep nothing tidy.
@Suite struct SwiftRulesTests {
    private func file(_ text: String, at path: String = "Sources/Wire/A.swift") -> Repository.File {
        Repository.File(path: path, text: text)
    }

    @Test(arguments: [
        "let a = unsafe b", "func f(_ p: UnsafeRawPointer) {}", "try withUnsafeBytes(of: &a) {}",
        "final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1",
    ])
    func `raw memory is found outside of its modules`(_ line: String) {
        #expect(SwiftRules.unsafeWords(file("\n" + line)) == ["Sources/Wire/A.swift:2: \(line)"])
        #expect(SwiftRules.unsafeWords(file(line, at: "Sources/Bytes/A.swift")) == [])
    }

    @Test func `a comment may speak of what is unsafe`() {
        #expect(SwiftRules.unsafeWords(file("    // This is not unsafe.")) == [])
    }

    @Test func `a line may have 100 columns, whatever their bytes`() {
        #expect(SwiftRules.longLines(file(String(repeating: "ä", count: 100))) == [])
        let long = SwiftRules.longLines(file("\n" + String(repeating: "a", count: 101)))
        #expect(long == ["Sources/Wire/A.swift:2: 101 columns"])
    }

    @Test func `a file may have 450 lines`() {
        #expect(SwiftRules.tooLong(file(String(repeating: "\n", count: 450))) == [])
        #expect(SwiftRules.tooLong(file(String(repeating: "\n", count: 451))).count == 1)
    }

    @Test(arguments: [
        "    public static func f() {\n", "    func f(\n        _ a: Int\n    ) throws {\n",
        "    init?(a: Int) {\n", "    @discardableResult mutating func f<A>(a: A) -> A {\n",
    ])
    func `a function may have 80 lines`(_ start: String) {
        let lineCount = start.split(separator: "\n").count + 1
        let body = { String(repeating: "        if a {}\n", count: $0 - lineCount) + "    }\n" }
        #expect(SwiftRules.longFunctions(file(start + body(80))) == [])
        #expect(SwiftRules.longFunctions(file(start + body(81))).count == 1)
    }

    @Test func `functions of one line and requirements of protocols are not long`() {
        let short = "    func f() { g() }\n    func g() -> Int\n"
        #expect(SwiftRules.longFunctions(file(short + String(repeating: "\n", count: 99))) == [])
    }

    @Test(arguments: ["// TODO: later", "// FIXME", "// XXX why", "// placeholder", "Placeholder"])
    func `notes to ourselves are found`(_ line: String) {
        #expect(SwiftRules.notesToOurselves(file(line)).count == 1)
    }

    @Test(arguments: ["see /work/x", "cd /root", "\"/tmp/pgweir-demo\"", "`/home/me/x`"])
    func `paths of one machine are found`(_ line: String) {
        #expect(SwiftRules.machinePaths(file(line)).count == 1)
    }

    @Test(arguments: ["unix_socket_dir = \"/tmp\"", "a/work", "Docs/root", "https://x.org/work"])
    func `paths of every machine are not`(_ line: String) {
        #expect(SwiftRules.machinePaths(file(line)) == [])
    }
}
