// A file that grows at its end: the log.

internal import CURing
internal import Glibc

/// A file opened for appending. What several threads append is whole lines, if each is one call.
public final class AppendedFile: Sendable {
    public static let standardError = AppendedFile(descriptor: 2)

    private let descriptor: Int32

    /// Makes the file if need be, for its owner to write and its group to read.
    public init(path: String) throws(SocketError) {
        // Safe: the text is only read, during the call.
        let opened = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard opened >= 0 else { throw SocketError(call: "open \(path)", errno: curing_errno()) }
        descriptor = opened
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { if descriptor > 2 { _ = Glibc.close(descriptor) } }

    /// Writes all of `text`, or what the file takes: a full disk must not stop the process.
    public func append(_ text: String) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            // Safe: reads `bytes` from `offset` to its end.
            let written = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset...])
                return unsafe write(descriptor, rest.baseAddress, rest.count)
            }
            if written > 0 {
                offset += written
            } else if curing_errno() != EINTR {
                return
            }
        }
    }
}
