import Bytes
import EventLoop
import Glibc
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:6432"), ("0.0.0.0", "0.0.0.0:6432"), ("::", "[::]:6432"),
        ("::1", "[::1]:6432"), ("2001:db8::5", "[2001:db8::5]:6432"),
        ("fe80::1%7", "[fe80::1%7]:6432"),
    ])
    func `a numeric address reads back`(_ host: String, _ text: String) throws {
        let address = try #require(SocketAddress(numeric: host, port: 6432))
        #expect(address.host == host)
        #expect(address.port == 6432)
        #expect(address.description == text)
        #expect(address.with(port: 1).port == 1)
    }

    @Test(arguments: ["", "localhost", "1.2.3", "1.2.3.4.5", "fe80::1%", "%", "/tmp", "::g"])
    func `what is not numeric is refused`(_ host: String) {
        #expect(SocketAddress(numeric: host, port: 1) == nil)
    }

    @Test func `a unix path has a longest length`() throws {
        let longest = String(repeating: "a", count: SocketAddress.unixPathByteCountMax)
        let address = try SocketAddress(unixPath: longest)
        #expect(address.family == .unix)
        #expect(address.host == "unix")
        #expect(address.unixPath == longest)
        #expect(throws: SocketError.self) { try SocketAddress(unixPath: longest + "a") }
        #expect(throws: SocketError.self) { try SocketAddress(unixPath: "") }
    }
}

@Suite struct SocketsTests {
    private func temporaryPath(_ name: String) -> String {
        "/tmp/pgweir-test-\(getpid())-\(name)"
    }

    private func isTaken(_ body: () throws -> Int32) -> Bool {
        do {
            Sockets.close(try body())
            return false
        } catch let error as SocketError {
            return error.errno == EADDRINUSE
        } catch {
            return false
        }
    }

    @Test func `a stale unix socket file is replaced, a live one is not`() throws {
        let path = temporaryPath("stale")
        defer { Sockets.removeUnixFile(path) }
        let dead = try Sockets.listenUnix(path: path, mode: 0o700, backlog: 4)
        Sockets.close(dead)
        var status = stat()
        #expect(unsafe lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        let live = try Sockets.listenUnix(path: path, mode: 0o777, backlog: 4)
        #expect(isTaken { try Sockets.listenUnix(path: path, mode: 0o777, backlog: 4) })
        Sockets.close(live)
    }

    @Test func `a file that is not a socket is left alone`() throws {
        let path = temporaryPath("file")
        let file = unsafe creat(path, 0o600)
        #expect(file >= 0)
        Sockets.close(file)
        defer { _ = unsafe unlink(path) }
        let refusal = SocketError(call: "listen on \(path), which is not a socket", errno: EEXIST)
        #expect(throws: refusal) {
            try Sockets.listenUnix(path: path, mode: 0o777, backlog: 4)
        }
    }

    @Test func `a group that is not there is refused`() {
        let path = temporaryPath("group")
        defer { Sockets.removeUnixFile(path) }
        #expect(throws: SocketError.self) {
            try Sockets.listenUnix(path: path, mode: 0o777, group: "no such group", backlog: 4)
        }
    }

    @Test(arguments: ["@pgweir-test-abstract", "/tmp/pgweir-test-peer"])
    func `unix sockets connect, and the peer is known`(_ name: String) throws {
        let path = "\(name)-\(getpid())"
        let listener = try Sockets.listenUnix(path: path, mode: 0o777, backlog: 4)
        defer { Sockets.removeUnixFile(path) }
        let world = try LoopWorld()
        let address = try SocketAddress(unixPath: path)
        #expect(Sockets.localAddress(listener) == address)
        let client = try Sockets.socket(for: address)
        world.loop.accept(on: listener, token: token(1))
        world.loop.connect(client, to: address, token: token(2))
        #expect(world.next(2)?.result == 0)
        let server = try #require(world.next(1)).result
        #expect(Sockets.peerCredentials(server)?.userID == getuid())
        #expect(Sockets.peerCredentials(server)?.processID == getpid())
        #expect(Sockets.peerAddress(server)?.description == "unix")
        #expect(Sockets.hasUnreadBytes(server) == .clean)
        world.send("x", on: client)
        #expect(Sockets.hasUnreadBytes(server) == .unread)
        Sockets.close(client)
        world.loop.receive(on: server, token: token(3), isMultishot: false)
        #expect(world.next(3)?.result == 1)
        #expect(Sockets.hasUnreadBytes(server) == .closed)
        #expect(isTaken { try Sockets.listenUnix(path: path, mode: 0o777, backlog: 4) })
        for socket in [server, listener] { Sockets.close(socket) }
    }

    @Test func `TCP settings are accepted, and two listeners do not share a port`() throws {
        let any = try #require(SocketAddress(numeric: "127.0.0.1", port: 0))
        let listener = try Sockets.listenTCP(any, backlog: 4, deferAcceptSeconds: 45)
        let address = try #require(Sockets.localAddress(listener))
        #expect(address.port != 0)
        #expect(isTaken { try Sockets.listenTCP(address, backlog: 4) })
        let socket = try Sockets.socket(for: address)
        #expect(Sockets.setNoDelay(socket))
        #expect(Sockets.setKeepalive(socket, idle: 60, interval: 10, count: 3))
        #expect(Sockets.setUserTimeout(socket, milliseconds: 5000))
        #expect(Sockets.setBufferSizes(socket, byteCount: 65536))
        #expect(Sockets.peerCredentials(socket) == nil)
        #expect(Sockets.peerAddress(socket) == nil)
        Sockets.close(socket)
        Sockets.close(listener)
    }

    @Test func `an error has the call and the kernel's words`() {
        let error = SocketError(call: "bind 127.0.0.1:80", errno: EACCES)
        #expect(error.description == "bind 127.0.0.1:80: Permission denied")
    }
}
