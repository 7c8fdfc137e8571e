internal import TLS

extension Secret {
    /// As it stands in the auth file or in `pg_authid.rolpassword`. What is neither a whole MD5
    /// secret nor a whole SCRAM secret is a plain password.
    public init(stored: String) {
        if let scram = ScramSecret(parsing: stored) {
            self = .scram(scram)
            return
        }
        let digits = stored.utf8.dropFirst(3)
        let isHex = digits.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        if stored.utf8.starts(with: "md5".utf8), digits.count == 32, isHex {
            self = .md5(hex: String(stored.dropFirst(3)))
        } else {
            self = .plain(stored)
        }
    }

    /// Whether `password` is the one behind this secret. An empty password never is. Costs the
    /// secret's iterations for a SCRAM secret (about 1 ms for 4096).
    public func verifies(plain password: String, user: String) -> Bool {
        guard !password.isEmpty else { return false }
        switch self {
        case .plain(let stored):
            return Digest.areEqual(Array(stored.utf8), Array(password.utf8))
        case .md5(let hex):
            let given = MD5Proof.hex(password: password, user: user)
            return Digest.areEqual(Array(hex.utf8), Array(given.utf8))
        case .scram(let secret):
            let given = ScramSecret(
                password: password, salt: secret.salt, iterations: secret.iterations)
            return Digest.areEqual(secret.storedKey, given.storedKey)
        }
    }

    /// Whether `md5Response` is `user`'s answer to `salt`. Never so for a SCRAM secret and for an
    /// empty password.
    public func verifies(md5Response: String, user: String, salt: [UInt8]) -> Bool {
        if case .plain(let password) = self, password.isEmpty { return false }
        guard let expected = MD5Proof.response(user: user, secret: self, salt: salt) else {
            return false
        }
        return Digest.areEqual(Array(expected.utf8), Array(md5Response.utf8))
    }
}
