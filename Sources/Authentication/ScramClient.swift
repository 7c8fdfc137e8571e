internal import TLS

/// Our log-in to one server by SCRAM-SHA-256. Performs no I/O.
///
/// A server has proven itself only when `serverFinal` returned: who says that all is well before
/// that does not know the password. Source: RFC 5802, RFC 7677.
public struct ScramClient: Sendable {
    /// Most iterations that a server may ask of us: about 0.3 s of one core.
    public static let iterationsMax = 1_000_000

    private enum Credential: Sendable {
        case password(String)
        case keys(client: [UInt8], server: [UInt8])
    }

    private enum State: Sendable {
        /// To `waitingForFinal`, `ended`.
        case waitingForFirst
        /// To `ended`.
        case waitingForFinal(serverSignature: [UInt8])
        /// Final.
        case ended
    }

    private static let gs2Header = "n,,"

    private let credential: Credential
    private let clientNonce: String
    private var state = State.waitingForFirst

    /// Whether the server has shown that it knows the secret.
    public private(set) var isServerProven = false

    /// `clientNonce` is random, printable ASCII without commas, at least 18 characters.
    public init(password: String, clientNonce: String) {
        credential = .password(password)
        self.clientNonce = clientNonce
    }

    /// Pass-through: the keys of the secret that both this server and we hold, 32 bytes each.
    public init(clientKey: [UInt8], serverKey: [UInt8], clientNonce: String) {
        credential = .keys(client: clientKey, server: serverKey)
        self.clientNonce = clientNonce
    }

    /// The first message. Without the user's name, which the startup message has told.
    public func clientFirst() -> [UInt8] { Array(Self.gs2Header.utf8) + bare }

    /// Takes server-first, of at most 4096 bytes; returns client-final. Costs the server's number
    /// of iterations, unless we have the keys.
    public mutating func serverFirst(_ message: [UInt8]) throws(ScramError) -> [UInt8] {
        guard case .waitingForFirst = state else { throw .outOfTurn }
        state = .ended
        try ScramSyntax.checkLength(message, max: ScramSyntax.byteCountMax)
        let attributes = try ScramSyntax.attributes(
            of: message[...],
            opening: [UInt8(ascii: "r"), UInt8(ascii: "s"), UInt8(ascii: "i")])
        let nonce = attributes[0].value
        try ScramSyntax.checkNonce(nonce)
        guard nonce.starts(with: clientNonce.utf8), nonce.count > clientNonce.utf8.count else {
            throw .nonceMismatch
        }
        let salt = try ScramSyntax.base64(attributes[1])
        let range = 1...Self.iterationsMax
        guard let iterations = ScramSyntax.decimal(attributes[2].value, in: range) else {
            throw .iterationsOutOfRange(max: Self.iterationsMax)
        }

        let channel = Base64.encode(Array(Self.gs2Header.utf8))
        let withoutProof = Array("c=\(channel),r=".utf8) + Array(nonce)
        let authMessage = ScramProof.authMessage(bare, message, withoutProof)
        let (clientKey, serverKey) = keys(salt: salt, iterations: iterations)
        let signature = Digest.hmacSHA256(key: Digest.sha256(clientKey), authMessage)
        let proof = ScramProof.exclusiveOr(clientKey, signature)
        state = .waitingForFinal(
            serverSignature: Digest.hmacSHA256(key: serverKey, authMessage))
        return withoutProof + Array(",p=\(Base64.encode(proof))".utf8)
    }

    /// Takes server-final, of at most 4096 bytes, and checks the server's signature.
    public mutating func serverFinal(_ message: [UInt8]) throws(ScramError) {
        guard case .waitingForFinal(let expected) = state else { throw .outOfTurn }
        state = .ended
        try ScramSyntax.checkLength(message, max: ScramSyntax.byteCountMax)
        if message.starts(with: "e=".utf8) {
            let reason = message.dropFirst(2).prefix { $0 != ScramSyntax.comma }
            throw .refusedByServer(String(decoding: reason, as: UTF8.self))
        }
        let attributes = try ScramSyntax.attributes(of: message[...], opening: [UInt8(ascii: "v")])
        guard Digest.areEqual(try ScramSyntax.base64(attributes[0]), expected) else {
            throw .signatureWrong
        }
        isServerProven = true
    }

    private var bare: [UInt8] { Array("n=,r=\(clientNonce)".utf8) }

    private func keys(salt: [UInt8], iterations: Int) -> (client: [UInt8], server: [UInt8]) {
        switch credential {
        case .password(let password):
            let keys = ScramKeys(password: password, salt: salt, iterations: iterations)
            return (keys.clientKey, keys.serverKey)
        case .keys(let client, let server):
            return (client, server)
        }
    }
}
