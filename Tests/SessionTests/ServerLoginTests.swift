import Authentication
import Bytes
import Session
import TestSupport
import Testing
import Wire

/// Our login to a server, with the server's bytes cut anywhere.
@Suite struct ServerLoginTests {
    private struct Outcome: Equatable {
        var step = ServerLogin.Step.needsMore
        var sent: [UInt8] = []
        var welcome = ServerWelcome()
        /// What the login did not take.
        var leftByteCount = 0
    }

    private static let nonce = "fyko+d2lbbFgONRv9q"
    private static let serverNonce = "3rfcNHYJY1ZVvWVs7j"
    private static let secret = ScramSecret(password: "secret", salt: [7, 8, 9], iterations: 2)
    private static let ok = message("R", int32(0))
    private static let ready = message("Z", [0x49])
    private static let plain = ServerCredential.plain("secret")
    private static let request = message(
        "R", int32(10), cString("SCRAM-SHA-256-PLUS"), cString("SCRAM-SHA-256"), [0])

    private func outcome(
        _ credential: ServerCredential, _ messages: [[UInt8]], _ cuts: Cuts = .none
    ) -> Outcome {
        var login = ServerLogin(user: "ann", credential: credential, nonce: Self.nonce)
        var outcome = Outcome()
        var held: [UInt8] = []
        for piece in messages.flatMap(\.self).pieces(cuts) {
            held += piece
            guard outcome.step == .needsMore else { continue }
            var offset = 0
            var reply = ByteBuffer()
            outcome.step = held.withRawSpan {
                login.received($0, from: &offset, reply: &reply)
            }
            held.removeFirst(offset)
            outcome.sent += reply.bytes.array()
        }
        outcome.welcome = login.welcome
        outcome.leftByteCount = held.count
        return outcome
    }

    /// The same for each way to cut the bytes, which must make no difference.
    private func outcomeOfAllCuts(
        _ credential: ServerCredential, _ messages: [UInt8]...
    ) -> Outcome {
        let whole = outcome(credential, messages)
        let byteCount = messages.reduce(0) { $0 + $1.count }
        for cuts in Cuts.eachSingle(of: byteCount) + [.everyByte(of: byteCount)] {
            let some = outcome(credential, messages, cuts)
            #expect(some.step == whole.step, "\(cuts)")
            #expect(some.sent == whole.sent, "\(cuts)")
            #expect(some.welcome == whole.welcome, "\(cuts)")
        }
        return whole
    }

