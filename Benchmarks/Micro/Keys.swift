internal import Bytes
internal import Sharding

/// From a key to its shard, by PostgreSQL's partition hash; 16 keys in turn.
enum Keys {
    static func int8(_ count: Int) -> UInt64 {
        shards(of: (0..<16).map { .integer(42 << $0) }, count)
    }

    /// 16 bytes, as long as a UUID.
    static func text(_ count: Int) -> UInt64 {
        shards(of: (0..<16).map { .bytes(bytes($0)) }, count)
    }

    static func uuid(_ count: Int) -> UInt64 {
        shards(of: (0..<16).map { .uuid(bytes($0)) }, count)
    }

    private static func bytes(_ seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return (0..<16).map { _ in UInt8.random(in: 0x61...0x7a, using: &random) }
    }

    private static func shards(of keys: [KeyValue], _ count: Int) -> UInt64 {
        var sum: UInt64 = 0
        for index in 0..<count {
            var hash = PartitionHash()
            hash.combine(keys[index & 15])
            sum &+= UInt64(hash.remainder(of: 4))
        }
        return sum
    }
}
