/// How much TLS one side asks for. Source: libpq's `sslmode`.
public enum TLSMode: String, Sendable, Equatable, CaseIterable {
    case disable
    case allow
    case prefer
    case require
    case verifyCA = "verify-ca"
    case verifyFull = "verify-full"
}

/// TLS towards clients. `client_tls_*`.
public struct ClientTLSSettings: Sendable, Equatable {
    public var mode = TLSMode.disable
    public var certificateFile: String?
    public var keyFile: String?
    public var authorityFile: String?
    /// OpenSSL's cipher list for TLS 1.2. "default" = OpenSSL's own.
    public var ciphers = "default"
    /// OpenSSL's cipher suites for TLS 1.3; nil = OpenSSL's own.
    public var cipherSuites: String?
    /// "secure" (1.2 and 1.3), "all", or names such as "tlsv1.3", separated by commas.
    public var protocols = "secure"

    public init() {}
}

/// TLS towards servers. `server_tls_*`.
public struct ServerTLSSettings: Sendable, Equatable {
    public var mode = TLSMode.prefer
    public var certificateFile: String?
    public var keyFile: String?
    public var authorityFile: String?
    public var ciphers = "default"
    public var cipherSuites: String?
    public var protocols = "secure"

    public init() {}
}
