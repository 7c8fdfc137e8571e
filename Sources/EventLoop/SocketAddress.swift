// Where a socket is, or goes.

internal import CURing
internal import Glibc

/// An IPv4, IPv6 or unix address.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Family: Sendable, Hashable {
        case ipv4
        case ipv6
        case unix
    }

    private enum Place: Sendable, Hashable {
        /// In network order, as in_addr.
        case ipv4(UInt32)
        /// In network order, as the two halves of in6_addr.
        case ipv6(UInt64, UInt64, scope: UInt32)
        /// A path, or a name of the abstract namespace with a leading "@"; empty: unnamed.
        case unix(String)
    }

    private let place: Place
    /// 0 for unix addresses.
    public let port: UInt16

    /// Longest unix path, in bytes. unix(7): sun_path with its terminator.
    public static let unixPathByteCountMax = 107

    /// An address in numbers, "127.0.0.1", "::1" or "fe80::1%eth0"; nil when `host` is not one.
    public init?(numeric host: String, port: UInt16) {
        self.port = port
        var four = in_addr()
        // Safe: inet_pton writes one in_addr or in6_addr, ours.
        if unsafe inet_pton(AF_INET, host, &four) == 1 {
            place = .ipv4(four.s_addr)
            return
        }
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        var scope: UInt32 = 0
        if parts.count == 2 {
            scope = unsafe UInt32(parts[1]) ?? if_nametoindex(String(parts[1]))
            guard scope != 0 else { return nil }
        }
        var six = in6_addr()
        guard let name = parts.first, unsafe inet_pton(AF_INET6, String(name), &six) == 1 else {
            return nil
        }
        place = SocketAddress.place(of: six, scope: scope)
    }

    /// A unix socket. "@name" is in the abstract namespace.
    public init(unixPath: String) throws(SocketError) {
        guard !unixPath.isEmpty, unixPath.utf8.count <= SocketAddress.unixPathByteCountMax,
            !unixPath.utf8.contains(0)
        else { throw SocketError(call: "unix path \(unixPath)", errno: ENAMETOOLONG) }
        place = .unix(unixPath)
        port = 0
    }

    /// What the kernel wrote; nil for families other than ours.
    @safe init?(_ storage: sockaddr_storage, byteCount: socklen_t) {
        // Safe: a sockaddr_storage is large enough and aligned for each of these.
        var storage = storage
        switch Int32(storage.ss_family) {
        case AF_INET:
            let address = unsafe withUnsafeBytes(of: &storage) {
                unsafe $0.load(as: sockaddr_in.self)
            }
            place = .ipv4(address.sin_addr.s_addr)
            port = UInt16(bigEndian: address.sin_port)
        case AF_INET6:
            let address = unsafe withUnsafeBytes(of: &storage) {
                unsafe $0.load(as: sockaddr_in6.self)
            }
            place = SocketAddress.place(of: address.sin6_addr, scope: address.sin6_scope_id)
            port = UInt16(bigEndian: address.sin6_port)
        case AF_UNIX:
            let end = min(Int(byteCount), MemoryLayout<sockaddr_un>.size)
            place = unsafe withUnsafeBytes(of: &storage) { raw in
                guard end > 2 else { return .unix("") }
                let path = unsafe raw[2..<end]
                guard unsafe path.first != 0 else {
                    return unsafe .unix("@" + String(decoding: path.dropFirst(), as: UTF8.self))
                }
                return unsafe .unix(String(decoding: path.prefix { $0 != 0 }, as: UTF8.self))
            }
            port = 0
        default:
            return nil
        }
    }

    private init(place: Place, port: UInt16) {
        self.place = place
        self.port = port
    }

    public var family: Family {
        switch place {
        case .ipv4: .ipv4
        case .ipv6: .ipv6
        case .unix: .unix
        }
    }

    /// "127.0.0.1", "::1", or "unix".
    public var host: String {
        switch place {
        case .ipv4(let bits):
            var four = in_addr(s_addr: bits)
            return unsafe SocketAddress.text(AF_INET, &four)
        case .ipv6(let high, let low, let scope):
            var halves = (high, low)
            let text = unsafe SocketAddress.text(AF_INET6, &halves)
            return scope == 0 ? text : "\(text)%\(scope)"
        case .unix:
            return "unix"
        }
    }

    /// The path of a unix socket, "@name" in the abstract namespace; nil for the others.
    public var unixPath: String? {
        guard case .unix(let path) = place else { return nil }
        return path
    }

    /// The same address with another port. Unix addresses have none and stay.
    public func with(port: UInt16) -> SocketAddress {
        family == .unix ? self : SocketAddress(place: place, port: port)
    }

    /// "127.0.0.1:5432", "[::1]:5432", or the path.
    public var description: String {
        switch place {
        case .ipv4: "\(host):\(port)"
        case .ipv6: "[\(host)]:\(port)"
        case .unix(let path): path.isEmpty ? "unix" : path
        }
    }

    /// AF_INET, AF_INET6 or AF_UNIX.
    var domain: Int32 {
        switch place {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Writes the address as the kernel wants it, and returns its length.
    func write(to storage: UnsafeMutablePointer<sockaddr_storage>) -> socklen_t {
        // Safe: a sockaddr_storage is large enough and aligned for each of these; a path was
        // checked to fit when the address was made.
        unsafe storage.initialize(to: sockaddr_storage())
        let raw = UnsafeMutableRawPointer(storage)
        switch place {
        case .ipv4(let bits):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = bits
            unsafe raw.storeBytes(of: address, as: sockaddr_in.self)
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        case .ipv6(let high, let low, let scope):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = unsafe unsafeBitCast((high, low), to: in6_addr.self)
            address.sin6_scope_id = scope
            unsafe raw.storeBytes(of: address, as: sockaddr_in6.self)
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        case .unix(let path):
            unsafe storage.pointee.ss_family = sa_family_t(AF_UNIX)
            let isAbstract = path.hasPrefix("@")
            var offset = 2
            for byte in path.utf8 {
                unsafe raw.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
                offset += 1
            }
            // The abstract name begins with a zero byte and has no terminator.
            if isAbstract { unsafe raw.storeBytes(of: 0, toByteOffset: 2, as: UInt8.self) }
            return socklen_t(isAbstract ? offset : offset + 1)
        }
    }

    private static func place(of address: in6_addr, scope: UInt32) -> Place {
        // Safe: sixteen bytes as two times eight.
        let halves = unsafe unsafeBitCast(address, to: (UInt64, UInt64).self)
        return .ipv6(halves.0, halves.1, scope: scope)
    }

    private static func text(_ domain: Int32, _ address: UnsafeRawPointer) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Safe: inet_ntop writes at most the given count, with a terminator.
        guard unsafe inet_ntop(domain, address, &text, socklen_t(text.count)) != nil else {
            return "?"
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
