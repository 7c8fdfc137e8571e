internal import TLS

/// One client's log-in by SCRAM-SHA-256, seen from the server. Performs no I/O.
///
///     client-first  n,,n=user,r=nonce          → clientFirst
///     server-first  r=nonce+ours,s=salt,i=4096 ←
///     client-final  c=biws,r=nonce+ours,p=proof → clientFinal
///     server-final  v=signature                ←
///
/// The user's name in the message is not looked at: PostgreSQL takes the startup message's. There
/// is no channel binding. Source: RFC 5802, RFC 7677.
public struct ScramServer: Sendable {
    private enum State: Sendable {
        /// To `waitingForFinal`, `ended`.
        case waitingForFirst
        /// To `ended`.
        case waitingForFinal(gs2Header: [UInt8], clientFirstBare: [UInt8], serverFirst: [UInt8])
        /// Final, after success, an error or a wrong proof.
        case ended
    }

    private let secret: ScramSecret
    private let serverNonce: String
    private let isMock: Bool
    private var state = State.waitingForFirst
    private var nonce: [UInt8] = []

    /// 32 bytes, learned from a proof that was right: logs in to servers that hold the same
    /// secret.
    public private(set) var clientKey: [UInt8]?

    /// `serverNonce` is random, printable ASCII without commas, at least 18 characters.
    /// `isMock`: the user is unknown; the exchange looks the same and always fails.
    public init(secret: ScramSecret, serverNonce: String, isMock: Bool) {
        self.secret = secret
        self.serverNonce = serverNonce
        self.isMock = isMock
    }

    /// Takes client-first, of at most 2048 bytes; returns server-first.
    public mutating func clientFirst(_ message: [UInt8]) throws(ScramError) -> [UInt8] {
        guard case .waitingForFirst = state else { throw .outOfTurn }
        state = .ended
        try ScramSyntax.checkLength(message, max: ScramSyntax.clientFirstByteCountMax)
        let gs2Header = Array(message.prefix(3))
        guard message.first != UInt8(ascii: "p") else { throw .channelBindingUnsupported }
        guard gs2Header == Array("n,,".utf8) || gs2Header == Array("y,,".utf8) else {
            throw .gs2HeaderExpected
        }
        let bare = message.dropFirst(3)
        let attributes = try ScramSyntax.attributes(
            of: bare, opening: [UInt8(ascii: "n"), UInt8(ascii: "r")])
        try ScramSyntax.checkName(attributes[0].value)
        try ScramSyntax.checkNonce(attributes[1].value)
        nonce = Array(attributes[1].value) + Array(serverNonce.utf8)
        let tail = ",s=\(Base64.encode(secret.salt)),i=\(secret.iterations)"
        let serverFirst = Array("r=".utf8) + nonce + Array(tail.utf8)
        state = .waitingForFinal(
            gs2Header: gs2Header, clientFirstBare: Array(bare), serverFirst: serverFirst)
        return serverFirst
    }

    /// Takes client-final, of at most 4096 bytes; returns server-final when the proof is right.
    public mutating func clientFinal(_ message: [UInt8]) throws(ScramError) -> [UInt8] {
        guard case .waitingForFinal(let gs2Header, let bare, let serverFirst) = state else {
            throw .outOfTurn
        }
        state = .ended
        try ScramSyntax.checkLength(message, max: ScramSyntax.byteCountMax)
        let attributes = try ScramSyntax.attributes(
            of: message[...], opening: [UInt8(ascii: "c"), UInt8(ascii: "r")],
            closing: UInt8(ascii: "p"))
        guard try ScramSyntax.base64(attributes[0]) == gs2Header else {
            throw .channelBindingMismatch
        }
        guard attributes[1].value.elementsEqual(nonce) else { throw .nonceMismatch }
        let proof = try ScramSyntax.base64(attributes[2])
        guard proof.count == 32 else { throw .proofWrong }

        let withoutProof = message.prefix(attributes[2].value.startIndex - ",p=".utf8.count)
        let authMessage = ScramProof.authMessage(bare, serverFirst, withoutProof)
        let signature = Digest.hmacSHA256(key: secret.storedKey, authMessage)
        let key = ScramProof.exclusiveOr(proof, signature)
        let isRight = Digest.areEqual(Digest.sha256(key), secret.storedKey)
        let serverSignature = Digest.hmacSHA256(key: secret.serverKey, authMessage)
        guard isRight, !isMock else { throw .proofWrong }
        clientKey = key
        return Array("v=\(Base64.encode(serverSignature))".utf8)
    }
}

/// What both sides compute. Source: RFC 5802, section 3.
enum ScramProof {
    static func authMessage(
        _ clientFirstBare: [UInt8], _ serverFirst: [UInt8], _ withoutProof: some Sequence<UInt8>
    ) -> [UInt8] {
        clientFirstBare + [ScramSyntax.comma] + serverFirst + [ScramSyntax.comma]
            + Array(withoutProof)
    }

    /// As long as the shorter of both.
    static func exclusiveOr(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left, right).map { $0 ^ $1 }
    }
}
