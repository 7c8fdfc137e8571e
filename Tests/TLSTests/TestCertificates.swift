import Foundation

/// Certificates made by the `openssl` command, once for each run of the tests.
///
/// `server` names localhost and 127.0.0.1 and signed itself; so did `other`, which nobody trusts.
struct TestCertificates: Sendable {
    let directory: String

    static let shared = Result { try TestCertificates() }

    var certificate: String { directory + "/server.crt" }
    var key: String { directory + "/server.key" }
    var otherCertificate: String { directory + "/other.crt" }
    var otherKey: String { directory + "/other.key" }
    /// A key behind a pass phrase.
    var lockedKey: String { directory + "/locked.key" }
    /// A file that holds nothing of the kind.
    var garbage: String { directory + "/garbage.pem" }

    private init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("tls-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        directory = url.path
        for name in ["server", "other"] {
            try openssl([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                "\(directory)/\(name).key", "-out", "\(directory)/\(name).crt",
            ])
        }
        try openssl([
            "ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", lockedKey,
        ])
        try Data("this is no certificate\n".utf8).write(to: URL(fileURLWithPath: garbage))
        Self.removeAtExit()
    }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CocoaError(.fileWriteUnknown)
        }
    }

    private static func removeAtExit() {
        atexit {
            guard case .success(let made) = TestCertificates.shared else { return }
            // Nothing can be told to anybody any more.
            _ = try? FileManager.default.removeItem(atPath: made.directory)
        }
    }
}
