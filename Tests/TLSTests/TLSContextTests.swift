import Bytes
import TLS
import Testing

@Suite struct TLSContextTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.shared.get() }

    // Files and names.

    @Test func `a server needs a certificate and a key`() {
        var settings = ClientTLSSettings()
        #expect(thrown { _ = try TLSContext(forClients: settings) } == .certificateMissing)
        settings.certificateFile = certificates.certificate
        #expect(thrown { _ = try TLSContext(forClients: settings) } == .certificateMissing)
    }

    @Test func `a file that is not there is named with the reason`() {
        var settings = ClientTLSSettings()
        settings.certificateFile = "/nowhere/server.crt"
        settings.keyFile = certificates.key
        let error = thrown { _ = try TLSContext(forClients: settings) }
        #expect(
            error
                == .certificateFile("/nowhere/server.crt", reason: "No such file or directory"))
        #expect(
            error?.description
                == "cannot load certificate file \"/nowhere/server.crt\": "
                + "No such file or directory")
        settings.certificateFile = certificates.certificate
        settings.keyFile = "/nowhere/server.key"
        #expect(
            thrown { _ = try TLSContext(forClients: settings) }
                == .keyFile("/nowhere/server.key", reason: "No such file or directory"))
    }

    @Test func `garbage, a foreign key and a locked key are refused`() {
        var settings = ClientTLSSettings()
        settings.certificateFile = certificates.garbage
        settings.keyFile = certificates.key
        #expect(
            thrown { _ = try TLSContext(forClients: settings) }
                == .certificateFile(certificates.garbage, reason: "no start line"))
        settings.certificateFile = certificates.certificate
        for key in [certificates.garbage, certificates.otherKey, certificates.lockedKey] {
            settings.keyFile = key
            guard case .keyFile(key, _)? = thrown({ _ = try TLSContext(forClients: settings) })
            else {
                Issue.record("\(key) was taken")
                continue
            }
        }
    }

    @Test func `certificate and key for servers come together`() {
        var settings = ServerTLSSettings()
        settings.certificateFile = certificates.certificate
        #expect(
            thrown { _ = try TLSContext(forServers: settings) }
                == .certificateWithoutKey(certificates.certificate))
        settings.certificateFile = nil
        settings.keyFile = certificates.key
        #expect(
            thrown { _ = try TLSContext(forServers: settings) }
                == .keyWithoutCertificate(certificates.key))
    }

    @Test func `unknown protocols, ciphers and authorities are refused`() {
        var settings = ServerTLSSettings()
        settings.protocols = "tlsv1.3,sslv2"
        #expect(thrown { _ = try TLSContext(forServers: settings) } == .protocols("sslv2"))
        settings.protocols = ""
        #expect(thrown { _ = try TLSContext(forServers: settings) } == .protocols(""))
        settings.protocols = "TLSv1.2, TLSv1.3"
        #expect(thrown { _ = try TLSContext(forServers: settings) } == nil)
        settings.ciphers = "no-such-cipher"
        #expect(
            thrown { _ = try TLSContext(forServers: settings) }
                == .ciphers("no-such-cipher", reason: "no cipher match"))
        settings.ciphers = "default"
        settings.cipherSuites = "no-such-suite"
        guard case .cipherSuites? = thrown({ _ = try TLSContext(forServers: settings) }) else {
            Issue.record("the suite was taken")
            return
        }
        settings.cipherSuites = nil
        settings.mode = .verifyCA
        settings.authorityFile = certificates.garbage
        guard case .authorityFile? = thrown({ _ = try TLSContext(forServers: settings) }) else {
            Issue.record("the authority was taken")
            return
        }
    }

    @Test func `a cipher suite that is set is used`() throws {
        var pair = try Pair(certificates) { forServers, _ in
            forServers.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256"
        }
        try pair.start()
        try pair.settle()
        let cipher = pair.server.cipherName
        #expect(cipher == "TLS_CHACHA20_POLY1305_SHA256")
    }

    @Test func `sides without a version in common do not connect`() throws {
        var pair = try Pair(certificates) { forServers, forClients in
            forServers.protocols = "tlsv1.2"
            forClients.protocols = "tlsv1.3"
        }
        try pair.start()
        guard case .handshakeFailed? = thrown({ try pair.deliverToServer() }) else {
            Issue.record("the server went on")
            return
        }
        // The alert says why.
        guard case .handshakeFailed(let reason)? = thrown({ try pair.deliverToClient() }) else {
            Issue.record("the client went on")
            return
        }
        #expect(reason.contains("protocol version"))
    }

    // Whom we trust.

    @Test(arguments: [TLSMode.require, .verifyCA, .verifyFull])
    func `a server of the authority is let in under its name`(_ mode: TLSMode) throws {
        for name in ["localhost", "127.0.0.1"] {
            #expect(try refusal(mode: mode, name: name) == nil)
        }
    }

    @Test func `verify-full compares the name, verify-ca does not`() throws {
        for name in ["db.example.org", "127.0.0.2", "::1"] {
            #expect(try refusal(mode: .verifyCA, name: name) == nil)
            guard
                case .certificateRefused(let reason)? = try refusal(
                    mode: .verifyFull, name: name)
            else {
                Issue.record("\(name) was let in")
                continue
            }
            #expect(reason.contains("mismatch"))
        }
    }

    @Test func `a server of nobody's authority is refused where it is verified`() throws {
        #expect(try refusal(mode: .require, name: "localhost", isOther: true) == nil)
        for mode in [TLSMode.verifyCA, .verifyFull] {
            guard
                case .certificateRefused? = try refusal(
                    mode: mode, name: "localhost", isOther: true)
            else {
                Issue.record("let in under \(mode)")
                continue
            }
        }
    }

    @Test func `verify-full needs a name, and a name has no NUL`() throws {
        var settings = ServerTLSSettings()
        settings.mode = .verifyFull
        settings.authorityFile = certificates.certificate
        let context = try TLSContext(forServers: settings)
        for name in [nil, ""] {
            #expect(
                thrown { _ = try TLSConnection(context: context, serverName: name) }
                    == .serverNameMissing)
        }
        for name in ["localhost\u{0}.example.org", String(repeating: "a", count: 300)] {
            #expect(
                thrown { _ = try TLSConnection(context: context, serverName: name) }
                    == .serverNameUnusable(name))
        }
    }

    @Test func `clients must show a certificate where they are verified`() throws {
        #expect(try clientRefusal(certificate: nil, key: nil) != nil)
        #expect(
            try clientRefusal(
                certificate: certificates.otherCertificate, key: certificates.otherKey) != nil)
        #expect(
            try clientRefusal(certificate: certificates.certificate, key: certificates.key)
                == nil)
    }

    /// What a client of `mode` says to a server that shows the trusted certificate, or the other.
    private func refusal(mode: TLSMode, name: String, isOther: Bool = false) throws -> TLSError? {
        var pair = try Pair(certificates, serverName: name) { forServers, forClients in
            forServers.mode = mode
            forServers.authorityFile = certificates.certificate
            guard isOther else { return }
            forClients.certificateFile = certificates.otherCertificate
            forClients.keyFile = certificates.otherKey
        }
        try pair.start()
        try pair.deliverToServer()
        let error = thrown { try pair.deliverToClient() }
        let isEstablished = pair.client.isEstablished
        #expect(isEstablished == (error == nil))
        return error
    }

    /// What a server that verifies clients says to this one.
    private func clientRefusal(certificate: String?, key: String?) throws -> TLSError? {
        var pair = try Pair(certificates) { forServers, forClients in
            forServers.certificateFile = certificate
            forServers.keyFile = key
            forClients.mode = .verifyCA
            forClients.authorityFile = certificates.certificate
        }
        try pair.start()
        try pair.deliverToServer()
        try pair.deliverToClient()
        let error = thrown { try pair.deliverToServer() }
        let isEstablished = pair.server.isEstablished
        #expect(isEstablished == (error == nil))
        return error
    }
}
