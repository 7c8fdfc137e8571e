import Bytes
import SQL
import Testing

@testable import Session

@Suite struct RenamedTextTests {
    /// The text with `name` replaced wherever it stands, and what is known of it then.
    private func renamed(_ text: String, _ name: String, as statement: UInt64) -> RenamedText {
        let bytes = Array(text.utf8)
        let uses = text.ranges(of: name).map { range in
            let start = text.utf8.distance(from: text.startIndex, to: range.lowerBound)
            return ResolvedNames.Use(
                kind: .execute, statement: statement, name: Array(name.utf8),
                range: start..<start + name.utf8.count, isOfThisText: false, facts: nil)
        }
        return bytes.withRawSpan { RenamedText(uses, in: 0..<bytes.count, of: $0) }
    }

    @Test(arguments: ["execute name; selec", "päöü name ß name; selec", "name name selec"])
    func `each place behind and before a name is the client's`(text: String) {
        let statement: UInt64 = 36 * 36
        let ours = ServerStatements.name(of: statement)
        let map = renamed(text, "name", as: statement)
        let server = Array(text.replacing("name", with: ours).unicodeScalars)
        let client = Array(text.unicodeScalars)
        var checked = 0
        for position in 1...server.count where server[position - 1] != "p" {
            let inOurs = position > 1 && ours.unicodeScalars.contains(server[position - 1])
            let there = map.clientPosition(position)
            #expect(there >= 1 && there <= client.count)
            if !inOurs { #expect(client[there - 1] == server[position - 1]) }
            checked += 1
        }
        #expect(checked > 10)
        // The last word is where it is.
        #expect(map.clientPosition(server.count - 4) == client.count - 4)
    }

    @Test func `only the place is changed in an error`() {
        let map = renamed("execute name; selec", "name", as: 7)
        let body = Array("SERROR\0P\(24 - 5)\0Mname\0\0".utf8)
        let changed = body.withRawSpan { map.inClientsText($0) }
        #expect(changed == Array("SERROR\0P15\0Mname\0\0".utf8))
        let plain = Array("SERROR\0Mname\0\0".utf8)
        #expect(plain.withRawSpan { map.inClientsText($0) } == nil)
    }
}
