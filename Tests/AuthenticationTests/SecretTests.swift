import Authentication
import Testing

@Suite struct SecretTests {
    private static let salt: [UInt8] = [1, 2, 3, 4]
    private static let scramText =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
        + "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    @Test func `each kind is known by its text`() {
        let hex = "0123456789abcdef0123456789abcdef"
        #expect(Secret(stored: "md5" + hex) == .md5(hex: hex))
        guard case .scram(let scram) = Secret(stored: Self.scramText) else {
            Issue.record("not taken as SCRAM")
            return
        }
        #expect(scram.iterations == 4096)
        #expect(scram.salt.count == 16)
        #expect(scram.text == Self.scramText)
        #expect(Secret(stored: "pencil") == .plain("pencil"))
        #expect(Secret(stored: "") == .plain(""))
    }

    @Test(arguments: [
        "md5", "md50123456789abcdef0123456789abcde", "md50123456789ABCDEF0123456789abcdef",
        "md50123456789abcdef0123456789abcdefa", "MD50123456789abcdef0123456789abcdef",
        "md5é123456789abcdef0123456789abcde", "SCRAM-SHA-256", "SCRAM-SHA-256$$",
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$x:y",
        "SCRAM-SHA-256$0:AAAA$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
            + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$9999999999:AAAA$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
            + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
            + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:AAAA$AAAA:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    ])
    func `what is nearly MD5 or SCRAM is a plain password`(_ text: String) {
        #expect(Secret(stored: text) == .plain(text))
    }

    @Test func `a cut SCRAM secret is never taken as SCRAM`() {
        for count in 0..<Self.scramText.count {
            let cut = String(Self.scramText.prefix(count))
            #expect(Secret(stored: cut) == .plain(cut))
        }
    }

    @Test func `a secret made from a password is the one that PostgreSQL stores`() throws {
        let known = Secret(stored: Self.scramText)
        guard case .scram(let secret) = known else { throw ScramError.outOfTurn }
        let made = ScramSecret(password: "pencil", salt: secret.salt, iterations: 4096)
        #expect(made.text == Self.scramText)
    }

    @Test func `a plain password is checked against every kind`() {
        let kinds: [Secret] = [
            .plain("pencil"),
            // md5("pencil" + "user")
            Secret(stored: "md5" + SecretTests.hexOfPencilAndUser),
            Secret(stored: Self.scramText),
        ]
        for secret in kinds {
            #expect(secret.verifies(plain: "pencil", user: "user"))
            #expect(!secret.verifies(plain: "pencil ", user: "user"))
            #expect(!secret.verifies(plain: "Pencil", user: "user"))
            #expect(!secret.verifies(plain: "", user: "user"))
        }
        #expect(!kinds[1].verifies(plain: "pencil", user: "other"))
    }

    @Test func `an empty secret lets nobody in`() {
        let empty = Secret.plain("")
        #expect(!empty.verifies(plain: "", user: "user"))
        let response = MD5Proof.response(user: "user", secret: empty, salt: Self.salt)
        #expect(!empty.verifies(md5Response: response ?? "", user: "user", salt: Self.salt))
    }

    @Test func `an MD5 response is the known one`() {
        let plain = Secret.plain("pencil")
        let hashed = Secret.md5(hex: Self.hexOfPencilAndUser)
        for secret in [plain, hashed] {
            #expect(
                MD5Proof.response(user: "user", secret: secret, salt: Self.salt)
                    == Self.responseOfPencil)
            #expect(
                secret.verifies(
                    md5Response: Self.responseOfPencil, user: "user", salt: Self.salt))
            #expect(
                !secret.verifies(
                    md5Response: Self.responseOfPencil, user: "user", salt: [1, 2, 3, 5]))
            for wrong in ["", "md5", Self.responseOfPencil.uppercased(), Self.hexOfPencilAndUser] {
                #expect(!secret.verifies(md5Response: wrong, user: "user", salt: Self.salt))
            }
        }
    }

    @Test func `a SCRAM secret neither makes nor takes an MD5 response`() {
        let secret = Secret(stored: Self.scramText)
        #expect(MD5Proof.response(user: "user", secret: secret, salt: Self.salt) == nil)
        #expect(
            !secret.verifies(md5Response: Self.responseOfPencil, user: "user", salt: Self.salt))
    }

    private static let hexOfPencilAndUser = "20c46e3762c864548e296b33c3406aa9"
    private static let responseOfPencil = "md54376eb6913b38f9aaff38dc7cf19ca76"
}
