public import Authentication
public import Bytes
public import Wire

/// What a client asked for in its StartupMessage.
public struct StartupRequest: Equatable, Sendable {
    public var user = ""
    public var database = ""
    /// What both sides speak: 0 to 2.
    public var minor: UInt16 = 0
    /// Session parameters in the order given; names in lower case; `options` taken apart.
    public var parameters: [StartupParameter] = []
    /// `replication` was asked for, with this value.
    public var replication: String?
}

/// What a login is checked against.
public struct LoginPolicy: Sendable {
    public var method: AuthenticationMethod
    /// Of the user who logs in; nil = unknown.
    public var secret: Secret?
    /// What SCRAM is checked against; for an unknown user a stand-in, so that both look alike.
    public var scramSecret: ScramSecret?
    /// The exchange runs as always and fails at its end.
    public var isMock: Bool

    public init(
        method: AuthenticationMethod, secret: Secret?, scramSecret: ScramSecret?, isMock: Bool
    ) {
        self.method = method
        self.secret = secret
        self.scramSecret = scramSecret
        self.isMock = isMock
    }
}

/// One connection from its first byte until the client is who it says it is. Performs no I/O.
public struct ClientLogin: Sendable {
    enum Phase: Sendable {
        /// No StartupMessage yet.
        case startup
        /// A StartupMessage came; the caller looks for the user's secret.
        case identified
        /// To `done`, or the end.
        case password
        case md5(salt: [UInt8])
        case saslInitial(ScramServer)
        case saslFinal(ScramServer)
        case done
    }

    public enum Step: Equatable, Sendable {
        case needsMore
        /// Answer `S` and begin the handshake; nothing may have come behind the request.
        case startTLS
        case cancel(processID: UInt32, key: [UInt8])
        /// Call `begin` with this user's policy.
        case identified
        case authenticated
        case refused(ErrorReply)
        /// The connection ends without a word.
        case closed
    }

    private var phase = Phase.startup
    private var askedForTLS = false
    private var askedForGSS = false
    private var policy: LoginPolicy?
    /// Options that begin with `_pq_.`, which we know none of.
    private var unknownOptions: [String] = []
    private var askedMinor: UInt16 = 0
    public private(set) var request = StartupRequest()
    /// Learned from a right SCRAM proof; logs in to servers that hold the same secret.
    public private(set) var scramClientKey: [UInt8]?

    public init() {}

    /// Of a client that needs no proof, because it is this process itself.
    public init(trusting user: String, database: String) {
        phase = .done
        request.user = user
        request.database = database
        request.parameters = [
            StartupParameter(name: "application_name", value: "pgweir lookup")
        ]
    }

    /// Whether a StartupMessage has been read.
    public var hasRequest: Bool {
        if case .startup = phase { false } else { true }
    }

    /// Takes the next message at `offset`, if it is all there; writes the answer to `reply`.
    /// `offersTLS`: a certificate is there and the connection is not encrypted yet.
    public mutating func received(
        _ bytes: borrowing RawSpan, from offset: inout Int, offersTLS: Bool,
        reply: inout ByteBuffer
    ) -> Step {
        switch phase {
        case .startup:
            return receivedStartup(bytes, from: &offset, offersTLS: offersTLS, reply: &reply)
        case .identified, .done:
            return .needsMore
        case .password, .md5, .saslInitial, .saslFinal:
            return receivedProof(bytes, from: &offset, reply: &reply)
        }
    }

