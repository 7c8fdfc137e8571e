import Authentication
import Bytes
import Testing

@Suite struct ScramHostilePeerTests {
    private static let secret = ScramSecret(password: "pencil", salt: [1, 2, 3], iterations: 1)

    private var server: ScramServer {
        ScramServer(secret: Self.secret, serverNonce: "SERVER", isMock: false)
    }
    private var client: ScramClient { ScramClient(password: "pencil", clientNonce: "CLIENT") }

    // client-first

    @Test(arguments: [
        ("", ScramError.gs2HeaderExpected), ("n", .gs2HeaderExpected), ("n,", .gs2HeaderExpected),
        ("n,,", .attributeMalformed), ("n=a,r=b", .gs2HeaderExpected),
        ("x,,n=,r=a", .gs2HeaderExpected), ("N,,n=,r=a", .gs2HeaderExpected),
        ("n,a=me,n=,r=a", .gs2HeaderExpected),
        ("p=tls-server-end-point,,n=,r=a", .channelBindingUnsupported),
        ("n,,n=", .attributeExpected("r")), ("n,,r=a", .attributeExpected("n")),
        ("n,,r=a,n=", .attributeExpected("n")), ("n,,n=,x=1,r=a", .attributeExpected("r")),
        ("n,,n=,n=,r=a", .attributeRepeated("n")), ("n,,n=,r=a,r=b", .attributeRepeated("r")),
        ("n,,n=,r=a,x=1,x=2", .attributeRepeated("x")), ("n,,n=,r=", .attributeEmpty("r")),
        ("n,,n=,r=a,x=", .attributeEmpty("x")), ("n,,m=1,n=,r=a", .extensionUnsupported),
        ("n,,n=,r=a,m=1", .extensionUnsupported), ("n,,n=,r=a,p=1", .attributeMisplaced("p")),
        ("n,,n=,r=a,", .attributeMalformed), ("n,,,n=,r=a", .attributeMalformed),
        ("n,,n=,ra", .attributeMalformed), ("n,,n=,1=a", .attributeMalformed),
        ("n,,n=,r=a\u{0}", .attributeMalformed), ("n,,n=\u{0},r=a", .attributeMalformed),
        ("n,,n=,r=a b", .nonceMalformed), ("n,,n=,r=a\n", .nonceMalformed),
        ("n,,n=,r=\u{7F}", .nonceMalformed), ("n,,n=,r=é", .nonceMalformed),
        ("n,,n=a=b,r=a", .nameMalformed), ("n,,n=a=,r=a", .nameMalformed),
        ("n,,n=a=2,r=a", .nameMalformed), ("n,,n=a=2c,r=a", .nameMalformed),
    ])
    func `a malformed client-first is refused`(_ message: String, _ error: ScramError) {
        var server = server
        #expect(throws: error) { try server.clientFirst(Array(message.utf8)) }
        #expect(throws: ScramError.outOfTurn) { try server.clientFirst(client.clientFirst()) }
    }

