internal import Bytes
internal import Session
internal import Wire

/// What is done with messages of the protocol.
enum Messages {
    /// A hundred rows of 100 bytes cut apart.
    static func frames(_ count: Int) throws -> UInt64 {
        var rows = ByteBuffer()
        for _ in 0..<100 {
            rows.appendMessage(ServerTag.dataRow) { row in
                row.append(bigEndian: UInt16(1))
                row.append(bigEndian: UInt32(100))
                row.append([UInt8](repeating: 0x78, count: 100))
            }
        }
        var scanner = FrameScanner(lengthMax: 1 << 20)
        var sum: UInt64 = 0
        for _ in 0..<count {
            var offset = 0
            while let piece = try scanner.next(in: rows.bytes, from: &offset) {
                sum &+= UInt64(piece.body.count)
            }
        }
        return sum
    }

    /// A query is noted and answered.
    static func ledger(_ count: Int) -> UInt64 {
        var ledger = Ledger()
        var sum: UInt64 = 0
        for _ in 0..<count {
            ledger.append(Expectation(.query))
            guard let answered = ledger.removeHead() else { continue }
            sum &+= UInt64(answered.kind.rawValue)
        }
        return sum
    }
}
