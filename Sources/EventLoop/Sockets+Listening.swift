// Sockets that clients come to.

internal import CURing
internal import Glibc

extension Sockets {
    /// Listens on an IPv4 or IPv6 address; port 0 = any free one, see `localAddress`.
    ///
    /// `deferAcceptSeconds` > 0: a client is handed over when its first bytes are there, or that
    /// time has gone. tcp(7) TCP_DEFER_ACCEPT.
    public static func listenTCP(
        _ address: SocketAddress, backlog: Int32, deferAcceptSeconds: Int32 = 0
    ) throws(SocketError) -> Int32 {
        let made = try socket(for: address)
        do {
            // Without it a restart would wait for the old connections' TIME_WAIT.
            _ = set(made, SOL_SOCKET, SO_REUSEADDR, 1)
            // So that "::" and "0.0.0.0" can both be had.
            if address.family == .ipv6 { _ = set(made, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
            if deferAcceptSeconds > 0 {
                _ = set(made, Int32(IPPROTO_TCP), TCP_DEFER_ACCEPT, deferAcceptSeconds)
            }
            try bind(made, to: address)
            try listen(made, on: address, backlog: backlog)
        } catch {
            close(made)
            throw error
        }
        return made
    }

    /// Listens on a unix socket, "@name" in the abstract namespace.
    ///
    /// A file that a dead process left is removed; when somebody answers on it, that is
    /// EADDRINUSE, and what is not a socket is EEXIST. `mode` and `group` (a name or number, nil =
    /// as made) are set before the first client can come. The caller removes the file at its end.
    public static func listenUnix(
        path: String, mode: UInt32, group: String? = nil, backlog: Int32
    ) throws(SocketError) -> Int32 {
        let address = try SocketAddress(unixPath: path)
        let isFile = !path.hasPrefix("@")
        if isFile { try removeStaleFile(address, path) }
        let made = try socket(for: address)
        do {
            try bind(made, to: address)
            if isFile {
                try setOwnership(of: path, mode: mode, group: group)
            }
            try listen(made, on: address, backlog: backlog)
        } catch {
            close(made)
            throw error
        }
        return made
    }

    /// Removes the file of a unix socket; no error when it is gone already.
    public static func removeUnixFile(_ path: String) {
        guard !path.hasPrefix("@") else { return }
        _ = unsafe unlink(path)
    }

    private static func removeStaleFile(
        _ address: SocketAddress, _ path: String
    ) throws(SocketError) {
        var status = stat()
        // Safe: lstat writes one stat, ours.
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SocketError(call: "listen on \(path), which is not a socket", errno: EEXIST)
        }
        let probe = try socket(for: address)
        defer { close(probe) }
        let code = connectNow(probe, to: address)
        switch code {
        case ECONNREFUSED:
            guard unsafe unlink(path) == 0 || curing_errno() == ENOENT else {
                throw SocketError(call: "remove stale \(path)", errno: curing_errno())
            }
        case ENOENT:
            break
        case EACCES, EPERM:
            throw SocketError(call: "listen on \(path)", errno: code)
        default:
            // Connected, or its backlog is full: somebody is there.
            throw SocketError(call: "listen on \(path)", errno: EADDRINUSE)
        }
    }

    private static func setOwnership(
        of path: String, mode: UInt32, group: String?
    ) throws(SocketError) {
        if let group {
            guard let number = UInt32(group) ?? groupID(named: group) else {
                throw SocketError(call: "group \(group) of \(path)", errno: ENOENT)
            }
            guard unsafe chown(path, uid_t.max, number) == 0 else {
                throw SocketError(call: "chown \(path) to group \(group)", errno: curing_errno())
            }
        }
        guard unsafe chmod(path, mode) == 0 else {
            throw SocketError(call: "chmod \(path)", errno: curing_errno())
        }
    }

    private static func groupID(named name: String) -> UInt32? {
        var entry = unsafe group()
        var found: UnsafeMutablePointer<group>?
        var text = [CChar](repeating: 0, count: 65536)
        // Safe: getgrnam_r writes into `entry` and at most `text.count` bytes into `text`.
        let result = unsafe getgrnam_r(name, &entry, &text, text.count, &found)
        guard result == 0, unsafe found != nil else { return nil }
        return unsafe entry.gr_gid
    }

    /// connect(2) on a non-blocking socket: 0, or errno; EINPROGRESS when it goes on.
    static func connectNow(_ socket: Int32, to address: SocketAddress) -> Int32 {
        let result = unsafe withAddress(address) { unsafe Glibc.connect(socket, $0, $1) }
        return result == 0 ? 0 : curing_errno()
    }

    private static func bind(_ socket: Int32, to address: SocketAddress) throws(SocketError) {
        let result = unsafe withAddress(address) { unsafe Glibc.bind(socket, $0, $1) }
        guard result == 0 else {
            throw SocketError(call: "bind \(address)", errno: curing_errno())
        }
    }

    private static func listen(
        _ socket: Int32, on address: SocketAddress, backlog: Int32
    ) throws(SocketError) {
        guard Glibc.listen(socket, backlog) == 0 else {
            throw SocketError(call: "listen on \(address)", errno: curing_errno())
        }
    }

    private static func withAddress(
        _ address: SocketAddress, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var storage = sockaddr_storage()
        // Safe: `write` fills `storage` and says how much of it counts.
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            let byteCount = unsafe address.write(to: pointer)
            return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call($0, byteCount)
            }
        }
    }
}
