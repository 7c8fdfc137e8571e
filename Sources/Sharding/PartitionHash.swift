/// The hash by which PostgreSQL places a row in a table that is PARTITION BY HASH.
///
/// Bit for bit: `satisfies_hash_partition(parent, modulus, remainder, …)` is true for exactly the
/// remainder that this gives, as long as the columns have the types' default operator classes and
/// deterministic collations, and the server is little-endian.
///
/// Source: PostgreSQL, partbounds.c compute_partition_hash_value; hashfn.c; hashfn.h.
public struct PartitionHash: Sendable, Equatable {
    /// HASH_PARTITION_SEED.
    public static let seed: UInt64 = 0x7a5b_2236_7996_dcfd

    /// The row's hash so far.
    public private(set) var value: UInt64 = 0

    public init() {}

    /// Adds the key's next column. NULL (nil) leaves the hash as it is.
    public mutating func combine(_ column: KeyValue?) {
        guard let column else { return }
        value = Self.combine(value, column.partitionHash)
    }

    /// The hash of a whole key, its columns in order.
    public static func of(_ key: [KeyValue?]) -> UInt64 {
        var hash = PartitionHash()
        for column in key { hash.combine(column) }
        return hash.value
    }

    /// 0..<modulus; `modulus` is not 0.
    public func remainder(of modulus: Int) -> Int { Int(value % UInt64(modulus)) }

    /// hash_combine64.
    static func combine(_ a: UInt64, _ b: UInt64) -> UInt64 {
        a ^ (b &+ 0x49a0_f4dd_15e5_a8e3 &+ (a << 54) &+ (a >> 7))
    }

    // MARK: One column

    /// hash_uint32_extended with the partition seed.
    static func of(_ number: UInt32) -> UInt64 {
        var state = Lookup3(byteCount: 4)
        state.a &+= number
        return state.finish()
    }

    /// hashint8extended with the partition seed: equal for equal numbers of any width.
    static func of(_ number: Int64) -> UInt64 {
        let bits = UInt64(bitPattern: number)
        let high = UInt32(truncatingIfNeeded: bits >> 32)
        return of(UInt32(truncatingIfNeeded: bits) ^ (number >= 0 ? high : ~high))
    }

    /// hash_any_extended with the partition seed. O(bytes.count).
    static func of(_ bytes: [UInt8]) -> UInt64 {
        var state = Lookup3(byteCount: UInt32(truncatingIfNeeded: bytes.count))
        var offset = 0
        while bytes.count - offset >= 12 {
            state.a &+= word(bytes, offset)
            state.b &+= word(bytes, offset + 4)
            state.c &+= word(bytes, offset + 8)
            state.mix()
            offset += 12
        }
        // The lowest byte of c is left to the length.
        for index in 0..<(bytes.count - offset) {
            let byte = UInt32(bytes[offset + index])
            switch index {
            case 0..<4: state.a &+= byte << UInt32(8 * index)
            case 4..<8: state.b &+= byte << UInt32(8 * (index - 4))
            default: state.c &+= byte << UInt32(8 * (index - 7))
            }
        }
        return state.finish()
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8
            | UInt32(bytes[offset + 2]) << 16 | UInt32(bytes[offset + 3]) << 24
    }
}

/// Bob Jenkins' lookup3, seeded as PostgreSQL's hash_bytes_extended seeds it.
private struct Lookup3 {
    var a: UInt32
    var b: UInt32
    var c: UInt32

    init(byteCount: UInt32) {
        let start = 0x9e37_79b9 &+ byteCount &+ 3_923_095
        a = start &+ UInt32(truncatingIfNeeded: PartitionHash.seed >> 32)
        b = start &+ UInt32(truncatingIfNeeded: PartitionHash.seed)
        c = start
        mix()
    }

    private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word << count | word >> (32 - count)
    }

    mutating func mix() {
        a = (a &- c) ^ Self.rotated(c, 4)
        c &+= b
        b = (b &- a) ^ Self.rotated(a, 6)
        a &+= c
        c = (c &- b) ^ Self.rotated(b, 8)
        b &+= a
        a = (a &- c) ^ Self.rotated(c, 16)
        c &+= b
        b = (b &- a) ^ Self.rotated(a, 19)
        a &+= c
        c = (c &- b) ^ Self.rotated(b, 4)
        b &+= a
    }

    mutating func finish() -> UInt64 {
        c = (c ^ b) &- Self.rotated(b, 14)
        a = (a ^ c) &- Self.rotated(c, 11)
        b = (b ^ a) &- Self.rotated(a, 25)
        c = (c ^ b) &- Self.rotated(b, 16)
        a = (a ^ c) &- Self.rotated(c, 4)
        b = (b ^ a) &- Self.rotated(a, 14)
        c = (c ^ b) &- Self.rotated(b, 24)
        return UInt64(b) << 32 | UInt64(c)
    }
}
