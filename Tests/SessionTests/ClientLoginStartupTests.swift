import Authentication
import Bytes
import Session
import TestSupport
import Testing
import Wire

/// The first packets of a connection: encryption, cancels, and what the client asks for.
@Suite struct ClientLoginStartupTests {
    private static let sslRequest = packet(int32(80_877_103))
    private static let gssRequest = packet(int32(80_877_104))
    private static let user = startup(["user": "ann"])

    private func drive(
        _ messages: [[UInt8]], offersTLS: Bool = false, _ cuts: Cuts = .none
    ) -> LoginDriver {
        var driver = LoginDriver()
        driver.offersTLS = offersTLS
        var cutter = Cutter(cuts)
        for message in messages {
            for piece in cutter.pieces(of: message) { driver.give(piece) }
        }
        return driver
    }

    /// The same for each way to cut the bytes, which must make no difference.
    private func driveAllCuts(_ messages: [[UInt8]], offersTLS: Bool = false) -> LoginDriver {
        let whole = drive(messages, offersTLS: offersTLS)
        let byteCount = messages.reduce(0) { $0 + $1.count }
        for cuts in Cuts.eachSingle(of: byteCount) + [.everyByte(of: byteCount)] {
            let some = drive(messages, offersTLS: offersTLS, cuts)
            #expect(some.steps == whole.steps, "\(cuts)")
            #expect(some.replies == whole.replies, "\(cuts)")
            #expect(some.login.request == whole.login.request, "\(cuts)")
        }
        return whole
    }

    private func refusal(_ driver: LoginDriver) -> ErrorReply? {
        if case .refused(let reply) = driver.steps.last { reply } else { nil }
    }

    @Test func `encryption that is not to be had is declined, and the login goes on`() {
        let driver = driveAllCuts([Self.gssRequest, Self.sslRequest, Self.user])
        #expect(driver.replies == utf8("NN"))
        #expect(driver.steps == [.identified, .authenticated])
    }

    @Test func `TLS starts when it is to be had`() {
        let driver = driveAllCuts([Self.sslRequest], offersTLS: true)
        #expect(driver.steps == [.startTLS])
        #expect(driver.replies == [])
        #expect(!driver.login.hasRequest)
    }

    @Test func `after GSS was declined TLS can still start`() {
        let driver = driveAllCuts([Self.gssRequest, Self.sslRequest], offersTLS: true)
        #expect(driver.replies == utf8("N"))
        #expect(driver.steps == [.startTLS])
    }

    @Test func `encryption is asked for once`() {
        #expect(
            refusal(driveAllCuts([Self.sslRequest, Self.sslRequest]))?.message
                == "SSL was requested twice")
        #expect(
            refusal(driveAllCuts([Self.gssRequest, Self.gssRequest]))?.message
                == "GSS encryption was requested twice")
    }

    @Test func `bytes in clear behind a request for encryption are refused`() {
        for offersTLS in [true, false] {
            #expect(
                refusal(drive([Self.sslRequest + Self.user], offersTLS: offersTLS))?.message
                    == "received unencrypted data after SSL request")
        }
        #expect(
            refusal(drive([Self.gssRequest + [0]]))?.message
                == "received unencrypted data after GSSAPI encryption request")
    }

    @Test func `a cancel request`() {
        let driver = driveAllCuts([packet(int32(80_877_102), int32(77), [1, 2, 3, 4])])
        #expect(driver.steps == [.cancel(processID: 77, key: [1, 2, 3, 4])])
    }

    @Test func `what the client asks for`() {
        let driver = driveAllCuts([
            startup(
                minor: 2,
                [
                    "user": "ann", "database": "shop", "Application_Name": "x",
                    "options": #"-c TimeZone=Asia/Tokyo --work-mem=1\ GB -c timezone=UTC"#,
                    "replication": "false", "application_name": "y",
                ])
        ])
        #expect(driver.steps == [.identified, .authenticated])
        #expect(driver.login.hasRequest)
        let request = driver.login.request
        #expect(request.user == "ann")
        #expect(request.database == "shop")
        #expect(request.minor == 2)
        #expect(request.replication == "false")
        #expect(
            request.parameters == [
                StartupParameter(name: "work_mem", value: "1 GB"),
                StartupParameter(name: "timezone", value: "UTC"),
                StartupParameter(name: "application_name", value: "y"),
            ])
        #expect(driver.replies == [])
    }

    @Test func `the database is called like the user if nothing else is said`() {
        #expect(driveAllCuts([Self.user]).login.request.database == "ann")
        #expect(drive([startup(["user": "ann", "database": ""])]).login.request.database == "ann")
    }

    @Test func `newer versions and unknown options are negotiated down`() {
        let newer = driveAllCuts([startup(minor: 9999, ["user": "ann"])])
        #expect(newer.replies == message("v", int32(0x3_0002), int32(0)))
        #expect(newer.login.request.minor == 2)
        let options = driveAllCuts([startup(["user": "ann", "_pq_.a": "1", "_pq_.b": ""])])
        #expect(
            options.replies
                == message("v", int32(0x3_0000), int32(2), cString("_pq_.a"), cString("_pq_.b")))
        #expect(options.login.request.parameters == [])
        #expect(options.steps == [.identified, .authenticated])
    }

    @Test func `a user is needed`() {
        for bytes in [startup(["database": "x"]), startup(["user": ""])] {
            let reply = refusal(driveAllCuts([bytes]))
            #expect(reply?.message == "no username supplied")
            #expect(reply?.state == .invalidAuthorization)
        }
    }

    @Test func `options that are no settings are refused, and the word is named`() {
        let reply = refusal(driveAllCuts([startup(["user": "ann", "options": "-c a=b -d 5"])]))
        #expect(reply?.state == .protocolViolation)
        #expect(reply?.detail == "The word was \"-d\".")
    }

    @Test(arguments: [
        (
            packet(int32(0x2_0000), [0]),
            "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"
        ),
        (int32(10_001), "invalid length of startup packet: 10001"),
        (int32(7), "invalid length of startup packet: 7"),
        (utf8("GET / HTTP/1.1"), "invalid length of startup packet: 1195725856"),
        (
            packet(int32(0x3_0000), utf8("user")),
            "invalid startup packet layout: expected terminator as last byte"
        ),
    ])
    func `what is no startup packet is refused`(_ bytes: [UInt8], _ text: String) {
        let reply = refusal(driveAllCuts([bytes]))
        #expect(reply?.message == text)
        #expect(reply?.state == .protocolViolation)
    }
}
