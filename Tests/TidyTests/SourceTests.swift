import Testing

@Suite struct SourceTests {
    private func check(
        _ rule: (Repository.File) -> [String], in files: [Repository.File],
        at place: SourceLocation = #_sourceLocation
    ) throws {
        try #require(files.count > 10, "the files were not found", sourceLocation: place)
        let broken = files.flatMap(rule)
        #expect(broken == [], sourceLocation: place)
    }

    private func sources() throws -> [Repository.File] {
        try Repository.files(in: "Sources", endings: ["swift"])
    }

    @Test func `raw memory is touched in Bytes, EventLoop, Grammar and TLS only`() throws {
        try check(SwiftRules.unsafeWords, in: sources())
    }

    @Test func `no line is longer than 100 columns`() throws {
        try check(SwiftRules.longLines, in: Repository.swift())
    }

    @Test func `no file is longer than 450 lines`() throws {
        try check(SwiftRules.tooLong, in: Repository.swift())
    }

    @Test func `no function is longer than 80 lines`() throws {
        try check(SwiftRules.longFunctions, in: sources())
    }

    @Test func `nothing is left to do in the sources and pages`() throws {
        let files =
            try Repository.files(in: "Sources", endings: ["swift", "c", "h"]) + Repository.pages()
        try check(SwiftRules.notesToOurselves, in: files)
    }

    @Test func `sources and pages name no path of one machine`() throws {
        let files =
            try Repository.files(in: "Sources", endings: ["swift", "c", "h"]) + Repository.pages()
        try check(SwiftRules.machinePaths, in: files)
    }
}
