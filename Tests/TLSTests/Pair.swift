import Bytes
import TLS

/// Both ends of one connection, with everything in flight in memory.
struct Pair: ~Copyable {
    var client: TLSConnection
    var server: TLSConnection
    /// Ciphertext on its way.
    var toServer = ByteBuffer()
    var toClient = ByteBuffer()
    /// Decrypted.
    var atServer = ByteBuffer()
    var atClient = ByteBuffer()

    init(client: TLSContext, server: TLSContext, serverName: String? = nil) throws {
        self.init(
            client: try TLSConnection(context: client, serverName: serverName),
            server: try TLSConnection(context: server, serverName: nil))
    }

    private init(client: consuming TLSConnection, server: consuming TLSConnection) {
        self.client = client
        self.server = server
    }

    /// As the settings of `certificates` have it, with what `change` makes of them.
    init(
        _ certificates: TestCertificates, serverName: String? = nil,
        _ change: (inout ServerTLSSettings, inout ClientTLSSettings) -> Void = { _, _ in }
    ) throws {
        var forServers = ServerTLSSettings()
        var forClients = ClientTLSSettings()
        forClients.certificateFile = certificates.certificate
        forClients.keyFile = certificates.key
        change(&forServers, &forClients)
        try self.init(
            client: TLSContext(forServers: forServers),
            server: TLSContext(forClients: forClients), serverName: serverName)
    }

    var areEstablished: Bool { client.isEstablished && server.isEstablished }
    var received: (atServer: [UInt8], atClient: [UInt8]) {
        (atServer.bytes.array(), atClient.bytes.array())
    }

    mutating func start() throws { try client.start(toPeer: &toServer) }

    /// Carries what is in flight, cut into pieces of at most `pieceByteCount`, until both rest.
    mutating func settle(pieceByteCount: Int = .max) throws {
        while !toServer.isEmpty || !toClient.isEmpty {
            try deliverToServer(pieceByteCount: pieceByteCount)
            try deliverToClient(pieceByteCount: pieceByteCount)
        }
    }

    @discardableResult
    mutating func deliverToServer(pieceByteCount: Int = .max) throws -> TLSProgress {
        var progress = TLSProgress.open
        while !toServer.isEmpty { progress = try deliverToServer(first: pieceByteCount) }
        return progress
    }

    @discardableResult
    mutating func deliverToClient(pieceByteCount: Int = .max) throws -> TLSProgress {
        var progress = TLSProgress.open
        while !toClient.isEmpty { progress = try deliverToClient(first: pieceByteCount) }
        return progress
    }

    /// Carries one piece only.
    @discardableResult
    mutating func deliverToServer(first byteCount: Int) throws -> TLSProgress {
        let piece = Self.take(byteCount, from: &toServer)
        return try server.receive(piece.bytes, plaintext: &atServer, toPeer: &toClient)
    }

    @discardableResult
    mutating func deliverToClient(first byteCount: Int) throws -> TLSProgress {
        let piece = Self.take(byteCount, from: &toClient)
        return try client.receive(piece.bytes, plaintext: &atClient, toPeer: &toServer)
    }

    mutating func clientSends(_ bytes: [UInt8]) throws {
        var buffer = ByteBuffer()
        buffer.append(bytes)
        try client.send(buffer.bytes, toPeer: &toServer)
    }

    mutating func serverSends(_ bytes: [UInt8]) throws {
        var buffer = ByteBuffer()
        buffer.append(bytes)
        try server.send(buffer.bytes, toPeer: &toClient)
    }

    private static func take(_ byteCount: Int, from buffer: inout ByteBuffer) -> ByteBuffer {
        var piece = ByteBuffer()
        piece.append(buffer.bytes.extracting(first: byteCount))
        buffer.consume(piece.count)
        return piece
    }
}
