#if canImport(Glibc)
    import Glibc
#endif

/// Seeds for tests with random input.
public enum Seeds {
    /// `count` seeds, or the one in the environment variable SEED, to replay a failure.
    public static func suite(_ count: Int) -> [UInt64] {
        guard let text = getenv("SEED"), let seed = UInt64(String(cString: text)) else {
            return (1...UInt64(count)).map(\.self)
        }
        return [seed]
    }
}
