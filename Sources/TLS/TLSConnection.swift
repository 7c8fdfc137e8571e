public import Bytes
internal import COpenSSL

/// How a connection stands after bytes came in.
public enum TLSProgress: Sendable, Equatable {
    /// More may come.
    case open
    /// The peer sent close_notify; nothing more will be decrypted.
    case closedByPeer
}

/// One TLS connection: bytes in, bytes out, no I/O.
///
///     socket → receive(ciphertext) → plaintext
///                      └→ toPeer → socket ← toPeer ← send(plaintext)
///
/// May move between threads, but is used by one at a time. Costs about 14 kB while idle.
/// When a method throws, `toPeer` may hold an alert that tells the peer why; the connection can
/// only be closed then.
@safe public struct TLSConnection: ~Copyable, @unchecked Sendable {
    // Safe: this value owns `ssl` until `deinit`; `ssl` owns the BIO and with it `io`, and keeps
    // the context's SSL_CTX alive.
    private let ssl: OpaquePointer
    private let io: UnsafeMutablePointer<pgweir_tls_io>
    private let role: TLSContext.Role
    /// Set by an error and by close_notify of either side.
    private var isEnded: Bool
    private var wasEstablished: Bool

    /// The role comes from the context. `serverName` matters when we are the client: it is sent
    /// as SNI unless it is an address, and compared with the certificate under verify-full.
    public init(context: TLSContext, serverName: String?) throws(TLSError) {
        let (ssl, io) = try unsafe Self.make(context, serverName: serverName)
        unsafe self.ssl = ssl
        unsafe self.io = io
        role = context.role
        isEnded = false
        wasEstablished = false
    }

    deinit { unsafe SSL_free(ssl) }

    /// Whether the handshake is done, so that `send` may be called.
    public var isEstablished: Bool { wasEstablished && !isEnded }

    /// Such as "TLSv1.3". "unknown" before the handshake has got that far.
    public var protocolVersion: String {
        // Safe: a constant of OpenSSL's.
        unsafe SSL_get_version(ssl).map { unsafe String(cString: $0) } ?? "unknown"
    }

    /// Such as "TLS_AES_256_GCM_SHA384". "(NONE)" before the handshake has got that far.
    public var cipherName: String {
        // Safe: a constant of OpenSSL's.
        unsafe SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))
            .map { unsafe String(cString: $0) } ?? "(NONE)"
    }

    /// As client: appends the first flight. As server: nothing.
    public mutating func start(toPeer: inout ByteBuffer) throws(TLSError) {
        guard !isEnded else { throw .ended }
        guard role == .client else { return }
        let outcome = unsafe perform(toPeer: &toPeer) { ssl in unsafe SSL_do_handshake(ssl) }
        guard outcome == .wantsMore || outcome == .done else { throw fail(outcome) }
    }

    /// Takes all of `ciphertext`; appends what it decrypts to `plaintext`, and what must be sent
    /// (handshake, alerts) to `toPeer`.
    ///
    /// Throws `.ended` after an error, and after the peer has closed. What was decrypted before an
    /// error is in `plaintext` and genuine.
    public mutating func receive(
        _ ciphertext: borrowing RawSpan, plaintext: inout ByteBuffer, toPeer: inout ByteBuffer
    ) throws(TLSError) -> TLSProgress {
        guard !isEnded else { throw .ended }
        // Safe: `in` is lent to OpenSSL for the time of this closure, within its count.
        let outcome = unsafe ciphertext.withUnsafeBytes { bytes -> Outcome in
            unsafe io.pointee.in = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe io.pointee.in_count = bytes.count
            defer {
                unsafe io.pointee.in = nil
                unsafe io.pointee.in_count = 0
            }
            return read(plaintext: &plaintext, toPeer: &toPeer)
        }
        switch outcome {
        case .wantsMore, .done:
            return .open
        case .closed:
            isEnded = true
            return .closedByPeer
        case .failed:
            throw fail(outcome)
        }
    }

    /// Encrypts all of `plaintext` and appends it to `toPeer`.
    public mutating func send(
        _ plaintext: borrowing RawSpan, toPeer: inout ByteBuffer
    ) throws(TLSError) {
        guard !isEnded else { throw .ended }
        guard isEstablished else { throw .notEstablished }
        guard plaintext.byteCount > 0 else { return }
        // Safe: OpenSSL reads `bytes.count` bytes before it returns.
        let outcome = unsafe plaintext.withUnsafeBytes { bytes in
            unsafe perform(toPeer: &toPeer) { ssl in
                var written = 0
                return unsafe SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
            }
        }
        guard outcome == .done else { throw fail(outcome) }
    }

    /// Appends close_notify, if the connection was established and has not ended.
    public mutating func close(toPeer: inout ByteBuffer) {
        guard isEstablished else {
            isEnded = true
            return
        }
        _ = unsafe perform(toPeer: &toPeer) { ssl in unsafe SSL_shutdown(ssl) }
        isEnded = true
    }
}

extension TLSConnection {
    /// What one call of OpenSSL came to.
    private enum Outcome {
        case done
        /// All input is used up.
        case wantsMore
        case closed
        case failed
    }

