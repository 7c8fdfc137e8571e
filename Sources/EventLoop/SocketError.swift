// A system call that failed.

internal import CURing
internal import Glibc

/// What the kernel refused, and why.
public struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call, with what it was about: "bind 127.0.0.1:6432".
    public let call: String
    /// errno(3).
    public let errno: Int32

    public init(call: String, errno: Int32) {
        self.call = call
        self.errno = errno
    }

    /// The kernel's words: "Address already in use".
    public var text: String { SocketError.text(of: errno) }
    public var description: String { "\(call): \(text)" }

    /// strerror(3) of `code`, for any thread.
    public static func text(of code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 128)
        // Safe: the call writes at most the given count, with a terminator.
        unsafe curing_error_text(code, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
