/// Where metrics and health checks are served. `[http]`.
public struct HTTPSettings: Sendable, Equatable {
    /// An address or host name, without brackets; "*" = every address.
    public var address: String
    /// 0 = any free port (for tests).
    public var port: UInt16

    public init(address: String, port: UInt16) {
        self.address = address
        self.port = port
    }
}
