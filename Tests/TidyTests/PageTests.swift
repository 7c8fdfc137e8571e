import Foundation
import Testing

@Suite struct PageTests {
    /// What Package.swift builds of Sources.
    private func modules() throws -> Set<String> {
        let text = try Repository.file("Package.swift").text
        let made = text.matches(of: /\+ module\(\s*"(\w+)"/).map { String($0.1) }
        let targets = text.matches(of: /\.(?:executableT|t)arget\(\s*name: "(\w+)"/)
            .map { String($0.1) }
        try #require(made.count > 5)
        return Set(made + targets).subtracting(["TestSupport", "micro"])
    }

    @Test func `the table in Docs/Architecture.md has the modules of Package.swift`() throws {
        let text = try Repository.file("Docs/Architecture.md").text
        let section = try #require(text.firstMatch(of: #/(?s)\n## Modules\n(.*?)\n## /#)).1
        let firstCells = section.matches(of: /\n\|([^|]*`[^|]*)\|/).map(\.1)
        let named = firstCells.flatMap { $0.matches(of: /`(\w+)`/).map { String($0.1) } }
        #expect(named.count == Set(named).count)
        #expect(try Set(named).subtracting(["Sources"]) == modules())
    }

    @Test func `every directory in Sources is a module`() throws {
        let path = Repository.root.appendingPathComponent("Sources").path
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(try Set(names) == modules())
    }

    @Test func `links between pages lead to files`() throws {
        var linkCount = 0
        for page in try Repository.pages() {
            let directory = (page.path as NSString).deletingLastPathComponent
            for link in page.text.matches(of: /\]\(([^)#\s]+)(?:#[^)]*)?\)/).map(\.1) {
                guard !link.contains(":") else { continue }
                linkCount += 1
                let path = (directory as NSString).appendingPathComponent(String(link))
                #expect(Repository.exists(path), "\(page.path) links to \(link)")
            }
        }
        #expect(linkCount > 10)
    }

    @Test func `files of ours that pages name exist`() throws {
        for page in try Repository.pages() {
            for path in page.text.matches(of: pathPattern).map({ String($0.1) }) {
                #expect(Repository.exists(path), "\(page.path) names \(path)")
            }
        }
    }

    private var pathPattern: Regex<(Substring, Substring)> {
        /`((?:Sources|Tests|Docs|Config|Benchmarks)(?:\/[\w+.\-]+)+)`/
    }
}
