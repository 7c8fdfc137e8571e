import Authentication
import TLS
import Testing

@Suite struct ScramTests {
    private static let clientNonce = "fyko+d2lbbFgONRv9qkxdawL"
    private static let serverNonce = "3rfcNHYJY1ZVvWVs7j1bcdef"
    private static let secret = ScramSecret(
        password: "pencil", salt: Array(1...16), iterations: 4096)

    @Test func `the server speaks as in RFC 7677`() throws {
        let secret = ScramSecret(
            password: "pencil",
            salt: [
                0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36,
                0xfa, 0x81,
            ], iterations: 4096)
        var server = ScramServer(
            secret: secret, serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", isMock: false)
        let first = try server.clientFirst(Array("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".utf8))
        #expect(
            String(decoding: first, as: UTF8.self)
                == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                + "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        let final = try server.clientFinal(
            Array(
                ("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                    + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").utf8))
        #expect(
            String(decoding: final, as: UTF8.self)
                == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        #expect(server.clientKey.map(Digest.sha256) == secret.storedKey)
    }

    @Test(arguments: ["pencil", "p", " ", "pa,ss=word", "pässwörd", "\u{A0}\u{AD}", "🐘"])
    func `client and server agree on a password`(_ password: String) throws {
        let secret = ScramSecret(password: password, salt: [9], iterations: 1)
        var server = ScramServer(secret: secret, serverNonce: Self.serverNonce, isMock: false)
        var client = ScramClient(password: password, clientNonce: Self.clientNonce)
        try run(&client, &server)
        #expect(client.isServerProven)
        #expect(server.clientKey != nil)
    }

    @Test func `spaces of all kinds are the same, and soft hyphens are nothing`() throws {
        let secret = ScramSecret(password: "caf\u{E9} au\u{A0}lait", salt: [9], iterations: 1)
        let same = ScramSecret(
            password: "ca\u{AD}f\u{E9} au\u{3000}lait", salt: [9], iterations: 1)
        #expect(secret == same)
    }

    @Test func `what a right proof teaches logs in to a server with the same secret`() throws {
        var server = ScramServer(
            secret: Self.secret, serverNonce: Self.serverNonce, isMock: false)
        var client = ScramClient(password: "pencil", clientNonce: Self.clientNonce)
        try run(&client, &server)
        let clientKey = try #require(server.clientKey)

        var second = ScramServer(secret: Self.secret, serverNonce: "other", isMock: false)
        var through = ScramClient(
            clientKey: clientKey, serverKey: Self.secret.serverKey, clientNonce: "mine")
        try run(&through, &second)
        #expect(through.isServerProven)

        // Another salt is another secret.
        let foreign = ScramSecret(password: "pencil", salt: [1], iterations: 4096)
        var third = ScramServer(secret: foreign, serverNonce: "other", isMock: false)
        var stranger = ScramClient(
            clientKey: clientKey, serverKey: Self.secret.serverKey, clientNonce: "mine")
        #expect(throws: ScramError.proofWrong) { try run(&stranger, &third) }
    }

    @Test func `a wrong password is refused and teaches nothing`() {
        var server = ScramServer(
            secret: Self.secret, serverNonce: Self.serverNonce, isMock: false)
        var client = ScramClient(password: "pen", clientNonce: Self.clientNonce)
        #expect(throws: ScramError.proofWrong) { try run(&client, &server) }
        #expect(server.clientKey == nil)
        #expect(!client.isServerProven)
    }

    @Test func `a server that does not know the secret is noticed`() throws {
        var forged = Self.secret
        forged = ScramSecret(
            iterations: forged.iterations, salt: forged.salt, storedKey: forged.storedKey,
            serverKey: Array(repeating: 0, count: 32))
        var server = ScramServer(secret: forged, serverNonce: Self.serverNonce, isMock: false)
        var client = ScramClient(password: "pencil", clientNonce: Self.clientNonce)
        #expect(throws: ScramError.signatureWrong) { try run(&client, &server) }
        #expect(!client.isServerProven)
    }

