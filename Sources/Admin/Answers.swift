internal import Bytes
internal import Wire

/// The rows of one SHOW.
struct RowSet {
    let columns: [(name: String, type: UInt32)]
    var rows: [[String?]] = []

    /// `types`: a letter per name: s text, i int4, q int8, N numeric, as in PgBouncer's source.
    /// `names`: separated by blanks.
    init(types: String, names: String) {
        let names = names.split(separator: " ")
        precondition(types.count == names.count, "\(types) does not fit \(names)")
        columns = zip(types, names).map { type, name in
            let number: UInt32 =
                switch type {
                case "i": 23
                case "q": 20
                case "N": 1700
                default: 25
                }
            return (String(name), number)
        }
    }

    mutating func add(_ values: [String?]) {
        precondition(values.count == columns.count, "a row of \(columns.count) columns")
        rows.append(values)
    }

    func write(to buffer: inout ByteBuffer) {
        ServerMessages.rowDescription(columns, to: &buffer)
        for row in rows { ServerMessages.dataRow(row, to: &buffer) }
        ServerMessages.commandComplete("SHOW", to: &buffer)
    }
}

/// What the console says to one query.
enum Answer {
    case rows(RowSet)
    case done(String)
    case notice(ErrorReply, tag: String)
    case empty

    /// The whole answer, up to ReadyForQuery.
    var bytes: [UInt8] {
        var buffer = ByteBuffer()
        switch self {
        case .rows(let set): set.write(to: &buffer)
        case .done(let tag): ServerMessages.commandComplete(tag, to: &buffer)
        case .notice(let notice, let tag):
            notice.write(to: &buffer)
            ServerMessages.commandComplete(tag, to: &buffer)
        case .empty: buffer.appendMessage(ServerTag.emptyQueryResponse)
        }
        ServerMessages.readyForQuery(.idle, to: &buffer)
        return buffer.bytes.array()
    }

    static func bytes(of error: ErrorReply) -> [UInt8] {
        var buffer = ByteBuffer()
        error.write(to: &buffer)
        ServerMessages.readyForQuery(.idle, to: &buffer)
        return buffer.bytes.array()
    }
}
