internal import Bytes
internal import Wire

/// Where our names of statements stand in a text, instead of the client's: an error tells places
/// in the text that the server got, and the client counts in its own.
struct RenamedText: Sendable {
    private struct Place {
        /// Characters of the server's text before our name.
        let start: Int
        /// In characters.
        let ourLength: Int
        let clientLength: Int
    }

    private var places: [Place] = []
    /// What running the text will do to its client's names, in the order of the text.
    var changes: [NameChange] = []
    /// What its client is told instead of the error that it ends with.
    private(set) var refusal: ErrorReply?

    init() {}

    /// A message that is sure to fail stands for what is refused.
    init(refusal: ErrorReply) { self.refusal = refusal }

    /// Whether both texts are the same.
    var isEmpty: Bool { places.isEmpty && refusal == nil }

    /// `uses` in the order of the text, which is `range` of `bytes`, in UTF-8.
    init(_ uses: [ResolvedNames.Use], in range: Range<Int>, of bytes: borrowing RawSpan) {
        var start = range.lowerBound
        var count = 0
        for use in uses {
            count += Self.characterCount(bytes, start..<use.range.lowerBound)
            let ours = ServerStatements.name(of: use.statement).utf8.count
            let length = Self.characterCount(bytes, use.range)
            places.append(Place(start: count, ourLength: ours, clientLength: length))
            count += ours
            start = use.range.upperBound
        }
    }

    /// What has not happened up to the end of the text will not.
    func release(_ store: any StatementStore) {
        for case .prepared(_, let statement) in changes { store.release(statement) }
    }

    private static func characterCount(_ bytes: borrowing RawSpan, _ range: Range<Int>) -> Int {
        var count = 0
        for offset in range where bytes.uint8(at: offset) & 0xc0 != 0x80 { count += 1 }
        return count
    }

    /// The place in the client's text; both count characters from 1 on.
    func clientPosition(_ position: Int) -> Int {
        var moved = position
        for place in places where position > place.start {
            let inside = position - 1 - place.start
            if inside < place.ourLength {
                // Somewhere in the name: its start is what errors mean.
                moved -= inside
                break
            }
            moved -= place.ourLength - place.clientLength
        }
        return moved
    }

    /// The body of an error with the client's position. Source: PostgreSQL documentation, "Error
    /// and Notice Message Fields", P.
    func inClientsText(_ body: borrowing RawSpan) -> [UInt8]? {
        if let refusal {
            var message = ByteBuffer()
            refusal.write(to: &message)
            return message.bytes.extracting(5..<message.count).array()
        }
        var offset = 0
        while offset < body.byteCount, body.uint8(at: offset) != 0 {
            guard let end = body.firstOffset(of: 0, in: offset..<body.byteCount) else { return nil }
            if body.uint8(at: offset) == UInt8(ascii: "P") {
                guard let position = Int(body.string(in: offset + 1..<end)) else { return nil }
                return body.extracting(0..<offset + 1).array()
                    + Array("\(clientPosition(position))".utf8)
                    + body.extracting(end..<body.byteCount).array()
            }
            offset = end + 1
        }
        return nil
    }
}
