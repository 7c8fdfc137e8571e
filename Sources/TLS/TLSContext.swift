internal import COpenSSL

/// Certificates, authorities and rules, loaded once and shared by all connections of one kind.
///
/// Immutable after `init`, so all workers use it at once; a reload makes another one. Connections
/// keep what they need of it alive.
@safe public final class TLSContext: @unchecked Sendable {
    enum Role { case server, client }

    // Safe: OpenSSL counts the references of an SSL_CTX atomically, and nothing changes it after
    // `init`; this object owns one reference until `deinit`.
    let handle: OpaquePointer
    let role: Role
    /// verify-full: the certificate must name the host too.
    let checksHost: Bool

    /// For connections where we are the TLS server.
    ///
    /// Clients must show a certificate of `authorityFile` under verify-ca and verify-full, and are
    /// not asked for one otherwise. Source: PgBouncer's `client_tls_sslmode`.
    public init(forClients settings: ClientTLSSettings) throws(TLSError) {
        unsafe handle = try Self.make(TLS_server_method())
        role = .server
        checksHost = false
        try setVersions(settings.protocols)
        try setCiphers(settings.ciphers, suites: settings.cipherSuites)
        guard let certificate = settings.certificateFile, let key = settings.keyFile else {
            throw .certificateMissing
        }
        try load(certificate: certificate, key: key)
        unsafe pgweir_tls_select_alpn(handle)
        guard settings.mode.verifies else { return }
        if let authority = settings.authorityFile {
            guard unsafe pgweir_tls_set_client_authorities(handle, authority) == 1 else {
                throw .authorityFile(authority, reason: Self.takeError())
            }
        } else {
            try trustSystemAuthorities()
        }
        unsafe SSL_CTX_set_verify(
            handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    /// For connections where we are the TLS client.
    ///
    /// The server's certificate is checked under verify-ca and verify-full only, against
    /// `authorityFile` or, without one, the system's authorities.
    public init(forServers settings: ServerTLSSettings) throws(TLSError) {
        unsafe handle = try Self.make(TLS_client_method())
        role = .client
        checksHost = settings.mode == .verifyFull
        try setVersions(settings.protocols)
        try setCiphers(settings.ciphers, suites: settings.cipherSuites)
        switch (settings.certificateFile, settings.keyFile) {
        case (let certificate?, let key?): try load(certificate: certificate, key: key)
        case (let certificate?, nil): throw .certificateWithoutKey(certificate)
        case (nil, let key?): throw .keyWithoutCertificate(key)
        case (nil, nil): break
        }
        guard unsafe pgweir_tls_offer_alpn(handle) == 1 else {
            throw .library(reason: Self.takeError())
        }
        guard settings.mode.verifies else {
            unsafe SSL_CTX_set_verify(handle, SSL_VERIFY_NONE, nil)
            return
        }
        if let authority = settings.authorityFile {
            guard unsafe SSL_CTX_load_verify_file(handle, authority) == 1 else {
                throw .authorityFile(authority, reason: Self.takeError())
            }
        } else {
            try trustSystemAuthorities()
        }
        unsafe SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nil)
    }

    deinit { unsafe SSL_CTX_free(handle) }

    /// The reason of this thread's oldest OpenSSL error. Forgets all of them.
    static func takeError() -> String {
        // Safe: the shim writes at most 256 bytes, the terminator included.
        let text = unsafe [UInt8](unsafeUninitializedCapacity: 256) { out, count in
            unsafe out.initialize(repeating: 0)
            unsafe out.withMemoryRebound(to: CChar.self) {
                unsafe pgweir_tls_take_error($0.baseAddress, $0.count)
            }
            count = 256
        }
        return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func make(_ method: OpaquePointer?) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let handle = unsafe SSL_CTX_new(method) else {
            throw .library(reason: takeError())
        }
        unsafe pgweir_tls_harden(handle)
        return unsafe handle
    }

    private func trustSystemAuthorities() throws(TLSError) {
        guard unsafe SSL_CTX_set_default_verify_paths(handle) == 1 else {
            throw .library(reason: Self.takeError())
        }
    }

    private func load(certificate: String, key: String) throws(TLSError) {
        guard unsafe SSL_CTX_use_certificate_chain_file(handle, certificate) == 1 else {
            throw .certificateFile(certificate, reason: Self.takeError())
        }
        // Also checks that the key belongs to the certificate.
        guard unsafe SSL_CTX_use_PrivateKey_file(handle, key, SSL_FILETYPE_PEM) == 1 else {
            throw .keyFile(key, reason: Self.takeError())
        }
    }

    private func setVersions(_ protocols: String) throws(TLSError) {
        let versions = try TLSVersions(parsing: protocols)
        guard
            unsafe pgweir_tls_set_versions(
                handle, versions.min, versions.max, versions.forbidden) == 1
        else { throw .protocols(protocols) }
    }

    private func setCiphers(_ ciphers: String, suites: String?) throws(TLSError) {
        let list: String? =
            switch ciphers {
            case "default", "secure", "normal", "fast", "": nil
            case "compat": "HIGH:!aNULL"
            case "legacy": "HIGH:MEDIUM:!aNULL"
            case "all", "insecure": "ALL:!aNULL:!eNULL"
            default: ciphers
            }
        if let list, unsafe SSL_CTX_set_cipher_list(handle, list) != 1 {
            throw .ciphers(ciphers, reason: Self.takeError())
        }
        if let suites, unsafe SSL_CTX_set_ciphersuites(handle, suites) != 1 {
            throw .cipherSuites(suites, reason: Self.takeError())
        }
    }
}

extension TLSMode {
    /// Whether the peer's certificate is checked.
    var verifies: Bool {
        switch self {
        case .disable, .allow, .prefer, .require: false
        case .verifyCA, .verifyFull: true
        }
    }
}
