// Why there is no loop, in words that tell an administrator what to do.

internal import CURing
internal import Glibc

/// What kept the loop from being made.
public enum EventLoopError: Error, Equatable, Sendable, CustomStringConvertible {
    /// This kernel, or this container, does not give us what the loop needs. `hint` says what
    /// would help.
    case unavailable(reason: String, hint: String)

    public var description: String {
        switch self {
        case .unavailable(let reason, let hint): "\(reason); \(hint)"
        }
    }

    /// What `code` of `call` means for who runs this process. io_uring_setup(2), errors.
    static func explaining(_ call: String, errno code: Int32) -> EventLoopError {
        let hint =
            switch code {
            case EPERM, EACCES:
                """
                io_uring is forbidden here: set sysctl kernel.io_uring_disabled=0, or allow the \
                io_uring system calls in the container's seccomp profile
                """
            case ENOSYS:
                """
                this kernel or sandbox has no io_uring: use Linux 6.1 or newer with \
                CONFIG_IO_URING, or a seccomp profile that allows it
                """
            case ENOMEM:
                "memory is short, or RLIMIT_MEMLOCK too small: raise LimitMEMLOCK (ulimit -l)"
            case EMFILE, ENFILE:
                "too many open files: raise LimitNOFILE (ulimit -n)"
            case EINVAL:
                "this kernel's io_uring lacks a flag that is needed: use Linux 6.1 or newer"
            default:
                "this was not expected: please report it with the kernel's version"
            }
        let text = SocketError.text(of: code)
        return .unavailable(reason: "\(call) failed: \(text) (errno \(code))", hint: hint)
    }

    static func missing(_ what: String, since version: String) -> EventLoopError {
        .unavailable(
            reason: "this kernel's io_uring has no \(what)", hint: "use Linux \(version) or newer")
    }
}