    @Test func `a mock fails even with the right proof, and looks the same until then`() throws {
        let key = Digest.randomBytes(32)
        let mock = mockScramSecret(for: "nobody", key: key, iterations: 4096)
        #expect(mock == mockScramSecret(for: "nobody", key: key, iterations: 4096))
        #expect(mock.salt != mockScramSecret(for: "somebody", key: key, iterations: 4096).salt)
        #expect(
            mock.salt
                != mockScramSecret(
                    for: "nobody", key: Digest.randomBytes(32), iterations: 4096
                ).salt)
        #expect(mock.salt.count == 16 && mock.storedKey.count == 32 && mock.serverKey.count == 32)

        var real = ScramServer(secret: Self.secret, serverNonce: Self.serverNonce, isMock: false)
        var pretended = ScramServer(secret: mock, serverNonce: Self.serverNonce, isMock: true)
        let client = ScramClient(password: "wrong", clientNonce: Self.clientNonce)
        let realFirst = try real.clientFirst(client.clientFirst())
        let mockFirst = try pretended.clientFirst(client.clientFirst())
        #expect(mockFirst.count == realFirst.count)
        var forReal = client
        var forMock = client
        let realFinal = try forReal.serverFirst(realFirst)
        let mockFinal = try forMock.serverFirst(mockFirst)
        #expect(throws: ScramError.proofWrong) { try real.clientFinal(realFinal) }
        #expect(throws: ScramError.proofWrong) { try pretended.clientFinal(mockFinal) }

        var known = ScramServer(secret: Self.secret, serverNonce: Self.serverNonce, isMock: true)
        var right = ScramClient(password: "pencil", clientNonce: Self.clientNonce)
        #expect(throws: ScramError.proofWrong) { try run(&right, &known) }
        #expect(known.clientKey == nil)
    }

    @Test func `a proof of another exchange is refused`() throws {
        var first = ScramServer(secret: Self.secret, serverNonce: "aaa", isMock: false)
        var client = ScramClient(password: "pencil", clientNonce: Self.clientNonce)
        let final = try client.serverFirst(first.clientFirst(client.clientFirst()))
        _ = try first.clientFinal(final)
        var second = ScramServer(secret: Self.secret, serverNonce: "bbb", isMock: false)
        _ = try second.clientFirst(client.clientFirst())
        #expect(throws: ScramError.nonceMismatch) { try second.clientFinal(final) }
    }

    @Test func `each message is taken once and in its turn`() throws {
        var server = ScramServer(
            secret: Self.secret, serverNonce: Self.serverNonce, isMock: false)
        var client = ScramClient(password: "pencil", clientNonce: Self.clientNonce)
        #expect(throws: ScramError.outOfTurn) { try client.serverFinal([]) }
        let first = try server.clientFirst(client.clientFirst())
        #expect(throws: ScramError.outOfTurn) { try server.clientFirst(client.clientFirst()) }
        let final = try client.serverFirst(first)
        #expect(throws: ScramError.outOfTurn) { try client.serverFirst(first) }
        let last = try server.clientFinal(final)
        #expect(throws: ScramError.outOfTurn) { try server.clientFinal(final) }
        try client.serverFinal(last)
        #expect(throws: ScramError.outOfTurn) { try client.serverFinal(last) }

        var early = ScramServer(secret: Self.secret, serverNonce: "a", isMock: false)
        #expect(throws: ScramError.outOfTurn) { try early.clientFinal(final) }
    }

    private func run(_ client: inout ScramClient, _ server: inout ScramServer) throws {
        let serverFirst = try server.clientFirst(client.clientFirst())
        let clientFinal = try client.serverFirst(serverFirst)
        try client.serverFinal(server.clientFinal(clientFinal))
    }
}
