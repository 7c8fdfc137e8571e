internal import TLS

extension ScramSecret {
    /// The secret that PostgreSQL would store for `password`. Costs `iterations`.
    public init(password: String, salt: [UInt8], iterations: Int) {
        let keys = ScramKeys(password: password, salt: salt, iterations: iterations)
        self.init(
            iterations: iterations, salt: salt, storedKey: Digest.sha256(keys.clientKey),
            serverKey: keys.serverKey)
    }

    /// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`; nil for anything else.
    init?(parsing text: String) {
        let fields = text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard fields.count == 3, fields[0].elementsEqual("SCRAM-SHA-256".utf8) else { return nil }
        let colon = UInt8(ascii: ":")
        let first = fields[1].split(separator: colon, omittingEmptySubsequences: false)
        let second = fields[2].split(separator: colon, omittingEmptySubsequences: false)
        guard first.count == 2, second.count == 2,
            let iterations = ScramSyntax.decimal(first[0], in: 1...Int(Int32.max)),
            let salt = Base64.decode(first[1]), !salt.isEmpty,
            let storedKey = Base64.decode(second[0]), storedKey.count == 32,
            let serverKey = Base64.decode(second[1]), serverKey.count == 32
        else { return nil }
        self.init(iterations: iterations, salt: salt, storedKey: storedKey, serverKey: serverKey)
    }

    /// As PostgreSQL stores it. Source: RFC 5803; `pg_authid.rolpassword`.
    public var text: String {
        "SCRAM-SHA-256$\(iterations):\(Base64.encode(salt))"
            + "$\(Base64.encode(storedKey)):\(Base64.encode(serverKey))"
    }
}

/// The keys that come of a password. Source: RFC 5802, section 3.
struct ScramKeys {
    let clientKey: [UInt8]
    let serverKey: [UInt8]

    init(password: String, salt: [UInt8], iterations: Int) {
        let salted = Digest.pbkdf2SHA256(
            password: SASLPrep.prepare(password), salt: salt, iterations: iterations)
        clientKey = Digest.hmacSHA256(key: salted, Array("Client Key".utf8))
        serverKey = Digest.hmacSHA256(key: salted, Array("Server Key".utf8))
    }
}

/// A secret for a user who does not exist: the same one each time for one `user` and `key`, so
/// that nobody can tell the user from one who exists by asking twice.
///
/// `key` is random, made when the process starts. `iterations` should be those of real users.
public func mockScramSecret(for user: String, key: [UInt8], iterations: Int) -> ScramSecret {
    ScramSecret(
        iterations: iterations, salt: stableSalt(for: user, key: key),
        storedKey: derived("StoredKey", user, key), serverKey: derived("ServerKey", user, key))
}

/// The salt of a user whose secret is made from a plain password: the same on every worker and at
/// every login, as the stand-in's is.
public func stableSalt(for user: String, key: [UInt8]) -> [UInt8] {
    Array(derived("salt", user, key).prefix(16))
}

private func derived(_ purpose: String, _ user: String, _ key: [UInt8]) -> [UInt8] {
    Digest.hmacSHA256(key: key, Array(purpose.utf8) + [0] + Array(user.utf8))
}
