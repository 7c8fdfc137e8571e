/// Why a SCRAM exchange ended: what was expected. Attributes go by their letter.
public enum ScramError: Error, Equatable, Sendable {
    /// A message came that this exchange does not wait for.
    case outOfTurn
    case messageTooLong(byteCount: Int, max: Int)
    /// The message begins with "n,," or "y,,".
    case gs2HeaderExpected
    /// "p=": the client binds to its channel, which we did not offer.
    case channelBindingUnsupported
    /// `c=` is not the header that the client sent first.
    case channelBindingMismatch
    /// Between commas stand a letter, "=" and a value.
    case attributeMalformed
    /// This attribute should stand here.
    case attributeExpected(Unicode.Scalar)
    case attributeRepeated(Unicode.Scalar)
    case attributeEmpty(Unicode.Scalar)
    /// An attribute with a meaning, in a place where it has none.
    case attributeMisplaced(Unicode.Scalar)
    /// `m=`: an extension without which the peer does not want to go on.
    case extensionUnsupported
    /// In the user name, "=" is followed by "2C" or "3D".
    case nameMalformed
    /// A nonce consists of printable ASCII without commas.
    case nonceMalformed
    /// The nonce is not the one of this exchange.
    case nonceMismatch
    case base64Expected(Unicode.Scalar)
    case iterationsOutOfRange(max: Int)
    /// The client does not know the password.
    case proofWrong
    /// The server does not know the password.
    case signatureWrong
    /// The server ended the exchange with this error.
    case refusedByServer(String)
}

extension ScramError: CustomStringConvertible {
    /// One line for the log. Tells a client nothing that it does not know.
    public var description: String {
        switch self {
        case .outOfTurn: "unexpected SCRAM message"
        case .messageTooLong(let byteCount, let max):
            "SCRAM message of \(byteCount) bytes, at most \(max) are allowed"
        case .gs2HeaderExpected: "expected \"n,,\" or \"y,,\""
        case .channelBindingUnsupported: "channel binding is not supported"
        case .channelBindingMismatch: "channel binding data is not what was sent first"
        case .attributeMalformed: "malformed SCRAM attribute"
        case .attributeExpected(let name): "expected SCRAM attribute \"\(name)\""
        case .attributeRepeated(let name): "SCRAM attribute \"\(name)\" is repeated"
        case .attributeEmpty(let name): "SCRAM attribute \"\(name)\" is empty"
        case .attributeMisplaced(let name): "SCRAM attribute \"\(name)\" is out of place"
        case .extensionUnsupported: "mandatory SCRAM extension is not supported"
        case .nameMalformed: "malformed SCRAM user name"
        case .nonceMalformed: "malformed SCRAM nonce"
        case .nonceMismatch: "SCRAM nonce does not match"
        case .base64Expected(let name): "SCRAM attribute \"\(name)\" is not valid base64"
        case .iterationsOutOfRange(let max): "SCRAM iteration count is not in 1 to \(max)"
        case .proofWrong: "password authentication failed"
        case .signatureWrong: "the server's SCRAM signature is wrong"
        case .refusedByServer(let reason): "the server refused: \(reason)"
        }
    }
}
