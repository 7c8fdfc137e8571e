import Bytes

/// Where a stream is cut into pieces: offsets from its start, ascending.
public struct Cuts: Sendable, CustomStringConvertible {
    public let offsets: [Int]

    public init(at offsets: [Int]) { self.offsets = offsets }

    public static let none = Cuts(at: [])

    /// One piece per byte, for streams of up to `byteCount` bytes.
    public static func everyByte(of byteCount: Int) -> Cuts {
        Cuts(at: Array(1..<max(1, byteCount)))
    }

    /// Each way to cut `byteCount` bytes into two pieces.
    public static func eachSingle(of byteCount: Int) -> [Cuts] {
        (1..<max(1, byteCount)).map { Cuts(at: [$0]) }
    }

    /// Up to `countMax` cuts anywhere in `byteCount` bytes.
    public static func random(
        of byteCount: Int, countMax: Int, using random: inout SeededRandom
    ) -> Cuts {
        guard byteCount > 1 else { return .none }
        let count = Int.random(in: 0...countMax, using: &random)
        let offsets = (0..<count).map { _ in Int.random(in: 1..<byteCount, using: &random) }
        return Cuts(at: Set(offsets).sorted())
    }

    public var description: String { "cut at \(offsets)" }
}

/// Cuts a stream that becomes known bit by bit.
public struct Cutter: Sendable {
    private var offsets: ArraySlice<Int>
    private var position = 0

    public init(_ cuts: Cuts) { offsets = cuts.offsets[...] }

    /// The pieces of the next `bytes` of the stream.
    public mutating func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var left = bytes[...]
        while let cut = offsets.first, cut < position + left.count {
            offsets.removeFirst()
            guard cut > position else { continue }
            pieces.append(Array(left.prefix(cut - position)))
            left = left.dropFirst(cut - position)
            position = cut
        }
        position += left.count
        if !left.isEmpty { pieces.append(Array(left)) }
        return pieces
    }
}

extension [UInt8] {
    public func pieces(_ cuts: Cuts) -> [[UInt8]] {
        var cutter = Cutter(cuts)
        return cutter.pieces(of: self)
    }
}
