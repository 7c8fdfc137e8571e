import Testing

/// Docs/Walk.md names files, types and functions; all of them are there.
@Suite struct WalkTests {
    private let page: String
    private let sources: [Declarations]

    init() throws {
        page = try Repository.file("Docs/Walk.md").text
        sources = try Repository.files(in: "Sources", endings: ["swift"]).map(Declarations.init)
    }

    @Test func `what stands before a file is declared in that file`() throws {
        let found = page.matches(of: #/`(?:\w+\.)?(\w+)`(?:\*\*)?(?:,|\s\()\s*`(Sources/[^`]+)`/#)
        #expect(found.count > 10)
        for match in found {
            let file = sources.first { $0.path == match.2 }
            #expect(file?.contains(match.1) == true, "\(match.1) is not in \(match.2)")
        }
    }

    @Test func `every member belongs to its type`() {
        let found = page.matches(of: #/`([A-Z]\w+)\.(\w+)`/#)
        #expect(found.count > 20)
        for match in found {
            let isThere = sources.contains {
                $0.types.contains(String(match.1)) && $0.members.contains(String(match.2))
            }
            #expect(isThere, "\(match.1) has no \(match.2)")
        }
    }

    @Test func `every other name is declared somewhere`() {
        let found = page.matches(of: #/`\.?([A-Za-z]\w+)(?:\(\w+\))?`/#)
        #expect(found.count > 20)
        for match in found {
            #expect(sources.contains { $0.contains(match.1) }, "nothing is called \(match.1)")
        }
    }

    @Test func `every name in the picture is declared somewhere`() throws {
        let picture = try #require(page.firstMatch(of: #/(?s)\n    client socket(.*?)\n## /#)).1
        let found = picture.matches(of: #/\b(?:[A-Z]\w+\.)?([a-z]+[A-Z]\w+)\b/#)
        #expect(found.count > 5)
        for match in found {
            #expect(sources.contains { $0.contains(match.1) }, "nothing is called \(match.1)")
        }
    }
}

@Suite struct DeclarationsTests {
    private let found = Declarations(
        Repository.File(
            path: "A.swift",
            text: """
                // func commented() {}
                public struct Ring: ~Copyable {
                    private(set) var count = 0
                    mutating func take<A>(_ a: A) { let inner = 1 }
                    case idle, waiting(since: Instant)
                }
                extension Worker where Loop: ~Copyable {}
                """))

    @Test func `types, members and cases are found`() {
        #expect(found.types == ["Ring", "Worker"])
        #expect(found.members.isSuperset(of: ["count", "take", "inner", "idle", "waiting"]))
    }

    @Test func `comments and uses are not`() {
        #expect(!found.contains("commented"))
        #expect(!found.contains("Loop"))
    }
}
