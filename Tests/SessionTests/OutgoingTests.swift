import Bytes
import Session
import TestSupport
import Testing

@Suite struct OutgoingTests {
    private static let bytes = [UInt8](0..<20)

    /// Ranges are passed, nil stands for a byte of ours.
    private func sent(_ steps: [Range<Int>?]) -> (bytes: [UInt8], isPassedOnly: Bool) {
        var outgoing = Outgoing()
        Self.bytes.withRawSpan { span in
            for step in steps {
                if let step {
                    outgoing.pass(step, of: span)
                } else {
                    outgoing.spill(span)
                    outgoing.buffer.append(UInt8(99))
                }
            }
        }
        let all = outgoing.all(of: Self.bytes)
        #expect(all.count == outgoing.byteCount)
        #expect(all.isEmpty == outgoing.isEmpty)
        return (all, outgoing.isPassedOnly)
    }

    @Test func `stretches that follow each other are not copied`() {
        let (bytes, isPassedOnly) = sent([3..<5, 5..<5, 5..<9])
        #expect(bytes == [3, 4, 5, 6, 7, 8])
        #expect(isPassedOnly)
    }

    @Test func `a gap or a byte of ours makes a copy, in the same order`() {
        #expect(sent([0..<2, 4..<6]).bytes == [0, 1, 4, 5])
        #expect(sent([0..<2, nil, 2..<4, 4..<5, nil]).bytes == [0, 1, 99, 2, 3, 4, 99])
        #expect(sent([nil, 7..<8]).bytes == [99, 7])
        #expect(!sent([0..<2, 4..<6]).isPassedOnly)
    }

    @Test func `nothing is nothing`() {
        #expect(sent([]).bytes == [])
        #expect(sent([4..<4]).bytes == [])
    }
}
