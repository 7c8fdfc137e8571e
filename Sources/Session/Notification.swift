internal import Bytes
internal import Wire

/// A NotificationResponse. Source: PostgreSQL documentation, "Message Formats".
public struct Notification: Equatable, Sendable {
    /// Process of the server that ran the NOTIFY.
    public let processID: UInt32
    public let channel: String
    /// The message's body as it came.
    private let body: [UInt8]

    /// nil = the body is none of a NotificationResponse.
    public init?(body: borrowing RawSpan) {
        guard body.byteCount > 5, let end = body.firstOffset(of: 0, in: 4..<body.byteCount) else {
            return nil
        }
        processID = body.uint32BigEndian(at: 0)
        channel = body.string(in: 4..<end)
        self.body = body.array()
    }

    /// Bytes of the whole message.
    public var byteCount: Int { body.count + 5 }

    public var payload: String {
        let start = body.dropFirst(4).firstIndex(of: 0).map { $0 + 1 } ?? body.count
        return String(decoding: body[start...].prefix { $0 != 0 }, as: UTF8.self)
    }

    /// `processID`: what the client is told instead of the server's; nil = nothing else.
    func write(to buffer: inout ByteBuffer, processID: UInt32? = nil) {
        buffer.appendMessage(ServerTag.notificationResponse) { message in
            let start = message.count
            message.append(body)
            if let processID { message.replace(at: start, bigEndian: processID) }
        }
    }
}
