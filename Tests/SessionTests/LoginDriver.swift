import Authentication
import Bytes
import Session
import TestSupport

/// Brings a client's bytes to a `ClientLogin` as the worker does, and keeps what is not used.
struct LoginDriver {
    var login = ClientLogin()
    var policy = LoginPolicy(method: .trust, secret: nil, scramSecret: nil, isMock: false)
    var offersTLS = false
    private var held: [UInt8] = []
    /// What the client got.
    private(set) var replies: [UInt8] = []
    /// What was said other than `needsMore`.
    private(set) var steps: [ClientLogin.Step] = []

    static let salt: [UInt8] = [1, 2, 3, 4]
    static let nonce = "3rfcNHYJY1ZVvWVs7j"

    mutating func give(_ bytes: [UInt8]) {
        held += bytes
        var isMore = true
        while isMore, !isOver {
            var offset = 0
            var reply = ByteBuffer()
            var step = receive(&offset, &reply)
            if step == .identified {
                steps.append(step)
                step = login.begin(policy, salt: Self.salt, nonce: Self.nonce, reply: &reply)
            }
            held.removeFirst(offset)
            replies += reply.bytes.array()
            if step != .needsMore { steps.append(step) }
            isMore = offset > 0
        }
    }

    private mutating func receive(_ offset: inout Int, _ reply: inout ByteBuffer)
        -> ClientLogin.Step
    {
        let (bytes, offersTLS) = (held, offersTLS)
        return bytes.withRawSpan {
            login.received($0, from: &offset, offersTLS: offersTLS, reply: &reply)
        }
    }

    /// Whether the login said how it ends.
    var isOver: Bool {
        switch steps.last {
        case nil, .needsMore, .identified: false
        case .startTLS, .cancel, .authenticated, .refused, .closed: true
        }
    }
}

func startup(minor: Int = 0, _ parameters: KeyValuePairs<String, String>) -> [UInt8] {
    var fields: [UInt8] = []
    for (name, value) in parameters { fields += cString(name) + cString(value) }
    return packet(int32(0x3_0000 | minor), fields, [0])
}

func password(_ text: String) -> [UInt8] { message("p", cString(text)) }

func saslInitial(_ data: [UInt8], mechanism: String = "SCRAM-SHA-256") -> [UInt8] {
    message("p", cString(mechanism), int32(data.count), data)
}
