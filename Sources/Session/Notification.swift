internal import Bytes
internal import Wire

/// A NotificationResponse. Source: PostgreSQL documentation, "Message Formats".
public struct Notification: Equatable, Sendable {
    /// Process of the server that ran the NOTIFY, or what its client was told at its login.
    public private(set) var processID: UInt32
    public let channel: String
    /// The message's body.
    private var body: [UInt8]

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

    /// In the name of the client that had the server, if there is one.
    func told(by processes: (any ProcessNames)?) -> Notification {
        guard let told = processes?.told(for: processID) else { return self }
        var notification = self
        notification.processID = told
        for place in 0..<4 {
            notification.body[place] = UInt8(truncatingIfNeeded: told >> (24 - 8 * UInt32(place)))
        }
        return notification
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.notificationResponse) { $0.append(body) }
    }
}

/// Servers' processes, and the clients that have them.
public protocol ProcessNames: AnyObject, Sendable {
    /// What the client that has server process `process` now, or had it last, was told at its
    /// login; nil = no server of ours, or nobody has had it.
    func told(for process: UInt32) -> UInt32?
}
