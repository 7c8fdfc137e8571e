/// Where the log goes and how much of it. `[log]`.
public struct LogSettings: Sendable, Equatable {
    public var level = LogLevel.info
    public var format = LogFormat.text
    /// Absolute, or relative to the process if the configuration was named so; nil = standard
    /// error. `logfile`.
    public var file: String?

    public init() {}
}

/// Least important message that is logged.
public enum LogLevel: String, Sendable, Equatable, CaseIterable {
    case trace
    case debug
    case info
    case notice
    case warning
    case error
}

/// Shape of a log line.
public enum LogFormat: String, Sendable, Equatable, CaseIterable {
    case text
    /// One JSON object per line.
    case json
}
