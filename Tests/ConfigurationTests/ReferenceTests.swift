import Foundation
import Testing

@testable import Configuration

@Suite struct ReferenceTests {
    /// PGWEIR_WRITE_DOCS=1 rewrites the page instead.
    @Test func `Docs/Configuration.md has the tables of keys as they are`() throws {
        let path = packageDirectory + "/Docs/Configuration.md"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let begin = try #require(text.range(of: "<!-- keys: begin -->\n"))
        let end = try #require(text.range(of: "<!-- keys: end -->"))
        let expected = Reference.markdown()
        if ProcessInfo.processInfo.environment["PGWEIR_WRITE_DOCS"] == "1" {
            let page = text[..<begin.upperBound] + expected + text[end.lowerBound...]
            try String(page).write(toFile: path, atomically: true, encoding: .utf8)
            return
        }
        #expect(text[begin.upperBound..<end.lowerBound] == expected)
    }

    @Test func `no key stands twice in its section`() {
        let names = SettingKey.all.map { "\($0.section) \($0.name)" }
        #expect(names.count == Set(names).count)
    }

    @Test func `defaults read back as they are shown`() throws {
        let place = Place(directory: "/tmp")
        for key in SettingKey.all {
            guard case .draft(let slot) = key.landing else { continue }
            for format in key.formats {
                var draft = Draft(format)
                let value = try #require(slot.show(draft))
                try slot.read(.bare(value.console), place, &draft)
                #expect(draft == Draft(format), "\(key.name)")
            }
        }
    }
}
