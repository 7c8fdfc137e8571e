import Bytes
import TestSupport
import Testing

@Suite struct ByteBufferTests {
    /// What can be seen of a buffer, since `#expect` cannot hold one.
    private struct Seen: Equatable {
        var bytes: [UInt8]
        var count: Int
        var isEmpty: Bool
    }

    private func see(_ buffer: borrowing ByteBuffer) -> Seen {
        Seen(bytes: buffer.bytes.array(), count: buffer.count, isEmpty: buffer.isEmpty)
    }

    private func seen(_ bytes: [UInt8]) -> Seen {
        Seen(bytes: bytes, count: bytes.count, isEmpty: bytes.isEmpty)
    }

    @Test func `a new buffer holds nothing, not even memory`() {
        let buffer = ByteBuffer()
        #expect(see(buffer) == seen([]))
        let byteCount = buffer.allocatedByteCount
        #expect(byteCount == 0)
    }

    @Test func `everything is appended at the end, most significant byte first`() {
        var buffer = ByteBuffer()
        buffer.append(UInt8(1))
        buffer.append(bigEndian: UInt16(0x0203))
        buffer.append(bigEndian: UInt32(0x0405_0607))
        buffer.append(utf8: "é")
        buffer.append([8, 9])
        buffer.append([] as [UInt8])
        [10, 11].withRawSpan { buffer.append($0) }
        [].withRawSpan { buffer.append($0) }
        #expect(see(buffer) == seen([1, 2, 3, 4, 5, 6, 7, 0xc3, 0xa9, 8, 9, 10, 11]))
    }

    @Test func `bytes are consumed from the start`() {
        var buffer = ByteBuffer()
        buffer.append([1, 2, 3])
        buffer.consume(2)
        #expect(see(buffer) == seen([3]))
        buffer.append([4])
        #expect(see(buffer) == seen([3, 4]))
        buffer.consume(0)
        buffer.consume(2)
        #expect(see(buffer) == seen([]))
    }

    @Test func `the end is cut off`() {
        var buffer = ByteBuffer()
        buffer.append([1, 2, 3, 4])
        buffer.consume(1)
        buffer.truncate(to: 2)
        #expect(see(buffer) == seen([2, 3]))
        buffer.append([9])
        #expect(see(buffer) == seen([2, 3, 9]))
    }

    @Test func `a length is filled in later, counted from what is readable`() {
        var buffer = ByteBuffer()
        buffer.append([9, 9, 0, 0, 0, 0, 5])
        buffer.consume(1)
        buffer.replace(at: 1, bigEndian: 0x0102_0304)
        #expect(see(buffer) == seen([9, 1, 2, 3, 4, 5]))
        buffer.replace(at: 2, bigEndian: 0)
        #expect(see(buffer) == seen([9, 1, 0, 0, 0, 0]))
    }

    @Test func `memory stays until it is released`() {
        var buffer = ByteBuffer(capacity: 100)
        let before = buffer.allocatedByteCount
        #expect(before >= 100)
        buffer.append([1, 2])
        buffer.removeAll()
        #expect(see(buffer) == seen([]))
        let after = buffer.allocatedByteCount
        #expect(after == before)
        buffer.release()
        let released = buffer.allocatedByteCount
        #expect(released == 0)
        buffer.append([3])
        #expect(see(buffer) == seen([3]))
    }

    @Test func `the buffer at least doubles when it grows`() {
        var buffer = ByteBuffer(capacity: 64)
        buffer.append([UInt8](repeating: 1, count: 64))
        let before = buffer.allocatedByteCount
        #expect(before == 64)
        buffer.append(UInt8(2))
        let after = buffer.allocatedByteCount
        #expect(after >= 128)
        #expect(see(buffer) == seen([UInt8](repeating: 1, count: 64) + [2]))
    }

    @Test func `a stream that is consumed as it comes does not grow the buffer`() {
        var buffer = ByteBuffer(capacity: 64)
        for round in 0..<1000 {
            buffer.append([UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 30))
            buffer.consume(29)
            if buffer.count > 20 { buffer.consume(buffer.count - 1) }
        }
        let byteCount = buffer.allocatedByteCount
        #expect(byteCount <= 128)
    }

    @Test func `somebody else writes behind the readable bytes`() {
        var buffer = ByteBuffer()
        buffer.append([1])
        unsafe buffer.appendUninitialized(byteCount: 1000) { space in
            unsafe space[0] = 2
            unsafe space[1] = 3
            return space.count >= 1000 ? 2 : 0
        }
        #expect(see(buffer) == seen([1, 2, 3]))
        unsafe buffer.appendUninitialized(byteCount: 10) { _ in 0 }
        #expect(see(buffer) == seen([1, 2, 3]))
    }

    @Test(arguments: Seeds.suite(50))
    func `it behaves as an array that is appended to and cut`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var buffer = ByteBuffer()
        var model: [UInt8] = []
        for step in 0..<300 {
            let count = Int.random(in: 0...90, using: &random)
            let some = (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ step) }
            switch Int.random(in: 0..<9, using: &random) {
            case 0, 1:
                buffer.append(some)
                model += some
            case 2:
                some.withRawSpan { buffer.append($0) }
                model += some
            case 3:
                buffer.append(bigEndian: UInt32(count))
                model += int32(count)
            case 4, 5:
                let gone = min(count, model.count)
                buffer.consume(gone)
                model.removeFirst(gone)
            case 6:
                let left = model.count - min(count, model.count)
                buffer.truncate(to: left)
                model.removeLast(model.count - left)
            case 7: buffer.reserve(count)
            default:
                guard count < 3 else { continue }
                buffer.release()
                model = []
            }
            #expect(see(buffer) == seen(model), "SEED=\(seed) step \(step)")
            let byteCount = buffer.allocatedByteCount
            #expect(byteCount >= model.count)
        }
    }

    @Test func `consuming what is not there stops the process`() async {
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.append([1])
            buffer.consume(2)
        }
    }
}
