/// Why TLS could not be set up, or had to end. Reasons are OpenSSL's words.
public enum TLSError: Error, Equatable, Sendable {
    /// A TLS server needs a certificate and its key, and the settings name none.
    case certificateMissing
    case certificateFile(String, reason: String)
    case keyFile(String, reason: String)
    /// A key without a certificate, or a certificate without a key.
    case keyWithoutCertificate(String)
    case certificateWithoutKey(String)
    case authorityFile(String, reason: String)
    case ciphers(String, reason: String)
    case cipherSuites(String, reason: String)
    /// The entry of `protocols` that is not known.
    case protocols(String)
    /// verify-full without a name to compare with.
    case serverNameMissing
    case serverNameUnusable(String)
    /// The peer broke the handshake, or neither side's offer suits the other.
    case handshakeFailed(reason: String)
    /// The peer's certificate was not accepted.
    case certificateRefused(reason: String)
    /// After the handshake: bytes that are not TLS or were changed, or the peer's alert.
    case connectionFailed(reason: String)
    case notEstablished
    /// An earlier call threw, or either side closed; the connection can only be dropped.
    case ended
    /// OpenSSL could not do what never fails but for memory.
    case library(reason: String)
}

extension TLSError: CustomStringConvertible {
    /// One line for the log.
    public var description: String {
        switch self {
        case .certificateMissing:
            "TLS for clients needs a certificate file and a key file"
        case .certificateFile(let file, let reason):
            "cannot load certificate file \"\(file)\": \(reason)"
        case .keyFile(let file, let reason):
            "cannot load key file \"\(file)\": \(reason)"
        case .keyWithoutCertificate(let file):
            "key file \"\(file)\" is set, but no certificate file"
        case .certificateWithoutKey(let file):
            "certificate file \"\(file)\" is set, but no key file"
        case .authorityFile(let file, let reason):
            "cannot load certificate authority file \"\(file)\": \(reason)"
        case .ciphers(let list, let reason):
            "cannot use TLS ciphers \"\(list)\": \(reason)"
        case .cipherSuites(let list, let reason):
            "cannot use TLS 1.3 cipher suites \"\(list)\": \(reason)"
        case .protocols(let name):
            "unknown TLS protocol \"\(name)\""
        case .serverNameMissing:
            "verify-full needs the server's host name"
        case .serverNameUnusable(let name):
            "cannot use \"\(name)\" as a TLS server name"
        case .handshakeFailed(let reason):
            "TLS handshake failed: \(reason)"
        case .certificateRefused(let reason):
            "TLS certificate not accepted: \(reason)"
        case .connectionFailed(let reason):
            "TLS failed: \(reason)"
        case .notEstablished:
            "TLS is not established yet"
        case .ended:
            "the TLS connection has ended"
        case .library(let reason):
            "OpenSSL failed: \(reason)"
        }
    }
}
