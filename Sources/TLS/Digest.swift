internal import COpenSSL

/// Digests, keyed digests and random bytes, each in one call.
public enum Digest {
    /// 16 bytes. Where the system's policy (FIPS) has no MD5 the result is random, so that no
    /// proof ever fits.
    public static func md5(_ bytes: [UInt8]) -> [UInt8] {
        digest(bytes, byteCount: 16, Algorithms.shared.isMD5There ? .md5 : nil)
            ?? randomBytes(16)
    }

    /// 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        guard let digest = digest(bytes, byteCount: 32, .sha256) else {
            fatalError("OpenSSL has no SHA-256")
        }
        return digest
    }

    /// 32 bytes. Source: RFC 2104.
    public static func hmacSHA256(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        precondition(key.count <= Int(Int32.max))
        // Safe: OpenSSL reads each array within its count and writes 32 bytes.
        return unsafe [UInt8](unsafeUninitializedCapacity: 32) { out, count in
            let done = unsafe key.withUnsafeBytes { key in
                unsafe bytes.withUnsafeBytes { bytes in
                    unsafe pgweir_hmac_sha256(
                        key.baseAddress, key.count, bytes.baseAddress, bytes.count,
                        out.baseAddress)
                }
            }
            guard done == 1 else { fatalError("OpenSSL has no HMAC-SHA-256") }
            count = 32
        }
    }

    /// 32 bytes. `iterations` outside of 1 to 2^31 - 1 is moved there. About 0.3 µs for each
    /// iteration. Source: RFC 8018.
    public static func pbkdf2SHA256(
        password: [UInt8], salt: [UInt8], iterations: Int
    ) -> [UInt8] {
        precondition(password.count <= Int(Int32.max) && salt.count <= Int(Int32.max))
        let iterations = Int32(clamping: max(1, iterations))
        // Safe: OpenSSL reads each array within its count and writes 32 bytes.
        return unsafe [UInt8](unsafeUninitializedCapacity: 32) { out, count in
            let done = unsafe password.withUnsafeBytes { password in
                unsafe salt.withUnsafeBytes { salt in
                    unsafe pgweir_pbkdf2_sha256(
                        password.baseAddress, password.count, salt.baseAddress, salt.count,
                        iterations, out.baseAddress)
                }
            }
            guard done == 1 else { fatalError("OpenSSL has no PBKDF2 with SHA-256") }
            count = 32
        }
    }

    /// Whether both hold the same bytes; the time taken depends on the counts only.
    public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        guard !a.isEmpty else { return true }
        // Safe: both are `a.count` bytes long.
        return unsafe a.withUnsafeBytes { left in
            unsafe b.withUnsafeBytes { right in
                unsafe CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
            }
        }
    }

    /// Bytes that nobody can foresee. Stops the process if the system has none.
    public static func randomBytes(_ count: Int) -> [UInt8] {
        precondition(count >= 0 && count <= Int(Int32.max))
        guard count > 0 else { return [] }
        // Safe: RAND_bytes writes `count` bytes, for which there is room.
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { out, written in
            guard unsafe RAND_bytes(out.baseAddress, Int32(count)) == 1 else {
                fatalError("the system has no random bytes")
            }
            written = count
        }
    }

    private enum Algorithm { case md5, sha256 }

    private static func digest(
        _ bytes: [UInt8], byteCount: Int, _ algorithm: Algorithm?
    ) -> [UInt8]? {
        guard let algorithm else { return nil }
        var isDone = false
        // Safe: OpenSSL reads `bytes.count` bytes and writes `byteCount`, for which there is room.
        let result = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { out, count in
            let kind =
                switch algorithm {
                case .md5: unsafe Algorithms.shared.md5
                case .sha256: unsafe Algorithms.shared.sha256
                }
            isDone = unsafe bytes.withUnsafeBytes { bytes in
                unsafe EVP_Digest(bytes.baseAddress, bytes.count, out.baseAddress, nil, kind, nil)
                    == 1
            }
            count = isDone ? byteCount : 0
        }
        return isDone ? result : nil
    }

    /// Looked up once: a lookup for each digest takes a lock that all threads share.
    @safe private struct Algorithms: @unchecked Sendable {
        // Safe: immutable, counted by OpenSSL, and never given back.
        let md5: OpaquePointer?
        let sha256: OpaquePointer?

        var isMD5There: Bool { unsafe md5 != nil }

        static let shared = Algorithms()

        private init() {
            unsafe md5 = EVP_MD_fetch(nil, "MD5", nil)
            unsafe sha256 = EVP_MD_fetch(nil, "SHA256", nil)
            ERR_clear_error()
        }
    }
}
