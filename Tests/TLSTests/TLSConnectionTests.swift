import Bytes
import TLS
import Testing

@Suite struct TLSConnectionTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.shared.get() }

    @Test func `a handshake ends in TLS 1-3 and data goes both ways`() throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.settle()
        var areEstablished = pair.areEstablished
        #expect(areEstablished)
        let version = pair.client.protocolVersion
        let versionAtServer = pair.server.protocolVersion
        let cipher = pair.client.cipherName
        let cipherAtServer = pair.server.cipherName
        #expect(version == "TLSv1.3")
        #expect(versionAtServer == version)
        #expect(cipher.hasPrefix("TLS_"))
        #expect(cipherAtServer == cipher)

        try pair.clientSends(Array("question".utf8))
        try pair.serverSends(Array("answer".utf8))
        try pair.settle()
        let received = pair.received
        #expect(received.atServer == Array("question".utf8))
        #expect(received.atClient == Array("answer".utf8))
        areEstablished = pair.areEstablished
        #expect(areEstablished)
    }

    @Test func `TLS 1-2 works where it is all that is allowed`() throws {
        var pair = try Pair(certificates) { forServers, _ in forServers.protocols = "tlsv1.2" }
        try pair.start()
        try pair.settle()
        let version = pair.server.protocolVersion
        #expect(version == "TLSv1.2")
        try pair.clientSends([1, 2, 3])
        try pair.settle(pieceByteCount: 1)
        let received = pair.received.atServer
        #expect(received == [1, 2, 3])
    }

    @Test(arguments: [1, 2, 5, 7, 100])
    func `pieces of any size make the same connection`(_ pieceByteCount: Int) throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.settle(pieceByteCount: pieceByteCount)
        let areEstablished = pair.areEstablished
        #expect(areEstablished)
        let question = (0..<3000).map { UInt8(truncatingIfNeeded: $0) }
        try pair.clientSends(question)
        try pair.serverSends(question.reversed())
        try pair.settle(pieceByteCount: pieceByteCount)
        let received = pair.received
        #expect(received.atServer == question)
        #expect(received.atClient == question.reversed())
    }

    @Test func `a flight cut at any of its first 200 bytes is taken in two pieces`() throws {
        let forServers = try TLSContext(forServers: ServerTLSSettings())
        var settings = ClientTLSSettings()
        settings.certificateFile = certificates.certificate
        settings.keyFile = certificates.key
        let forClients = try TLSContext(forClients: settings)
        for cut in 1...200 {
            var pair = try Pair(client: forServers, server: forClients)
            try pair.start()
            // The first `cut` bytes of each direction come alone.
            var progress = try pair.deliverToServer(first: cut)
            #expect(progress == .open)
            try pair.deliverToServer()
            progress = try pair.deliverToClient(first: cut)
            #expect(progress == .open)
            try pair.settle()
            let areEstablished = pair.areEstablished
            #expect(areEstablished, "cut at byte \(cut)")

            let question = Array(repeating: UInt8(7), count: 300)
            try pair.clientSends(question)
            try pair.deliverToServer(first: cut)
            try pair.settle()
            let received = pair.received.atServer
            #expect(received == question, "cut at byte \(cut)")
        }
    }

    @Test func `many records in one receive are all taken`() throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.settle()
        let large = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try pair.serverSends(large)
        for _ in 0..<500 { try pair.serverSends([1]) }
        try pair.settle()
        let received = pair.received.atClient
        #expect(received == large + Array(repeating: 1, count: 500))
    }

    @Test func `data behind the client's last flight is taken with it`() throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.deliverToServer()
        try pair.deliverToClient()
        let isClientReady = pair.client.isEstablished
        let isServerReady = pair.server.isEstablished
        #expect(isClientReady)
        #expect(!isServerReady)
        try pair.clientSends([9, 8, 7])
        try pair.deliverToServer()
        let received = pair.received.atServer
        #expect(received == [9, 8, 7])
    }

    @Test func `sending nothing sends nothing`() throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.settle()
        try pair.clientSends([])
        let count = pair.toServer.count
        #expect(count == 0)
    }

    @Test func `sending before the handshake is done throws`() throws {
        var pair = try Pair(certificates)
        var error = thrown { try pair.clientSends([1]) }
        #expect(error == .notEstablished)
        error = thrown { try pair.serverSends([1]) }
        #expect(error == .notEstablished)
    }

    @Test func `starting as server sends nothing, and no bytes are no error`() throws {
        var pair = try Pair(certificates)
        try pair.server.start(toPeer: &pair.toClient)
        let progress = try pair.deliverToServer(first: 0)
        #expect(progress == .open)
        let count = pair.toClient.count
        #expect(count == 0)
    }

    @Test func `close reaches the peer, and nothing goes after it`() throws {
        var pair = try Pair(certificates)
        try pair.start()
        try pair.settle()
        try pair.clientSends([4])
        pair.client.close(toPeer: &pair.toServer)
        let progress = try pair.deliverToServer()
        #expect(progress == .closedByPeer)
        let received = pair.received.atServer
        #expect(received == [4])
        let isEstablished = pair.server.isEstablished
        #expect(!isEstablished)
        #expect(thrown { try pair.clientSends([5]) } == .ended)
        #expect(thrown { try pair.serverSends([5]) } == .ended)
    }

    @Test func `closing before the handshake is done sends nothing`() throws {
        var pair = try Pair(certificates)
        pair.client.close(toPeer: &pair.toServer)
        let count = pair.toServer.count
        #expect(count == 0)
        #expect(thrown { try pair.start() } == .ended)
    }
}

/// What `body` throws.
func thrown(_ body: () throws -> Void) -> TLSError? {
    do {
        try body()
        return nil
    } catch {
        return error as? TLSError
    }
}
