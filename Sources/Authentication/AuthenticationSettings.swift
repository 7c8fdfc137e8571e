/// How clients prove who they are. `auth_type`.
public enum AuthenticationMethod: String, Sendable, Equatable, CaseIterable {
    /// Anybody is whoever they say, if the user is in the auth file.
    case trust
    /// Anybody is let in, whatever user they name; the database needs a forced user.
    case any
    /// The password itself travels; only over TLS or a unix socket.
    case plain
    case md5
    case scramSHA256 = "scram-sha-256"
}

public struct AuthenticationSettings: Sendable, Equatable {
    public var method = AuthenticationMethod.md5
    /// By user name; from `auth_file`.
    public var secrets: [String: Secret] = [:]
    /// Iterations of the SCRAM secrets that we make from plain passwords. `scram_iterations`.
    public var scramIterations = 4096

    public init() {}
}

/// What is stored for a user: enough to check a proof, and for some kinds to log in elsewhere.
public enum Secret: Sendable, Equatable {
    case plain(String)
    /// The 32 hexadecimal digits behind "md5": md5(password + user).
    case md5(hex: String)
    case scram(ScramSecret)
}

/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, decoded. Source: RFC 5803.
public struct ScramSecret: Sendable, Equatable {
    public let iterations: Int
    public let salt: [UInt8]
    /// 32 bytes.
    public let storedKey: [UInt8]
    /// 32 bytes.
    public let serverKey: [UInt8]

    public init(iterations: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}
