// Sockets by number: making, setting, looking at, closing. What moves bytes is the loop's.

internal import CURing
internal import Glibc

/// Calls on sockets. A number is owned by who got it, until `close`.
public enum Sockets {
    /// A non-blocking, close-on-exec stream socket of the family of `address`.
    public static func socket(for address: SocketAddress) throws(SocketError) -> Int32 {
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let made = Glibc.socket(address.domain, Int32(kind), 0)
        guard made >= 0 else { throw SocketError(call: "socket", errno: curing_errno()) }
        return made
    }

    /// Two sockets, non-blocking and close-on-exec, each the other's peer; nil = no files are left.
    public static func pair() -> (Int32, Int32)? {
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        var ends: [Int32] = [-1, -1]
        // Safe: the call writes two numbers, ours.
        let result = unsafe ends.withUnsafeMutableBufferPointer {
            unsafe socketpair(AF_UNIX, Int32(kind), 0, $0.baseAddress)
        }
        return result == 0 ? (ends[0], ends[1]) : nil
    }

    /// Ends both directions; pending receives and polls complete. Errors mean it is ended already.
    public static func shutdown(_ socket: Int32) {
        _ = Glibc.shutdown(socket, Int32(SHUT_RDWR))
    }

    public static func close(_ socket: Int32) {
        _ = Glibc.close(socket)
    }

    // MARK: Settings. Failures are not worth ending a connection for: false tells of one.

    /// Small writes leave at once. tcp(7) TCP_NODELAY.
    @discardableResult
    public static func setNoDelay(_ socket: Int32) -> Bool {
        set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Probes of an idle peer, in seconds; 0 = the kernel's own value. tcp(7) TCP_KEEPIDLE.
    @discardableResult
    public static func setKeepalive(
        _ socket: Int32, idle: Int32 = 0, interval: Int32 = 0, count: Int32 = 0
    ) -> Bool {
        var isSet = set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
        let tcp = Int32(IPPROTO_TCP)
        if idle > 0 { isSet = set(socket, tcp, TCP_KEEPIDLE, idle) && isSet }
        if interval > 0 { isSet = set(socket, tcp, TCP_KEEPINTVL, interval) && isSet }
        if count > 0 { isSet = set(socket, tcp, TCP_KEEPCNT, count) && isSet }
        return isSet
    }

    /// How long sent bytes may stay unacknowledged. tcp(7) TCP_USER_TIMEOUT.
    @discardableResult
    public static func setUserTimeout(_ socket: Int32, milliseconds: Int32) -> Bool {
        set(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, milliseconds)
    }

    /// Of both directions. The kernel doubles it. socket(7) SO_SNDBUF, SO_RCVBUF.
    @discardableResult
    public static func setBufferSizes(_ socket: Int32, byteCount: Int32) -> Bool {
        let sends = set(socket, SOL_SOCKET, SO_SNDBUF, byteCount)
        return set(socket, SOL_SOCKET, SO_RCVBUF, byteCount) && sends
    }

    static func set(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
        var value = value
        // Safe: setsockopt reads the four bytes of `value`.
        return unsafe setsockopt(socket, level, option, &value, 4) == 0
    }

    // MARK: Looking

    /// The other end; nil when not connected. A unix client has no name: `description` is "unix".
    public static func peerAddress(_ socket: Int32) -> SocketAddress? {
        unsafe address { unsafe getpeername(socket, $0, $1) }
    }

    /// Our end; after listening on port 0 it has the port that the kernel chose.
    public static func localAddress(_ socket: Int32) -> SocketAddress? {
        unsafe address { unsafe getsockname(socket, $0, $1) }
    }

    private static func address(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Safe: the call writes at most `byteCount` bytes.
        let result = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call($0, &byteCount)
            }
        }
        guard result == 0 else { return nil }
        return SocketAddress(storage, byteCount: byteCount)
    }

    /// Who is at the other end of a unix socket.
    public struct PeerCredentials: Sendable, Equatable {
        public let processID: Int32
        public let userID: UInt32
        public let groupID: UInt32
    }

    /// nil when `socket` is not a connected unix socket. unix(7) SO_PEERCRED.
    public static func peerCredentials(_ socket: Int32) -> PeerCredentials? {
        var process: Int32 = 0
        var user = UInt32.max
        var group = UInt32.max
        // Safe: the call writes these three.
        guard unsafe curing_peer_credentials(socket, &process, &user, &group) == 0 else {
            return nil
        }
        // A TCP socket answers too, with nobody.
        guard process != 0 else { return nil }
        return PeerCredentials(processID: process, userID: user, groupID: group)
    }

    /// What a quiet socket holds.
    public enum UnreadBytes: Sendable, Equatable {
        /// Nothing, and it is open.
        case clean
        /// Bytes that nobody has received.
        case unread
        /// The peer has closed, or the socket has failed.
        case closed
    }

    /// Looks without taking. One system call.
    public static func hasUnreadBytes(_ socket: Int32) -> UnreadBytes {
        var byte: UInt8 = 0
        let flags = Int32(MSG_PEEK | MSG_DONTWAIT)
        while true {
            // Safe: recv writes at most the one byte.
            let count = unsafe recv(socket, &byte, 1, flags)
            if count > 0 { return .unread }
            if count == 0 { return .closed }
            let code = curing_errno()
            if code == EAGAIN { return .clean }
            if code != EINTR { return .closed }
        }
    }
}
