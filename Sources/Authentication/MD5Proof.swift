internal import TLS

/// PostgreSQL's MD5 log-in: "md5" and the hexadecimal md5(md5(password + user) + salt).
/// Source: PostgreSQL "Frontend/Backend Protocol", AuthenticationMD5Password.
public enum MD5Proof {
    /// What `user` answers to `salt`; nil for a SCRAM secret, which cannot make it.
    public static func response(user: String, secret: Secret, salt: [UInt8]) -> String? {
        switch secret {
        case .plain(let password):
            response(inner: hex(password: password, user: user), salt: salt)
        case .md5(let hex): response(inner: hex, salt: salt)
        case .scram: nil
        }
    }

    /// The 32 digits that are stored: md5(password + user).
    static func hex(password: String, user: String) -> String {
        hexadecimal(Digest.md5(Array(password.utf8) + Array(user.utf8)))
    }

    private static func response(inner: String, salt: [UInt8]) -> String {
        "md5" + hexadecimal(Digest.md5(Array(inner.utf8) + salt))
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
