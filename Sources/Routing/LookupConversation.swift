public import Bytes
internal import Wire

/// What `lookup_query` said of one key.
public enum LookupAnswer: Equatable, Sendable {
    /// The name in its one row and column; nil = there is no row.
    case shard(String?)
    /// Several rows or columns, or an error, in words.
    case failed(String)
}

/// The client's side of a connection that asks where keys are: one question behind the other, each
/// answered in its turn. Performs no I/O.
public struct LookupConversation: Sendable {
    private var scanner = FrameScanner(lengthMax: 1 << 20)
    /// Whether the greeting has ended.
    private var isGreeted = false
    private var rows: [String?] = []
    private var problem: String?

    public init() {}

    /// Appends a question: `values` are the parameters of `query` as text, nil = NULL.
    public static func ask(_ query: String, _ values: [[UInt8]?], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.parse) {
            $0.append(UInt8(0))
            $0.append(cString: query)
            $0.append(bigEndian: UInt16(0))
        }
        buffer.appendMessage(ClientTag.bind) {
            $0.append(UInt8(0))
            $0.append(UInt8(0))
            $0.append(bigEndian: UInt16(0))
            $0.append(bigEndian: UInt16(values.count))
            for value in values {
                $0.append(bigEndian: UInt32(bitPattern: Int32(value?.count ?? -1)))
                if let value { $0.append(value) }
            }
            $0.append(bigEndian: UInt16(0))
        }
        buffer.appendMessage(ClientTag.execute) {
            $0.append(UInt8(0))
            $0.append(bigEndian: UInt32(2))
        }
        ClientMessages.sync(to: &buffer)
    }

    /// Takes what came; bytes from `offset` on are an incomplete message. Returns the answers that
    /// are complete, oldest first; nil = the connection is of no more use, and `reason` says why.
    public mutating func received(
        _ bytes: borrowing RawSpan, from offset: inout Int
    ) -> [LookupAnswer]? {
        var answers: [LookupAnswer] = []
        while true {
            let before = scanner
            guard let piece = try? scanner.next(in: bytes, from: &offset) else { return answers }
            guard let tag = piece.opens else { return nil }
            guard piece.closes else {
                scanner = before
                offset = piece.start
                return answers
            }
            let body = bytes.extracting(piece.body)
            switch tag {
            case ServerTag.dataRow:
                rows.append(Self.column(body))
                if body.byteCount < 2 || body.uint16BigEndian(at: 0) != 1 {
                    problem = "lookup_query gave \(Self.columnCount(body)) columns instead of one"
                }
            case ServerTag.portalSuspended:
                problem = "lookup_query gave more than one row"
            case ServerTag.errorResponse:
                let fields = ErrorFields(body: body)
                problem = "lookup_query failed: \(fields.message)"
                if fields.isFatal { return nil }
            case ServerTag.readyForQuery:
                if isGreeted { answers.append(takeAnswer()) } else { isGreeted = true }
            default:
                break
            }
        }
    }

    /// Why the connection has ended, as far as it has said.
    public var reason: String { problem ?? "lookup_query: the connection was closed" }

    private mutating func takeAnswer() -> LookupAnswer {
        defer {
            rows.removeAll()
            problem = nil
        }
        if rows.count > 1 { problem = "lookup_query gave more than one row" }
        if let problem { return .failed(problem) }
        guard let row = rows.first else { return .shard(nil) }
        return row.map { .shard($0) } ?? .failed("lookup_query gave NULL")
    }

    private static func columnCount(_ row: borrowing RawSpan) -> Int {
        row.byteCount < 2 ? 0 : Int(row.uint16BigEndian(at: 0))
    }

    /// The first column of a DataRow; nil = NULL.
    private static func column(_ row: borrowing RawSpan) -> String? {
        guard row.byteCount >= 6, row.uint16BigEndian(at: 0) > 0 else { return nil }
        let length = Int(Int32(bitPattern: row.uint32BigEndian(at: 2)))
        guard length >= 0, length <= row.byteCount - 6 else { return nil }
        return row.string(in: 6..<6 + length)
    }
}
