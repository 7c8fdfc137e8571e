import Bytes
import Session
import Testing

struct BoundValuesTests {
    /// Behind the statement's name in a Bind: formats, values, and the formats of the result.
    private static func message(_ formats: [UInt8], _ values: [[UInt8]?]) -> [UInt8] {
        var bytes: [UInt8] = [0, UInt8(formats.count)] + formats.flatMap { [0, $0] }
        bytes += [0, UInt8(values.count)]
        for value in values {
            bytes += value.map { [0, 0, 0, UInt8($0.count)] + $0 } ?? [255, 255, 255, 255]
        }
        return bytes + [0, 0]
    }

    private static let messages = [
        message([], []), message([], [[49]]), message([1], [[0, 0, 0, 7], nil]),
        message([0, 1, 0], [nil, [1, 2], []]), message([1, 0], [[9], [49, 50], [51]]),
    ]

    @Test(arguments: messages)
    func `one value alone is found where it is among all`(_ bytes: [UInt8]) throws {
        try bytes.withRawSpan { span in
            for end in 0...bytes.count {
                let all = BoundValues(span, in: 0..<end)
                for number in 0...4 {
                    let found = BoundValues.find(number, span, in: 0..<end)
                    guard let all, (1...max(1, all.count)).contains(number), all.count > 0 else {
                        #expect(found == nil, "\(end) \(number)")
                        continue
                    }
                    let one = try #require(found)
                    #expect(one.range == all.range(number), "\(end) \(number)")
                    #expect(one.isBinary == all.isBinary(number), "\(end) \(number)")
                }
            }
        }
    }
}
