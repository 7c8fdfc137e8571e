import Bytes
import TestSupport
import Testing

@Suite struct RawSpanReadingTests {
    private static let bytes: [UInt8] = [0x00, 0x12, 0xfe, 0xdc, 0xba, 0x98, 0x7f]

    @Test func `integers are read most significant byte first, at any offset`() {
        Self.bytes.withRawSpan { span in
            for offset in 0..<7 { #expect(span.uint8(at: offset) == Self.bytes[offset]) }
            #expect(span.uint16BigEndian(at: 0) == 0x0012)
            #expect(span.uint16BigEndian(at: 1) == 0x12fe)
            #expect(span.uint16BigEndian(at: 5) == 0x987f)
            #expect(span.uint32BigEndian(at: 0) == 0x0012_fedc)
            #expect(span.uint32BigEndian(at: 2) == 0xfedc_ba98)
            #expect(span.uint32BigEndian(at: 3) == 0xdcba_987f)
        }
    }

    @Test func `a byte is found where it stands first in the range`() {
        [5, 0, 7, 0, 5].withRawSpan { span in
            #expect(span.firstOffset(of: 0, in: 0..<5) == 1)
            #expect(span.firstOffset(of: 0, in: 1..<5) == 1)
            #expect(span.firstOffset(of: 0, in: 2..<5) == 3)
            #expect(span.firstOffset(of: 0, in: 2..<3) == nil)
            #expect(span.firstOffset(of: 5, in: 1..<4) == nil)
            #expect(span.firstOffset(of: 5, in: 4..<5) == 4)
            #expect(span.firstOffset(of: 5, in: 5..<5) == nil)
            #expect(span.firstOffset(of: 9, in: 0..<5) == nil)
        }
        [].withRawSpan { #expect($0.firstOffset(of: 0, in: 0..<0) == nil) }
        [0xff].withRawSpan { #expect($0.firstOffset(of: 0xff, in: 0..<1) == 0) }
    }

    @Test func `text and arrays are copies of the range`() {
        let text = utf8("a\u{e9}b")
        text.withRawSpan { span in
            #expect(span.string(in: 0..<4) == "a\u{e9}b")
            #expect(span.string(in: 1..<3) == "\u{e9}")
            #expect(span.string(in: 0..<2) == "a\u{fffd}")
            #expect(span.string(in: 2..<2) == "")
            #expect(span.array() == text)
        }
        [].withRawSpan {
            #expect($0.array() == [])
            #expect($0.string(in: 0..<0) == "")
        }
    }

    @Test func `spans are equal when their bytes are`() {
        [1, 2, 3].withRawSpan { span in
            let isEqual = [1, 2, 3].equals(span)
            #expect(isEqual)
            for other: [UInt8] in [[1, 2], [1, 2, 4], [1, 2, 3, 0], []] {
                let isEqual = other.equals(span)
                #expect(!isEqual, "\(other)")
            }
        }
        [].withRawSpan { span in
            let isEqual = [].equals(span)
            #expect(isEqual)
        }
    }

    @Test func `hashes follow from the bytes`() {
        #expect([1, 2].hash64() == [1, 2].withRawSpan { $0.hash64() })
        let texts = (0..<1000).map { Array("select \($0)".utf8).hash64() }
        #expect(Set(texts).count == 1000)
        #expect([].hash64() != [0].hash64())
        let zeros = (0..<40).map { [UInt8](repeating: 0, count: $0).hash64() }
        #expect(Set(zeros).count == 40)
        let bits = (0..<256).map { bit in
            var bytes = [UInt8](repeating: 0, count: 32)
            bytes[bit / 8] = 1 << UInt8(bit % 8)
            return bytes.hash64() >> 48
        }
        #expect(Set(bits).count > 250)
    }

    @Test func `bytes are the same only if all are`() {
        for count in 0..<30 {
            let one = (0..<count + 3).map { UInt8($0 * 7 & 0xff) }
            for shift in 0...3 {
                var other = [UInt8](repeating: 9, count: shift) + one[2..<2 + count] + [1, 2]
                let range = shift..<shift + count
                func isSame() -> Bool {
                    one.withRawSpan { mine in
                        other.withRawSpan { mine.hasBytes(of: $0, in: range, at: 2) }
                    }
                }
                #expect(isSame())
                for place in range {
                    other[place] ^= 0x10
                    #expect(!isSame(), "\(count) \(place)")
                    other[place] ^= 0x10
                }
            }
        }
    }

    @Test func `the hash of a range is that of its bytes, and of no others`() {
        let bytes = (0..<40).map { UInt8($0 * 11 & 0xff) }
        for start in 0..<20 {
            for end in start...40 {
                let part = Array(bytes[start..<end])
                let hash = bytes.withRawSpan { $0.hash64(in: start..<end) }
                #expect(hash == part.hash64())
                for place in part.indices {
                    var other = part
                    other[place] ^= 1
                    #expect(other.hash64() != hash)
                }
            }
        }
    }

    @Test func `the first digit or quote is found, and nothing else`() {
        for byte in UInt8.min...UInt8.max {
            let isWanted = (0x30...0x39).contains(byte) || (0x24...0x27).contains(byte)
            for count in [1, 7, 8, 9, 20] {
                for place in 0..<count {
                    var bytes = [UInt8](repeating: 0x61, count: count)
                    bytes[place] = byte
                    let found = bytes.withRawSpan { $0.firstDigitOrQuote(in: 0..<count) }
                    #expect(found == (isWanted ? place : nil))
                    #expect(
                        bytes.withRawSpan { $0.firstDigitOrQuote(in: place + 1..<count) } == nil)
                }
            }
        }
    }

    @Test func `ASCII ends with the first byte above`() {
        for count in 0..<20 {
            var bytes = [UInt8](repeating: 0x7f, count: count)
            #expect(bytes.withRawSpan { $0.isASCII(in: 0..<count) })
            for place in 0..<count {
                bytes[place] = 0x80
                #expect(!bytes.withRawSpan { $0.isASCII(in: 0..<count) })
                #expect(bytes.withRawSpan { $0.isASCII(in: place + 1..<count) })
                bytes[place] = 0
            }
        }
    }

    @Test func `an error thrown inside keeps its type`() {
        struct Stop: Error {}
        let body: (borrowing RawSpan) throws(Stop) -> Void = { _ throws(Stop) in throw Stop() }
        do throws(Stop) {
            try [UInt8]().withRawSpan(body)
            Issue.record("it did not throw")
        } catch {}
    }

    @Test func `reading behind the end stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let value = [1, 2, 3].withRawSpan { $0.uint32BigEndian(at: 0) }
            print(value)
        }
        await #expect(processExitsWith: .failure) {
            let value = [1, 2, 3].withRawSpan { $0.uint8(at: 3) }
            print(value)
        }
        await #expect(processExitsWith: .failure) {
            let value = [1, 2, 3].withRawSpan { $0.uint16BigEndian(at: -1) }
            print(value)
        }
    }
}