    @Test(arguments: [
        "n,,n=,r=a", "y,,n=,r=a", "n,,n=us=2Cer=3D,r=a", "n,,n=é,r=a", "n,,n=,r=a,x=1,y=é",
    ])
    func `a client-first that the RFC allows is taken`(_ message: String) throws {
        var server = server
        #expect(
            try server.clientFirst(Array(message.utf8)) == Array("r=aSERVER,s=AQID,i=1".utf8))
    }

    @Test func `messages over the limits are refused`() throws {
        var server = server
        let nonce = String(repeating: "r", count: 2048 - "n,,n=,r=".count)
        #expect(throws: ScramError.messageTooLong(byteCount: 2049, max: 2048)) {
            try server.clientFirst(Array("n,,n=,r=r\(nonce)".utf8))
        }
        server = self.server
        _ = try server.clientFirst(Array("n,,n=,r=\(nonce)".utf8))
        #expect(throws: ScramError.messageTooLong(byteCount: 4097, max: 4096)) {
            try server.clientFinal(Array(repeating: 65, count: 4097))
        }
        var client = client
        #expect(throws: ScramError.messageTooLong(byteCount: 4097, max: 4096)) {
            try client.serverFirst(Array(repeating: 65, count: 4097))
        }
    }

    // client-final

    @Test(arguments: [
        ("", ScramError.attributeMalformed), ("c=biws", .attributeExpected("r")),
        ("c=biws,r=CLIENTSERVER", .attributeExpected("p")),
        ("r=CLIENTSERVER,p=@", .attributeExpected("c")),
        ("c=biws,p=@", .attributeExpected("r")),
        ("r=CLIENTSERVER,c=biws,p=@", .attributeExpected("c")),
        ("c=biws,p=@,r=CLIENTSERVER", .attributeExpected("r")),
        ("p=@,c=biws,r=CLIENTSERVER", .attributeExpected("c")),
        ("c=biws,r=CLIENTSERVER,p=@,x=1", .attributeExpected("p")),
        ("c=biws,c=biws,r=CLIENTSERVER,p=@", .attributeRepeated("c")),
        ("c=biws,r=CLIENTSERVER,r=CLIENTSERVER,p=@", .attributeRepeated("r")),
        ("c=biws,r=CLIENTSERVER,p=@,p=@", .attributeRepeated("p")),
        ("c=,r=CLIENTSERVER,p=@", .attributeEmpty("c")),
        ("c=biws,r=,p=@", .attributeEmpty("r")),
        ("c=biws,r=CLIENTSERVER,p=", .attributeEmpty("p")),
        ("c=biws,r=CLIENTSERVER,m=1,p=@", .extensionUnsupported),
        ("c=biws,r=CLIENTSERVER,i=1,p=@", .attributeMisplaced("i")),
        ("c=eSws,r=CLIENTSERVER,p=@", .channelBindingMismatch),
        ("c=biwsbiws,r=CLIENTSERVER,p=@", .channelBindingMismatch),
        ("c=biw,r=CLIENTSERVER,p=@", .base64Expected("c")),
        ("c=bi s,r=CLIENTSERVER,p=@", .base64Expected("c")),
        ("c=biws,r=CLIENT,p=@", .nonceMismatch), ("c=biws,r=SERVER,p=@", .nonceMismatch),
        ("c=biws,r=CLIENTSERVER2,p=@", .nonceMismatch),
        ("c=biws,r=CLIENTSERVER,p=AAAA", .proofWrong),
        ("c=biws,r=CLIENTSERVER,p=AA", .base64Expected("p")),
        ("c=biws,r=CLIENTSERVER,p=AB==", .base64Expected("p")),
        ("c=biws,r=CLIENTSERVER,p=@=", .base64Expected("p")),
        ("c=biws,r=CLIENTSERVER,p=@AAAA", .base64Expected("p")),
        ("c=biws,r=CLIENTSERVER,p=@\u{0}", .attributeMalformed),
        ("c=biws,r=CLIENTSERVER,x=1,p=@", .proofWrong),
    ])
    func `a malformed client-final is refused`(_ message: String, _ error: ScramError) throws {
        var server = server
        var client = client
        let final = try client.serverFirst(server.clientFirst(client.clientFirst()))
        // "@" stands for the right proof.
        let proof = String(decoding: final.suffix(44), as: UTF8.self)
        let filled = message.split(separator: "@", omittingEmptySubsequences: false)
            .joined(separator: proof)
        #expect(throws: error) { try server.clientFinal(Array(filled.utf8)) }
        #expect(server.clientKey == nil)
    }

    @Test func `a header that was y,, is bound as y,,`() throws {
        var server = server
        _ = try server.clientFirst(Array("y,,n=,r=CLIENT".utf8))
        var other = server
        let proof = String(repeating: "A", count: 43) + "="
        // The header fits, so that the proof is looked at; and the other one does not fit.
        #expect(throws: ScramError.proofWrong) {
            try server.clientFinal(Array("c=eSws,r=CLIENTSERVER,p=\(proof)".utf8))
        }
        #expect(throws: ScramError.channelBindingMismatch) {
            try other.clientFinal(Array("c=biws,r=CLIENTSERVER,p=\(proof)".utf8))
        }
    }

    // server-first and server-final

    @Test(arguments: [
        ("", ScramError.attributeMalformed), ("r=CLIENTS,s=AQID", .attributeExpected("i")),
        ("r=CLIENTS,i=1", .attributeExpected("s")), ("s=AQID,i=1", .attributeExpected("r")),
        ("s=AQID,r=CLIENTS,i=1", .attributeExpected("r")),
        ("r=CLIENTS,r=CLIENTS,s=AQID,i=1", .attributeRepeated("r")),
        ("m=1,r=CLIENTS,s=AQID,i=1", .extensionUnsupported),
        ("r=CLIENTS,s=,i=1", .attributeEmpty("s")), ("r=,s=AQID,i=1", .attributeEmpty("r")),
        ("r=CLIENTS,s=AQID,i=", .attributeEmpty("i")),
        ("r=CLIENTS,s=AQID,i=1,v=AAAA", .attributeMisplaced("v")),
        ("r=CLIENT,s=AQID,i=1", .nonceMismatch), ("r=CLIEN,s=AQID,i=1", .nonceMismatch),
        ("r=SERVERCLIENT,s=AQID,i=1", .nonceMismatch),
        ("r=CLIENT S,s=AQID,i=1", .nonceMalformed),
        ("r=CLIENTS,s=AQI,i=1", .base64Expected("s")),
        ("r=CLIENTS,s=AQID,i=0", .iterationsOutOfRange(max: 1_000_000)),
        ("r=CLIENTS,s=AQID,i=-1", .iterationsOutOfRange(max: 1_000_000)),
        ("r=CLIENTS,s=AQID,i=+1", .iterationsOutOfRange(max: 1_000_000)),
        ("r=CLIENTS,s=AQID,i=01", .iterationsOutOfRange(max: 1_000_000)),
        ("r=CLIENTS,s=AQID,i=1000001", .iterationsOutOfRange(max: 1_000_000)),
        (
            "r=CLIENTS,s=AQID,i=99999999999999999999999999",
            .iterationsOutOfRange(max: 1_000_000)
        ),
    ])
    func `a malformed server-first is refused`(_ message: String, _ error: ScramError) {
        var client = client
        #expect(throws: error) { try client.serverFirst(Array(message.utf8)) }
        #expect(throws: ScramError.outOfTurn) {
            try client.serverFirst(Array("r=CLIENTS,s=AQID,i=1".utf8))
        }
    }

    @Test(arguments: [
        ("", ScramError.attributeMalformed), ("v=", .attributeEmpty("v")),
        ("v=AAAA", .signatureWrong), ("v=A", .base64Expected("v")),
        ("e=invalid-proof", .refusedByServer("invalid-proof")),
        ("e=other-error,x=1", .refusedByServer("other-error")),
        ("r=AAAA", .attributeExpected("v")), ("m=1,v=AAAA", .extensionUnsupported),
    ])
    func `a malformed server-final is refused`(_ message: String, _ error: ScramError) throws {
        var client = client
        _ = try client.serverFirst(Array("r=CLIENTS,s=AQID,i=1".utf8))
        #expect(throws: error) { try client.serverFinal(Array(message.utf8)) }
        #expect(!client.isServerProven)
    }

    // Anything

    @Test func `a message cut at any byte is refused`() throws {
        var complete = server
        var client = client
        let first = client.clientFirst()
        let serverFirst = try complete.clientFirst(first)
        var opened = server
        _ = try opened.clientFirst(first)
        let final = try client.serverFirst(serverFirst)
        for count in 0..<final.count {
            var server = opened
            #expect(throws: ScramError.self) { try server.clientFinal(Array(final.prefix(count))) }
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `a message with bytes changed at random is refused or taken, and never traps`(
        _ seed: UInt64
    ) throws {
        var random = SeededRandom(seed: seed)
        let hostile = Array("nyrcspivme=,=,,=\u{0}é A".utf8)
        var opened = server
        var asked = client
        let first = asked.clientFirst()
        let serverFirst = try opened.clientFirst(first)
        let final = try asked.serverFirst(serverFirst)
        for _ in 0..<2000 {
            var server = server
            _ = try? server.clientFirst(changed(first, with: hostile, &random))
            var other = opened
            let change = changed(final, with: hostile, &random)
            let answer = try? other.clientFinal(change)
            #expect(answer == nil || change == final, "seed \(seed)")
            var client = client
            // One iteration is asked for; a changed count of a digit or two costs little.
            _ = try? client.serverFirst(changed(serverFirst, with: hostile, &random))
            var last = asked
            #expect(throws: ScramError.self, "seed \(seed)") {
                try last.serverFinal(changed(final, with: hostile, &random))
            }
        }
    }

    /// `message` with one to three bytes replaced, removed or added.
    private func changed(
        _ message: [UInt8], with bytes: [UInt8], _ random: inout SeededRandom
    ) -> [UInt8] {
        var changed = message
        for _ in 0..<Int.random(in: 1...3, using: &random) where !changed.isEmpty {
            let offset = Int.random(in: 0..<changed.count, using: &random)
            let byte = bytes[Int.random(in: 0..<bytes.count, using: &random)]
            switch Int.random(in: 0..<3, using: &random) {
            case 0: changed[offset] = byte
            case 1: changed.remove(at: offset)
            default: changed.insert(byte, at: offset)
            }
        }
        return changed
    }
}
