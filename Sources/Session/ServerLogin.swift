internal import Authentication
public import Bytes
public import Wire

/// How we prove to a server who we are.
public enum ServerCredential: Sendable, Equatable {
    case none
    case plain(String)
    /// md5(password + user) in hexadecimal.
    case md5(hex: String)
    /// SCRAM without the password: what a client's right proof and its secret gave us.
    case scramKeys(clientKey: [UInt8], serverKey: [UInt8])
}

/// What a server said of itself while we logged in.
public struct ServerWelcome: Equatable, Sendable {
    /// ParameterStatus, in the order that they came.
    public var parameters: [StartupParameter] = []
    public var processID: UInt32 = 0
    public var cancelKey: [UInt8] = []
    public init() {}
}

/// One connection to a server, from our StartupMessage to its first ReadyForQuery. No I/O.
public struct ServerLogin: Sendable {
    enum Phase: Sendable {
        case startup
        case sasl(ScramClient)
        case saslFinal(ScramClient)
        case authenticated
    }

    public enum Step: Equatable, Sendable {
        case needsMore
        case done
        /// The server refused us; its own words.
        case refused(ErrorFields)
        /// It asked for something that we do not have, or broke the protocol.
        case failed(String)
    }

    private var phase = Phase.startup
    private let user: String
    private let credential: ServerCredential
    private let nonce: String
    private var saslIsDone = false
    public private(set) var welcome = ServerWelcome()

    /// `nonce`: random printable text without a comma.
    public init(user: String, credential: ServerCredential, nonce: String) {
        self.user = user
        self.credential = credential
        self.nonce = nonce
    }

    /// Messages up to here are short; a server that announces more is not one.
    static let lengthMax: UInt32 = 65_536

    /// Takes one message at `offset` if it is all there; writes the answer to `reply`.
    public mutating func received(
        _ bytes: borrowing RawSpan, from offset: inout Int, reply: inout ByteBuffer
    ) -> Step {
        while true {
            var scanner = FrameScanner(lengthMax: Self.lengthMax)
            let start = offset
            let piece: FramePiece?
            do throws(WireError) {
                piece = try scanner.next(in: bytes, from: &offset)
            } catch {
                return .failed("the server broke the protocol: \(error.text)")
            }
            guard let piece, let tag = piece.opens else { return .needsMore }
            guard piece.closes else {
                offset = start
                return .needsMore
            }
            let step = received(tag, bytes.extracting(piece.body), reply: &reply)
            guard step == .needsMore else { return step }
        }
    }

    private mutating func received(
        _ tag: UInt8, _ body: borrowing RawSpan, reply: inout ByteBuffer
    ) -> Step {
        switch tag {
        case ServerTag.errorResponse:
            return .refused(ErrorFields(body: body))
        case ServerTag.noticeResponse, ServerTag.negotiateProtocolVersion:
            return .needsMore
        case ServerTag.authentication:
            guard body.byteCount >= 4 else { return .failed("malformed authentication request") }
            guard case .authenticated = phase else {
                return authenticate(body.uint32BigEndian(at: 0), body, reply: &reply)
            }
            return .failed("the server asked for authentication twice")
        case ServerTag.parameterStatus:
            guard case .authenticated = phase,
                let nameEnd = body.firstOffset(of: 0, in: 0..<body.byteCount),
                let end = body.firstOffset(of: 0, in: nameEnd + 1..<body.byteCount)
            else { return .failed("malformed or early ParameterStatus") }
            let name = body.string(in: 0..<nameEnd)
            welcome.parameters.removeAll { $0.name == name }
            welcome.parameters.append(
                StartupParameter(name: name, value: body.string(in: nameEnd + 1..<end)))
            return .needsMore
        case ServerTag.backendKeyData:
            guard case .authenticated = phase, body.byteCount >= 8, body.byteCount <= 260 else {
                return .failed("malformed or early BackendKeyData")
            }
            welcome.processID = body.uint32BigEndian(at: 0)
            welcome.cancelKey = body.extracting(4..<body.byteCount).array()
            return .needsMore
        case ServerTag.readyForQuery:
            guard case .authenticated = phase else {
                return .failed("the server was ready before it let us in")
            }
            return .done
        default:
            return .failed("unexpected message type \(tag) during login")
        }
    }

    /// Source: PostgreSQL documentation, "Message Formats", AuthenticationOk and its siblings.
    private mutating func authenticate(
        _ code: UInt32, _ body: borrowing RawSpan, reply: inout ByteBuffer
    ) -> Step {
        switch code {
        case 0:
            // Whoever speaks SCRAM proves that it knows the password too; one that stops before
            // its proof does not.
            switch phase {
            case .sasl: return .failed("the server did not finish SCRAM")
            case .saslFinal: if !saslIsDone { return .failed("the server did not finish SCRAM") }
            case .startup, .authenticated: break
            }
            phase = .authenticated
            return .needsMore
        case 3:
            guard case .plain(let password) = credential else { return .failed(noPassword) }
            ClientMessages.password(password, to: &reply)
            return .needsMore
        case 5:
            guard body.byteCount == 8 else { return .failed("malformed authentication request") }
            let salt = body.extracting(4..<8).array()
            let secret: Secret
            switch credential {
            case .plain(let password): secret = .plain(password)
            case .md5(let hex): secret = .md5(hex: hex)
            case .none, .scramKeys: return .failed(noPassword)
            }
            guard let response = MD5Proof.response(user: user, secret: secret, salt: salt) else {
                return .failed(noPassword)
            }
            ClientMessages.password(response, to: &reply)
            return .needsMore
        case 10:
            guard
                body.string(in: 4..<body.byteCount).split(separator: "\0")
                    .contains("SCRAM-SHA-256")
            else {
                return .failed(
                    "none of the server's SASL authentication mechanisms are supported")
            }
            let client: ScramClient
            switch credential {
            case .plain(let password): client = ScramClient(password: password, clientNonce: nonce)
            case .scramKeys(let clientKey, let serverKey):
                client = ScramClient(
                    clientKey: clientKey, serverKey: serverKey, clientNonce: nonce)
            case .none, .md5: return .failed(noPassword)
            }
            ClientMessages.saslInitialResponse(
                mechanism: "SCRAM-SHA-256", client.clientFirst(), to: &reply)
            phase = .sasl(client)
            return .needsMore
        case 11:
            guard case .sasl(var client) = phase else { return .failed("unexpected SASL message") }
            do throws(ScramError) {
                let answer = try client.serverFirst(body.extracting(4..<body.byteCount).array())
                ClientMessages.saslResponse(answer, to: &reply)
            } catch { return .failed("server login failed: SCRAM: \(error)") }
            phase = .saslFinal(client)
            return .needsMore
        case 12:
            guard case .saslFinal(var client) = phase else {
                return .failed("unexpected SASL message")
            }
            do throws(ScramError) {
                try client.serverFinal(body.extracting(4..<body.byteCount).array())
            } catch { return .failed("invalid server signature") }
            saslIsDone = true
            phase = .saslFinal(client)
            return .needsMore
        default:
            return .failed("the server asks for authentication method \(code), which is unknown")
        }
    }

    private var noPassword: String {
        "the server asks for a password of user \"\(user)\", and the auth file has none "
            + "that could be used for it"
    }
}
