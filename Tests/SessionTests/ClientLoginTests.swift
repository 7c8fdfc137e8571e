import Authentication
import Bytes
import Session
import TestSupport
import Testing
import Wire

/// Each way to prove who one is, with the client's bytes cut anywhere.
@Suite struct ClientLoginTests {
    private static let user = startup(["user": "ann", "database": "shop"])
    private static let scram = ScramSecret(password: "secret", salt: [7, 8, 9], iterations: 2)

    private func policy(
        _ method: AuthenticationMethod, _ secret: Secret? = .plain("secret"),
        scram: ScramSecret? = Self.scram, isMock: Bool = false
    ) -> LoginPolicy {
        LoginPolicy(method: method, secret: secret, scramSecret: scram, isMock: isMock)
    }

    /// How the login of `policy` ends and what the client got, when it sends `messages` in turn.
    private func outcome(
        _ policy: LoginPolicy, _ messages: [[UInt8]], _ cuts: Cuts = .none
    ) -> (steps: [ClientLogin.Step], replies: [UInt8], login: ClientLogin) {
        var driver = LoginDriver()
        driver.policy = policy
        var cutter = Cutter(cuts)
        for message in messages {
            for piece in cutter.pieces(of: message) { driver.give(piece) }
        }
        return (driver.steps, driver.replies, driver.login)
    }

    /// The same for each way to cut the bytes, which must make no difference.
    private func outcomeOfAllCuts(
        _ policy: LoginPolicy, _ messages: [[UInt8]]
    ) -> (steps: [ClientLogin.Step], replies: [UInt8]) {
        let whole = outcome(policy, messages)
        let byteCount = messages.reduce(0) { $0 + $1.count }
        for cuts in Cuts.eachSingle(of: byteCount) + [.everyByte(of: byteCount)] {
            let some = outcome(policy, messages, cuts)
            #expect(some.steps == whole.steps, "\(cuts)")
            #expect(some.replies == whole.replies, "\(cuts)")
        }
        return (whole.steps, whole.replies)
    }

    private func refused(_ state: SQLState, _ text: String) -> [ClientLogin.Step] {
        [.identified, .refused(.fatal(state, text))]
    }

    private static let wrong = "password authentication failed"

