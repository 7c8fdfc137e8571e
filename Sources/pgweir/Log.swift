// Log lines: one line per event, on standard error, from any thread.

internal import Configuration
internal import EventLoop
internal import Foundation
internal import Worker

func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Writes the data plane's log lines.
final class LogWriter: Sendable {
    private let settings: LogSettings
    private let lines = Guarded(0)

    init(settings: LogSettings) { self.settings = settings }

    func write(_ level: LogSeverity, _ text: String) {
        guard rank(level) >= threshold else { return }
        let time = Date().formatted(
            .iso8601.year().month().day().timeSeparator(.colon).time(includingFractionalSeconds: true))
        let clean = LogWriter.oneLine(text)
        let line =
            switch settings.format {
            case .text: "\(time) \(name(level)) \(clean)\n"
            case .json:
                "{\"time\":\"\(time)\",\"level\":\"\(name(level))\",\"message\":\""
                    + LogWriter.escapedForJSON(clean) + "\"}\n"
            }
        lines.withLock {
            $0 += 1
            FileHandle.standardError.write(Data(line.utf8))
        }
    }

    private func name(_ level: LogSeverity) -> String {
        switch level {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        }
    }

    private func rank(_ level: LogSeverity) -> Int {
        switch level {
        case .debug: 1
        case .info: 2
        case .warning: 4
        case .error: 5
        }
    }

    private var threshold: Int {
        switch settings.level {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        }
    }

    /// What a peer sent must not begin a line of its own, nor fill the disk.
    static func oneLine(_ text: String) -> String {
        var clean = ""
        for scalar in text.unicodeScalars.prefix(1024) {
            if scalar.properties.generalCategory == .control
                || scalar.properties.generalCategory == .format
            {
                clean += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                clean.unicodeScalars.append(scalar)
            }
        }
        return clean
    }

    static func escapedForJSON(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }
}