    @Test func `a server that trusts us, and what it says of itself`() {
        let notice = message("N", utf8("M"), cString("hi"), [0])
        let outcome = outcomeOfAllCuts(
            .none, message("v", int32(0x3_0000), int32(0)), notice, Self.ok,
            message("S", cString("TimeZone"), cString("UTC")),
            message("S", cString("server_version"), cString("18.1")),
            message("S", cString("TimeZone"), cString("Asia/Tokyo")),
            message("K", int32(4711), [1, 2, 3, 4]), Self.ready)
        #expect(outcome.step == .done)
        #expect(outcome.sent == [])
        #expect(
            outcome.welcome.parameters == [
                StartupParameter(name: "server_version", value: "18.1"),
                StartupParameter(name: "TimeZone", value: "Asia/Tokyo"),
            ])
        #expect(outcome.welcome.processID == 4711)
        #expect(outcome.welcome.cancelKey == [1, 2, 3, 4])
    }

    @Test func `what follows the first ReadyForQuery is left alone`() {
        let outcome = outcome(.none, [Self.ok, Self.ready, message("N", [0])])
        #expect(outcome.step == .done)
        #expect(outcome.leftByteCount == 6)
    }

    @Test func `a server that wants the password`() {
        let outcome = outcomeOfAllCuts(
            Self.plain, message("R", int32(3)), Self.ok, Self.ready)
        #expect(outcome.step == .done)
        #expect(outcome.sent == message("p", cString("secret")))
    }

    @Test func `a server that wants MD5`() {
        // md5(md5("secret" + "ann") + salt), by md5sum(1).
        let answer = message("p", cString("md5b74835331d7e1d325026d95f00dd69c5"))
        let request = message("R", int32(5), [0x61, 0x62, 0x63, 0x64])
        for credential in [Self.plain, .md5(hex: "9d792a3a8853c2411afb9163d088c036")] {
            let outcome = outcomeOfAllCuts(credential, request, Self.ok, Self.ready)
            #expect(outcome.step == .done)
            #expect(outcome.sent == answer)
        }
    }

    /// What a server with our secret answers, given what we say.
    private func scramMessages() throws -> [[UInt8]] {
        var server = ScramServer(
            secret: Self.secret, serverNonce: Self.serverNonce, isMock: false)
        let client = ScramClient(password: "secret", clientNonce: Self.nonce)
        let first = message("R", int32(11), try server.clientFirst(client.clientFirst()))
        let sent = outcome(Self.plain, [Self.request, first]).sent
        let initial = message(
            "p", cString("SCRAM-SHA-256"), int32(client.clientFirst().count), client.clientFirst())
        #expect(sent.starts(with: initial))
        let final = try server.clientFinal(Array(sent.dropFirst(initial.count + 5)))
        return [Self.request, first, message("R", int32(12), final)]
    }

    @Test func `SCRAM from end to end, by password and by keys`() throws {
        let messages = try scramMessages()
        let byPassword = outcomeOfAllCuts(
            Self.plain, messages[0], messages[1], messages[2], Self.ok, Self.ready)
        #expect(byPassword.step == .done)

        var server = ScramServer(
            secret: Self.secret, serverNonce: Self.serverNonce, isMock: false)
        var client = ScramClient(password: "secret", clientNonce: Self.nonce)
        let first = try server.clientFirst(client.clientFirst())
        _ = try server.clientFinal(client.serverFirst(first))
        let keys = ServerCredential.scramKeys(
            clientKey: try #require(server.clientKey), serverKey: Self.secret.serverKey)
        let byKeys = outcomeOfAllCuts(
            keys, messages[0], messages[1], messages[2], Self.ok, Self.ready)
        #expect(byKeys.step == .done)
        #expect(byKeys.sent == byPassword.sent)
    }

    @Test func `a server that does not prove itself is not believed`() throws {
        let messages = try scramMessages()
        for count in 1...2 {
            let unproven = outcome(Self.plain, messages.prefix(count) + [Self.ok, Self.ready])
            #expect(unproven.step == .failed("the server did not finish SCRAM"))
        }
        var forged = messages[2]
        forged[12] ^= 1
        let last = outcome(Self.plain, [messages[0], messages[1], forged, Self.ok])
        #expect(last.step == .failed("invalid server signature"))
        let early = outcome(Self.plain, [messages[0], messages[2]])
        #expect(early.step == .failed("unexpected SASL message"))
        #expect(outcome(Self.plain, [messages[1]]).step == .failed("unexpected SASL message"))
    }

    @Test(arguments: [
        message("R", int32(3)), message("R", int32(5), [1, 2, 3, 4]), request,
    ])
    func `without a password there is no answer`(_ request: [UInt8]) {
        let outcome = outcomeOfAllCuts(.none, request)
        guard case .failed(let reason) = outcome.step else {
            Issue.record("\(outcome.step)")
            return
        }
        #expect(reason.hasPrefix("the server asks for a password of user \"ann\""))
        #expect(outcome.sent == [])
    }

    @Test func `an MD5 secret is of no use for SCRAM and for a password in clear`() {
        let credential = ServerCredential.md5(hex: "00")
        for request in [Self.request, message("R", int32(3))] {
            #expect(outcome(credential, [request]).sent == [])
            #expect(outcome(credential, [request]).step != .needsMore)
        }
    }

    @Test func `a refusal is passed on in the server's words`() {
        let error = message(
            "E", utf8("S"), cString("FATAL"), utf8("C"), cString("3D000"), utf8("M"),
            cString("database \"x\" does not exist"), [0])
        guard case .refused(let fields) = outcomeOfAllCuts(.none, Self.ok, error).step else {
            Issue.record("it was not refused")
            return
        }
        #expect(fields.state == "3D000")
        #expect(fields.message == "database \"x\" does not exist")
    }

    @Test(arguments: [
        ([message("Z", [0x49])], "the server was ready before it let us in"),
        ([message("R", [0, 0, 0])], "malformed authentication request"),
        ([message("R", int32(5), [1, 2, 3])], "malformed authentication request"),
        (
            [message("R", int32(7))],
            "the server asks for authentication method 7, which is unknown"
        ),
        ([ok, ok], "the server asked for authentication twice"),
        ([message("S", cString("a"), cString("b"))], "malformed or early ParameterStatus"),
        ([ok, message("S", cString("a"), utf8("b"))], "malformed or early ParameterStatus"),
        ([ok, message("S")], "malformed or early ParameterStatus"),
        ([message("K", int32(1), int32(2))], "malformed or early BackendKeyData"),
        ([ok, message("K", int32(1))], "malformed or early BackendKeyData"),
        (
            [ok, message("K", int32(1), [UInt8](repeating: 0, count: 257))],
            "malformed or early BackendKeyData"
        ),
        ([ok, message("D", int16(0))], "unexpected message type 68 during login"),
        (
            [ok, [UInt8(ascii: "S")] + int32(65_537)],
            "the server broke the protocol: message length 65537 is above 65536"
        ),
        (
            [message("R", int32(10), cString("OTHER"), [0])],
            "none of the server's SASL authentication mechanisms are supported"
        ),
    ])
    func `a server that breaks the protocol`(_ messages: [[UInt8]], _ reason: String) {
        let whole = outcome(Self.plain, messages)
        #expect(whole.step == .failed(reason))
        #expect(outcome(Self.plain, messages, .everyByte(of: 400)).step == whole.step)
    }
}
