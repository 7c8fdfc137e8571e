/// A channel that a text leaves.
public enum ChannelRemoval: Equatable, Sendable {
    /// UNLISTEN name; the name as PostgreSQL knows it.
    case one(String)
    /// UNLISTEN *, DISCARD ALL
    case all
}
