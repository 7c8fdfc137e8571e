import TLS
import Testing

@Suite struct DigestTests {
    @Test func `MD5 of the strings of RFC 1321`() {
        #expect(hex(Digest.md5([])) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(hex(Digest.md5(Array("abc".utf8))) == "900150983cd24fb0d6963f7d28e17f72")
    }

    @Test func `SHA-256 of nothing and of abc`() {
        #expect(
            hex(Digest.sha256([]))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex(Digest.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `HMAC-SHA-256 of RFC 4231`() {
        // Test cases 1, 2 and 6: a key of 20, of 4, and of more than one block of bytes.
        #expect(
            hex(Digest.hmacSHA256(key: Array(repeating: 0x0b, count: 20), Array("Hi There".utf8)))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            hex(
                Digest.hmacSHA256(
                    key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            hex(
                Digest.hmacSHA256(
                    key: Array(repeating: 0xaa, count: 131),
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test func `an empty key and an empty message have an HMAC`() {
        #expect(
            hex(Digest.hmacSHA256(key: [], []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func `PBKDF2 with SHA-256 gives the first half of RFC 7914's vectors`() {
        #expect(
            hex(
                Digest.pbkdf2SHA256(
                    password: Array("passwd".utf8), salt: Array("salt".utf8), iterations: 1))
                == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
        #expect(
            hex(
                Digest.pbkdf2SHA256(
                    password: Array("Password".utf8), salt: Array("NaCl".utf8),
                    iterations: 80_000))
                == "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56")
    }

    @Test func `iterations out of range are moved into it`() {
        let once = Digest.pbkdf2SHA256(password: [1], salt: [2], iterations: 1)
        #expect(Digest.pbkdf2SHA256(password: [1], salt: [2], iterations: 0) == once)
        #expect(Digest.pbkdf2SHA256(password: [1], salt: [2], iterations: .min) == once)
    }

    @Test func `comparing looks at every byte and at the count`() {
        #expect(Digest.areEqual([], []))
        #expect(Digest.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!Digest.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!Digest.areEqual([0, 2, 3], [1, 2, 3]))
        #expect(!Digest.areEqual([1, 2], [1, 2, 3]))
        #expect(!Digest.areEqual([], [0]))
    }

    @Test func `random bytes are as many as asked for, and not the same twice`() {
        #expect(Digest.randomBytes(0).isEmpty)
        #expect(Digest.randomBytes(1).count == 1)
        #expect(Digest.randomBytes(32).count == 32)
        #expect(Digest.randomBytes(32) != Digest.randomBytes(32))
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
