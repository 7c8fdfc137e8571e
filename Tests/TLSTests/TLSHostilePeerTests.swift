import Bytes
import TLS
import Testing

@Suite struct TLSHostilePeerTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.shared.get() }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "\u{0}\u{0}\u{0}\u{8}\u{4}\u{d2}\u{16}/",
        "Q\u{0}\u{0}\u{0}\u{5}\u{0}", "hello, hello, hello",
    ])
    func `what is no handshake throws`(_ text: String) throws {
        var pair = try Pair(certificates)
        pair.toServer.append(utf8: text)
        let error = thrown { try pair.deliverToServer() }
        guard case .handshakeFailed(let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!reason.isEmpty && reason != "no reason given")
        pair.toServer.append(1)
        #expect(thrown { try pair.deliverToServer() } == .ended)
    }

    @Test(arguments: Array(1...200 as ClosedRange<UInt64>))
    func `random bytes instead of either flight never trap`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var pair = try Pair(certificates)
        try pair.start()
        // Half of them look like the header of a handshake record.
        let header: [UInt8] = seed.isMultiple(of: 2) ? [22, 3, 1, 0, 200] : []
        let noise = header + (0..<400).map { _ in UInt8.random(in: 0...255, using: &random) }
        pair.toServer.removeAll()
        pair.toServer.append(noise)
        let atServer = thrown { try pair.deliverToServer() }
        #expect(atServer != nil, "seed \(seed)")
        pair.toClient.removeAll()
        pair.toClient.append(noise)
        let atClient = thrown { try pair.deliverToClient() }
        #expect(atClient != nil, "seed \(seed)")
    }

    @Test func `a changed byte in a record throws, and what came before it is kept`() throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.settle()
        try pair.clientSends([1, 2, 3])
        try pair.deliverToServer()
        try pair.clientSends([4, 5, 6])
        var record = pair.toServer.bytes.array()
        record[record.count - 1] ^= 1
        pair.toServer.removeAll()
        pair.toServer.append(record)
        let error = thrown { try pair.deliverToServer() }
        guard case .connectionFailed? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let received = pair.received.atServer
        #expect(received == [1, 2, 3])
        // The alert tells the client.
        let alertCount = pair.toClient.count
        #expect(alertCount > 0)
        let atClient = thrown { try pair.deliverToClient() }
        guard case .connectionFailed? = atClient else {
            Issue.record("\(String(describing: atClient))")
            return
        }
    }

    // From byte 5 on: the version in the record's header is ignored (RFC 8446, section 5.1).
    @Test(arguments: Array(5..<155))
    func `a changed byte in the client's first flight never gives a connection`(
        _ offset: Int
    ) throws {
        var pair = try Pair(certificates)
        try pair.start()
        var flight = pair.toServer.bytes.array()
        flight[offset] ^= 0x55
        pair.toServer.removeAll()
        pair.toServer.append(flight)
        _ = thrown { try pair.settle() }
        let areEstablished = pair.areEstablished
        #expect(!areEstablished)
    }
}