    private mutating func receivedStartup(
        _ bytes: borrowing RawSpan, from offset: inout Int, offersTLS: Bool,
        reply: inout ByteBuffer
    ) -> Step {
        let parsed: (packet: StartupPacket, byteCount: Int)?
        do throws(WireError) {
            parsed = try StartupPacket.parse(bytes.extracting(offset..<bytes.byteCount))
        } catch {
            return .refused(.fatal(.protocolViolation, error.text))
        }
        guard let parsed else { return .needsMore }
        offset += parsed.byteCount
        switch parsed.packet {
        case .sslRequest:
            guard !askedForTLS else {
                return .refused(.fatal(.protocolViolation, "SSL was requested twice"))
            }
            askedForTLS = true
            // What came behind the request was sent in clear before the handshake: it could have
            // been put there by anybody. Source: CVE-2021-3935.
            guard offset == bytes.byteCount else {
                return .refused(
                    .fatal(.protocolViolation, "received unencrypted data after SSL request"))
            }
            if offersTLS { return .startTLS }
            reply.append(UInt8(ascii: "N"))
            return .needsMore
        case .gssEncryptionRequest:
            guard !askedForGSS else {
                return .refused(.fatal(.protocolViolation, "GSS encryption was requested twice"))
            }
            askedForGSS = true
            guard offset == bytes.byteCount else {
                return .refused(
                    .fatal(
                        .protocolViolation,
                        "received unencrypted data after GSSAPI encryption request"))
            }
            reply.append(UInt8(ascii: "N"))
            return .needsMore
        case .cancelRequest(let processID, let key):
            return .cancel(processID: processID, key: key)
        case .startup(let minor, let parameters):
            if let refusal = read(minor: minor, parameters) { return .refused(refusal) }
            phase = .identified
            return .identified
        }
    }

    private func refusal(of malformed: StartupOptions.Malformed) -> ErrorReply {
        switch malformed {
        case .noValue(let name):
            .fatal(.syntaxError, "\(name) requires a value")
        case .unknownSwitch(let word):
            .fatal(
                .protocolViolation,
                "unsupported options startup parameter: only '-c config=val' and "
                    + "'--config=val' are allowed",
                detail: "The word was \"\(word)\".")
        }
    }

    private mutating func read(minor: UInt16, _ parameters: [StartupParameter]) -> ErrorReply? {
        askedMinor = minor
        request.minor = min(minor, 2)
        for parameter in parameters {
            switch parameter.name {
            case "user": request.user = parameter.value
            case "database": request.database = parameter.value
            case "replication": request.replication = parameter.value
            case "options":
                do throws(StartupOptions.Malformed) {
                    for option in try StartupOptions.parse(parameter.value) {
                        add(option.name, option.value)
                    }
                } catch {
                    return refusal(of: error)
                }
            default:
                if parameter.name.hasPrefix("_pq_.") {
                    unknownOptions.append(parameter.name)
                } else {
                    add(parameter.name, parameter.value)
                }
            }
        }
        guard !request.user.isEmpty else {
            return .fatal(.invalidAuthorization, "no username supplied")
        }
        if request.database.isEmpty { request.database = request.user }
        return nil
    }

    private mutating func add(_ name: String, _ value: String) {
        let key = name.lowercased()
        request.parameters.removeAll { $0.name == key }
        request.parameters.append(StartupParameter(name: key, value: value))
    }

    /// The user's policy is known: writes what the client must answer.
    /// - Parameters:
    ///   - salt: four random bytes, for MD5.
    ///   - nonce: random printable text without a comma, for SCRAM.
    public mutating func begin(
        _ policy: LoginPolicy, salt: @autoclosure () -> [UInt8], nonce: @autoclosure () -> String,
        reply: inout ByteBuffer
    ) -> Step {
        if askedMinor > 2 || !unknownOptions.isEmpty {
            ServerMessages.negotiateProtocolVersion(
                minor: request.minor, unknownOptions: unknownOptions, to: &reply)
        }
        self.policy = policy
        switch policy.method {
        case .any:
            phase = .done
            return .authenticated
        case .trust:
            guard !policy.isMock else { return failed("\"trust\" authentication failed") }
            phase = .done
            return .authenticated
        case .plain:
            phase = .password
            ServerMessages.authenticationCleartext(to: &reply)
        case .md5:
            if case .scram? = policy.secret { return beginSCRAM(policy, nonce(), &reply) }
            let salt = salt()
            phase = .md5(salt: salt)
            ServerMessages.authenticationMD5(salt: salt, to: &reply)
        case .scramSHA256:
            return beginSCRAM(policy, nonce(), &reply)
        }
        return .needsMore
    }

