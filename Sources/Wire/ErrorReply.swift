public import Bytes

/// An ErrorResponse or NoticeResponse of ours: what happened, which limit, what to do.
public struct ErrorReply: Error, Equatable, Sendable {
    public enum Severity: String, Sendable {
        case error = "ERROR"
        case fatal = "FATAL"
        case notice = "NOTICE"
    }

    public var severity: Severity
    public var state: SQLState
    public var message: String
    public var detail: String?
    public var hint: String?

    public init(
        _ severity: Severity, _ state: SQLState, _ message: String,
        detail: String? = nil, hint: String? = nil
    ) {
        self.severity = severity
        self.state = state
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    public static func fatal(
        _ state: SQLState, _ message: String, detail: String? = nil, hint: String? = nil
    ) -> ErrorReply {
        ErrorReply(.fatal, state, message, detail: detail, hint: hint)
    }

    /// Source: PostgreSQL documentation, "Error and Notice Message Fields".
    public func write(to buffer: inout ByteBuffer) {
        let tag = severity == .notice ? ServerTag.noticeResponse : ServerTag.errorResponse
        buffer.appendMessage(tag) { body in
            field("S", severity.rawValue, &body)
            field("V", severity.rawValue, &body)
            field("C", state.text, &body)
            field("M", message, &body)
            if let detail { field("D", detail, &body) }
            if let hint { field("H", hint, &body) }
            body.append(UInt8(0))
        }
    }

    private func field(_ code: Unicode.Scalar, _ text: String, _ body: inout ByteBuffer) {
        body.append(UInt8(ascii: code))
        body.append(cString: text)
    }
}

/// The fields of an ErrorResponse that came from a server; any may be missing.
public struct ErrorFields: Equatable, Sendable {
    public var severity = ""
    public var state = ""
    public var message = ""
    public var detail = ""
    public var hint = ""

    /// Whether the sender closes the connection.
    public var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }

    /// Reads the body of an ErrorResponse or NoticeResponse. Never fails: what is not there is "".
    public init(body: borrowing RawSpan) {
        var offset = 0
        while offset < body.byteCount, body.uint8(at: offset) != 0 {
            let code = body.uint8(at: offset)
            let end = body.firstOffset(of: 0, in: offset + 1..<body.byteCount) ?? body.byteCount
            let text = body.string(in: offset + 1..<end)
            switch code {
            case UInt8(ascii: "V"): severity = text
            case UInt8(ascii: "S"): if severity.isEmpty { severity = text }
            case UInt8(ascii: "C"): state = text
            case UInt8(ascii: "M"): message = text
            case UInt8(ascii: "D"): detail = text
            case UInt8(ascii: "H"): hint = text
            default: break
            }
            offset = end + 1
        }
    }
}
