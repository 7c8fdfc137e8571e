import Bytes
import TestSupport
import Testing
import Wire

@Suite struct FrameScannerTests {
    private static let stream: [UInt8] =
        message("S") + message("Q", cString("select 1")) + message("d", utf8("x"))
        + message("c") + message("D", [UInt8](repeating: 7, count: 40)) + message("S")

    /// The pieces of one message, joined.
    private struct Message: Equatable {
        let tag: UInt8
        var body: [UInt8] = []
        var isClosed = false
    }

    /// What a caller does who gets `pieces` one by one and keeps what the scanner leaves.
    private func messages(in pieces: [[UInt8]], lengthMax: UInt32 = 1000) throws -> [Message] {
        var scanner = FrameScanner(lengthMax: lengthMax)
        var found: [Message] = []
        var held: [UInt8] = []
        for piece in pieces {
            held += piece
            let used = try take(held, &scanner, &found)
            held.removeFirst(used)
            #expect(held.count < FramePiece.headerByteCount)
        }
        #expect(held.isEmpty)
        #expect(scanner.isBetweenFrames)
        return found
    }

    private func take(
        _ bytes: [UInt8], _ scanner: inout FrameScanner, _ found: inout [Message]
    ) throws -> Int {
        var offset = 0
        var end = 0
        while let piece = try bytes.withRawSpan({ span throws(WireError) in
            try scanner.next(in: span, from: &offset)
        }) {
            #expect(piece.start == end)
            #expect(piece.body.upperBound == offset)
            if let tag = piece.opens {
                #expect(piece.body.lowerBound == piece.start + FramePiece.headerByteCount)
                found.append(Message(tag: tag))
            } else {
                #expect(piece.body.lowerBound == piece.start)
            }
            let last = found.count - 1
            #expect(!found[last].isClosed)
            found[last].body += bytes[piece.body]
            found[last].isClosed = piece.closes
            #expect(piece.closes == scanner.isBetweenFrames)
            end = offset
        }
        #expect(offset == end, "the scanner moved on without a piece")
        return offset
    }

    @Test func `messages come out with their tags and bodies`() throws {
        let whole = try messages(in: [Self.stream])
        #expect(
            whole == [
                Message(tag: UInt8(ascii: "S"), isClosed: true),
                Message(tag: UInt8(ascii: "Q"), body: cString("select 1"), isClosed: true),
                Message(tag: UInt8(ascii: "d"), body: utf8("x"), isClosed: true),
                Message(tag: UInt8(ascii: "c"), isClosed: true),
                Message(
                    tag: UInt8(ascii: "D"), body: [UInt8](repeating: 7, count: 40), isClosed: true),
                Message(tag: UInt8(ascii: "S"), isClosed: true),
            ])
    }

    @Test func `a stream cut at any byte gives the same messages`() throws {
        let whole = try messages(in: [Self.stream])
        for cuts in Cuts.eachSingle(of: Self.stream.count) {
            #expect(try messages(in: Self.stream.pieces(cuts)) == whole, "\(cuts)")
        }
    }

    @Test func `a stream that comes byte by byte gives the same messages`() throws {
        let pieces = Self.stream.pieces(.everyByte(of: Self.stream.count))
        #expect(try messages(in: pieces) == messages(in: [Self.stream]))
    }

    @Test(arguments: Seeds.suite(50))
    func `a stream cut at random gives the same messages`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let cuts = Cuts.random(of: Self.stream.count, countMax: 12, using: &random)
        #expect(
            try messages(in: Self.stream.pieces(cuts)) == messages(in: [Self.stream]),
            "SEED=\(seed) \(cuts)")
    }

    @Test(arguments: [0, 1, 2, 3])
    func `a length that does not count itself is an error`(_ length: Int) throws {
        let bytes = message("S") + [UInt8(ascii: "Q")] + int32(length) + [0, 0, 0, 0]
        for cuts in [Cuts.none] + Cuts.eachSingle(of: bytes.count) {
            #expect(throws: WireError.lengthTooSmall(UInt32(length)), "\(cuts)") {
                try messages(in: bytes.pieces(cuts))
            }
        }
    }

    @Test(arguments: [1001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
    func `a length above the limit is an error before any of the body came`(_ length: Int) throws {
        let bytes = [UInt8(ascii: "Q")] + int32(length)
        #expect(throws: WireError.lengthTooLarge(UInt32(length), max: 1000)) {
            try messages(in: [bytes])
        }
    }

    @Test func `lengths of 4 and of the limit are taken`() throws {
        let bytes = message("H") + message("d", [UInt8](repeating: 1, count: 996))
        #expect(try messages(in: [bytes]).map(\.body.count) == [0, 996])
    }

    @Test func `the largest length does not overflow`() throws {
        let bytes = [UInt8(ascii: "d")] + int32(0xffff_ffff) + [1, 2, 3]
        var scanner = FrameScanner(lengthMax: .max)
        var found: [Message] = []
        #expect(try take(bytes, &scanner, &found) == bytes.count)
        #expect(scanner.bodyByteCountLeft == 0xffff_ffff - 4 - 3)
        #expect(found == [Message(tag: UInt8(ascii: "d"), body: [1, 2, 3])])
    }

    @Test func `frames of one kind end where the first of another begins, or is not all there`() {
        let rows = [message("D", utf8("one")), message("D"), message("D", utf8("three"))]
        let stream = rows.flatMap(\.self) + message("C", cString("SELECT 3"))
        let tag = UInt8(ascii: "D")
        var ends = [0]
        for row in rows { ends.append(ends.last! + row.count) }
        for count in 0...stream.count {
            Array(stream[..<count]).withRawSpan { bytes in
                let scanner = FrameScanner(lengthMax: 1000)
                let whole = ends.last { $0 <= count }
                #expect(scanner.end(ofFramesTagged: tag, in: bytes, from: 0) == whole)
                #expect(scanner.end(ofFramesTagged: 0x43, in: bytes, from: 0) == 0)
            }
        }
        // Broken ones are left to `next`.
        for length in [0, 3, 1001, 0x7fff_ffff, 0xffff_ffff] {
            let broken = rows[0] + utf8("D") + int32(length) + utf8("……")
            broken.withRawSpan { bytes in
                let scanner = FrameScanner(lengthMax: 1000)
                #expect(scanner.end(ofFramesTagged: tag, in: bytes, from: 0) == rows[0].count)
            }
        }
    }

    @Test func `a header that is not all there stays with the caller`() throws {
        var scanner = FrameScanner(lengthMax: 100)
        for count in 0..<FramePiece.headerByteCount {
            var offset = 0
            let piece = try Array(message("S").prefix(count)).withRawSpan {
                span throws(WireError) in try scanner.next(in: span, from: &offset)
            }
            #expect(piece == nil)
            #expect(offset == 0)
        }
    }
}
