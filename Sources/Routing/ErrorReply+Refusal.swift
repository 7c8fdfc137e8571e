public import Sharding
public import Wire

extension ErrorReply {
    public init(_ severity: Severity, _ refusal: Refusal) {
        self.init(
            severity, .featureNotSupported, refusal.message, detail: refusal.detail,
            hint: refusal.hint)
    }
}