    @Test func `trust and any ask for nothing`() {
        for method in [AuthenticationMethod.trust, .any] {
            let (steps, replies) = outcomeOfAllCuts(policy(method), [Self.user])
            #expect(steps == [.identified, .authenticated])
            #expect(replies == [])
        }
        #expect(
            outcome(policy(.trust, nil, isMock: true), [Self.user]).steps
                == refused(.invalidPassword, "\"trust\" authentication failed"))
    }

    @Test func `a plain password`() {
        let (steps, replies) = outcomeOfAllCuts(policy(.plain), [Self.user, password("secret")])
        #expect(steps == [.identified, .authenticated])
        #expect(replies == message("R", int32(3)))
    }

    @Test func `a plain password against a SCRAM secret`() {
        let messages = [Self.user, password("secret")]
        #expect(
            outcome(policy(.plain, .scram(Self.scram)), messages).steps
                == [.identified, .authenticated])
    }

    @Test(arguments: [
        ("Secret", wrong), ("", "empty password returned by client"), ("secret2", wrong),
    ])
    func `a wrong plain password`(_ given: String, _ text: String) {
        let (steps, _) = outcomeOfAllCuts(policy(.plain), [Self.user, password(given)])
        #expect(steps == refused(.invalidPassword, text))
    }

    @Test(arguments: [AuthenticationMethod.plain, .md5, .scramSHA256])
    func `a user who does not exist is asked as others are, and fails`(
        _ method: AuthenticationMethod
    ) {
        let mock = policy(method, nil, isMock: true)
        let known = outcome(policy(method), [Self.user])
        #expect(outcome(mock, [Self.user]).replies == known.replies)
        guard method != .scramSHA256 else { return }
        #expect(
            outcome(mock, [Self.user, password("secret")]).steps
                == refused(.invalidPassword, Self.wrong))
    }

    @Test(arguments: [
        Secret.plain("secret"),
        // md5("secret" + "ann")
        .md5(hex: "9d792a3a8853c2411afb9163d088c036"),
    ])
    func `an MD5 password`(_ secret: Secret) throws {
        let answer = try #require(
            MD5Proof.response(user: "ann", secret: secret, salt: LoginDriver.salt))
        let (steps, replies) = outcomeOfAllCuts(
            policy(.md5, secret), [Self.user, password(answer)])
        #expect(steps == [.identified, .authenticated])
        #expect(replies == message("R", int32(5), LoginDriver.salt))
        let other = try #require(
            MD5Proof.response(user: "ann", secret: secret, salt: [9, 9, 9, 9]))
        #expect(
            outcome(policy(.md5, secret), [Self.user, password(other)]).steps
                == refused(.invalidPassword, Self.wrong))
    }

    @Test func `MD5 with a SCRAM secret becomes SCRAM`() {
        let replies = outcome(policy(.md5, .scram(Self.scram)), [Self.user]).replies
        #expect(replies == message("R", int32(10), cString("SCRAM-SHA-256"), [0]))
    }

    @Test func `SCRAM from end to end`() throws {
        let policy = policy(.scramSHA256)
        var client = ScramClient(password: "secret", clientNonce: "fyko+d2lbbFgONRv9q")
        let first = saslInitial(client.clientFirst())
        let asked = outcome(policy, [Self.user, first]).replies
        let request = message("R", int32(10), cString("SCRAM-SHA-256"), [0])
        let serverFirst = Array(asked.dropFirst(request.count + 9))
        #expect(asked == request + message("R", int32(11), serverFirst))

        let final = message("p", try client.serverFirst(serverFirst))
        let (steps, replies) = outcomeOfAllCuts(policy, [Self.user, first, final])
        #expect(steps == [.identified, .authenticated])
        let serverFinal = Array(replies.dropFirst(asked.count + 9))
        #expect(replies == asked + message("R", int32(12), serverFinal))
        try client.serverFinal(serverFinal)
        #expect(client.isServerProven)
        #expect(outcome(policy, [Self.user, first, final]).login.scramClientKey?.count == 32)
    }

    @Test(arguments: [("wrong", false), ("secret", true)])
    func `SCRAM that fails`(_ password: String, _ isMock: Bool) throws {
        let policy = policy(.scramSHA256, isMock: isMock)
        var client = ScramClient(password: password, clientNonce: "fyko+d2lbbFgONRv9q")
        let first = saslInitial(client.clientFirst())
        let asked = outcome(policy, [Self.user, first]).replies
        let request = message("R", int32(10), cString("SCRAM-SHA-256"), [0])
        let final = message("p", try client.serverFirst(Array(asked.dropFirst(request.count + 9))))
        let (steps, replies) = outcomeOfAllCuts(policy, [Self.user, first, final])
        #expect(steps == refused(.invalidPassword, Self.wrong))
        #expect(replies == asked)
        #expect(outcome(policy, [Self.user, first, final]).login.scramClientKey == nil)
    }

    @Test func `a SCRAM exchange that is malformed`() {
        let data = utf8("n,,n=,r=fyko+d2lbbFgONRv9q")
        let cases: [([UInt8], String)] = [
            (
                saslInitial(data, mechanism: "SCRAM-SHA-256-PLUS"),
                "client selected an invalid SASL authentication mechanism"
            ),
            (saslInitial(utf8("p=tls-unique,,n=,r=x")), "SASL authentication failed"),
            (
                message("p", cString("SCRAM-SHA-256"), int32(data.count + 1), data),
                "SASL authentication failed"
            ),
            (
                message("p", cString("SCRAM-SHA-256"), int32(-1)),
                "SASL authentication failed"
            ),
            (message("p", cString("SCRAM-SHA-256")), "SASL authentication failed"),
            (message("p", utf8("SCRAM-SHA-256")), "SASL authentication failed"),
            (message("p"), "SASL authentication failed"),
        ]
        for (bytes, text) in cases {
            let (steps, _) = outcomeOfAllCuts(policy(.scramSHA256), [Self.user, bytes])
            #expect(steps == refused(.invalidPassword, text))
        }
    }

    @Test(arguments: [message("p"), message("p", utf8("x")), message("p", [0x78, 0, 0x79, 0])])
    func `a password that is no C string`(_ bytes: [UInt8]) {
        let (steps, _) = outcomeOfAllCuts(policy(.plain), [Self.user, bytes])
        #expect(steps == refused(.protocolViolation, "malformed password message"))
    }

    @Test func `something else than a password`() {
        let (steps, _) = outcomeOfAllCuts(policy(.plain), [Self.user, query("select 1")])
        #expect(
            steps
                == refused(
                    .protocolViolation, "expected password response, got message type 81"))
    }

    @Test func `a client that leaves instead`() {
        let (steps, _) = outcomeOfAllCuts(policy(.plain), [Self.user, message("X")])
        #expect(steps == [.identified, .closed])
    }

    @Test func `a password that is announced too long is not waited for`() {
        let messages = [Self.user, [UInt8(ascii: "p")] + int32(65_540)]
        let (steps, _) = outcomeOfAllCuts(policy(.plain), messages)
        #expect(
            steps == refused(.protocolViolation, "message length 65540 is above 65539"))
    }

    @Test func `what follows the last proof is left alone`() {
        var driver = LoginDriver()
        driver.policy = policy(.plain)
        driver.give(Self.user)
        let proof = password("secret")
        var offset = 0
        var reply = ByteBuffer()
        let step = (proof + query("select 1")).withRawSpan {
            driver.login.received($0, from: &offset, offersTLS: false, reply: &reply)
        }
        #expect(step == .authenticated)
        #expect(offset == proof.count)
    }
}