    /// Handshakes and decrypts until the input is used up.
    private mutating func read(
        plaintext: inout ByteBuffer, toPeer: inout ByteBuffer
    ) -> Outcome {
        if !wasEstablished {
            let outcome = unsafe perform(toPeer: &toPeer) { ssl in unsafe SSL_do_handshake(ssl) }
            guard outcome == .done else { return outcome }
            wasEstablished = true
        }
        while true {
            // Room for what can come of the bytes at hand, at most one record's worth.
            let ready = unsafe Int(SSL_pending(ssl)) + io.pointee.in_count
            var outcome = Outcome.failed
            unsafe plaintext.appendUninitialized(byteCount: min(max(ready, 256), 16_384)) { room in
                var byteCount = 0
                outcome = unsafe perform(toPeer: &toPeer) { ssl in
                    unsafe SSL_read_ex(ssl, room.baseAddress, room.count, &byteCount)
                }
                return byteCount
            }
            guard outcome == .done else { return outcome }
        }
    }

    /// Runs one call of OpenSSL whose output goes to `toPeer`.
    private func perform(
        toPeer: inout ByteBuffer, _ call: (OpaquePointer) -> Int32
    ) -> Outcome {
        // Safe: `out` names `toPeer` for the time of this closure; nobody else touches it then.
        unsafe withUnsafeMutablePointer(to: &toPeer) { out in
            unsafe io.pointee.out = UnsafeMutableRawPointer(out)
            unsafe io.pointee.append = { out, bytes, count in
                guard let out = unsafe out else { return }
                let buffer = unsafe out.assumingMemoryBound(to: ByteBuffer.self)
                let run = unsafe RawSpan(
                    _unsafeBytes: UnsafeRawBufferPointer(start: bytes, count: count))
                unsafe buffer.pointee.append(run)
            }
            defer {
                unsafe io.pointee.out = nil
                unsafe io.pointee.append = nil
            }
            // Errors that other connections left on this thread are not ours.
            ERR_clear_error()
            let result = unsafe call(ssl)
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_NONE: return .done
            case SSL_ERROR_WANT_READ: return .wantsMore
            case SSL_ERROR_ZERO_RETURN: return .closed
            default: return .failed
            }
        }
    }

    /// Ends the connection; the error that says why.
    private mutating func fail(_ outcome: Outcome) -> TLSError {
        isEnded = true
        guard outcome == .failed else {
            return .handshakeFailed(reason: "the peer closed the connection")
        }
        let verdict = unsafe SSL_get_verify_result(ssl)
        let reason = TLSContext.takeError()
        if wasEstablished { return .connectionFailed(reason: reason) }
        if verdict != Int(X509_V_OK), unsafe SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE {
            // Safe: a constant of OpenSSL's.
            let text = unsafe X509_verify_cert_error_string(verdict)
                .map { unsafe String(cString: $0) }
            return .certificateRefused(reason: text ?? reason)
        }
        return .handshakeFailed(reason: reason)
    }

    private static func make(
        _ context: TLSContext, serverName: String?
    ) throws(TLSError) -> (OpaquePointer, UnsafeMutablePointer<pgweir_tls_io>) {
        ERR_clear_error()
        guard let ssl = unsafe SSL_new(context.handle) else {
            throw .library(reason: TLSContext.takeError())
        }
        guard let io = unsafe pgweir_tls_attach(ssl) else {
            unsafe SSL_free(ssl)
            throw .library(reason: TLSContext.takeError())
        }
        switch context.role {
        case .server:
            unsafe SSL_set_accept_state(ssl)
        case .client:
            unsafe SSL_set_connect_state(ssl)
            do throws(TLSError) {
                try unsafe setServerName(serverName, of: ssl, isChecked: context.checksHost)
            } catch {
                unsafe SSL_free(ssl)
                throw error
            }
        }
        return unsafe (ssl, io)
    }

    private static func setServerName(
        _ name: String?, of ssl: OpaquePointer, isChecked: Bool
    ) throws(TLSError) {
        guard let name, !name.isEmpty else {
            guard !isChecked else { throw .serverNameMissing }
            return
        }
        // A name cut short at a NUL would be another name.
        guard !name.utf8.contains(0) else { throw .serverNameUnusable(name) }
        let rules = unsafe SSL_get0_param(ssl)
        // Addresses are no host names: not sent, and compared with the certificate's addresses.
        if let address = unsafe a2i_IPADDRESS(name) {
            unsafe ASN1_OCTET_STRING_free(address)
            guard isChecked else { return }
            guard unsafe X509_VERIFY_PARAM_set1_ip_asc(rules, name) == 1 else {
                throw .serverNameUnusable(name)
            }
            return
        }
        ERR_clear_error()
        guard unsafe pgweir_tls_set_server_name(ssl, name) == 1 else {
            throw .serverNameUnusable(name)
        }
        guard isChecked else { return }
        guard unsafe X509_VERIFY_PARAM_set1_host(rules, name, 0) == 1 else {
            throw .serverNameUnusable(name)
        }
    }
}