    private mutating func beginSCRAM(
        _ policy: LoginPolicy, _ nonce: String, _ reply: inout ByteBuffer
    ) -> Step {
        guard let secret = policy.scramSecret else {
            return failed("password authentication failed")
        }
        phase = .saslInitial(
            ScramServer(secret: secret, serverNonce: nonce, isMock: policy.isMock))
        ServerMessages.authenticationSASL(mechanisms: ["SCRAM-SHA-256"], to: &reply)
        return .needsMore
    }

    private mutating func receivedProof(
        _ bytes: borrowing RawSpan, from offset: inout Int, reply: inout ByteBuffer
    ) -> Step {
        var scanner = FrameScanner(lengthMax: 65_539)
        let start = offset
        let piece: FramePiece?
        do throws(WireError) {
            piece = try scanner.next(in: bytes, from: &offset)
        } catch {
            return .refused(.fatal(.protocolViolation, error.text))
        }
        guard let piece else { return .needsMore }
        if piece.opens == ClientTag.terminate { return .closed }
        guard piece.opens == ClientTag.password else {
            return .refused(
                .fatal(
                    .protocolViolation,
                    "expected password response, got message type "
                        + "\(piece.opens ?? 0)"))
        }
        guard piece.closes else {
            offset = start
            return .needsMore
        }
        let body = bytes.extracting(piece.body).array()
        switch phase {
        case .password: return checkPassword(body, md5Salt: nil)
        case .md5(let salt): return checkPassword(body, md5Salt: salt)
        case .saslInitial(let server): return checkInitial(body, server, reply: &reply)
        case .saslFinal(let server): return checkFinal(body, server, reply: &reply)
        case .startup, .identified, .done: return .needsMore
        }
    }

    private mutating func checkPassword(_ body: [UInt8], md5Salt: [UInt8]?) -> Step {
        guard body.last == 0, !body.dropLast().contains(0) else {
            return .refused(.fatal(.protocolViolation, "malformed password message"))
        }
        let text = String(decoding: body.dropLast(), as: UTF8.self)
        guard !text.isEmpty else { return failed("empty password returned by client") }
        guard let secret = policy?.secret, policy?.isMock == false else {
            return failed("password authentication failed")
        }
        let isRight =
            if let md5Salt {
                secret.verifies(md5Response: text, user: request.user, salt: md5Salt)
            } else {
                secret.verifies(plain: text, user: request.user)
            }
        guard isRight else { return failed("password authentication failed") }
        phase = .done
        return .authenticated
    }

    /// SASLInitialResponse: mechanism, NUL, length, data.
    private mutating func checkInitial(
        _ body: [UInt8], _ server: ScramServer, reply: inout ByteBuffer
    ) -> Step {
        guard let end = body.firstIndex(of: 0), body.count >= end + 5 else {
            return failed("SASL authentication failed")
        }
        guard String(decoding: body[..<end], as: UTF8.self) == "SCRAM-SHA-256" else {
            return failed("client selected an invalid SASL authentication mechanism")
        }
        let length = body[end + 1...end + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let data = Array(body[(end + 5)...])
        guard Int(length) == data.count else { return failed("SASL authentication failed") }
        var server = server
        do throws(ScramError) {
            ServerMessages.authenticationSASLContinue(try server.clientFirst(data), to: &reply)
        } catch { return failed("SASL authentication failed") }
        phase = .saslFinal(server)
        return .needsMore
    }

    private mutating func checkFinal(
        _ body: [UInt8], _ server: ScramServer, reply: inout ByteBuffer
    ) -> Step {
        var server = server
        do throws(ScramError) {
            ServerMessages.authenticationSASLFinal(try server.clientFinal(body), to: &reply)
        } catch { return failed("password authentication failed") }
        scramClientKey = server.clientKey
        phase = .done
        return .authenticated
    }

    private func failed(_ message: String) -> Step {
        .refused(.fatal(.invalidPassword, message))
    }
}
