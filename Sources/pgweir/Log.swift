// Log lines: one line per event, on standard error or in a file, from any thread.

internal import Configuration
internal import EventLoop
internal import Foundation
internal import Synchronization
internal import Worker

func printError(_ text: String) {
    AppendedFile.standardError.append(text + "\n")
}

/// Writes the data plane's log lines.
final class LogWriter: Sendable {
    private struct Target {
        var format: LogFormat
        var file: AppendedFile
    }

    private let target: Guarded<Target>
    /// Apart from the target: most messages below it cost no lock.
    private let threshold: Atomic<Int>

    init(settings: LogSettings) throws(SocketError) {
        target = Guarded(
            Target(format: settings.format, file: try LogWriter.open(settings)))
        threshold = Atomic(LogWriter.rank(settings.level))
    }

    /// The file that `settings` ask for, opened again even if it is in use now: it may have been
    /// renamed.
    static func open(_ settings: LogSettings) throws(SocketError) -> AppendedFile {
        guard let path = settings.file else { return .standardError }
        return try AppendedFile(path: path)
    }

    /// Lines go to `file` from now on.
    func use(_ file: AppendedFile, _ settings: LogSettings) {
        target.withLock { $0 = Target(format: settings.format, file: file) }
        threshold.store(LogWriter.rank(settings.level), ordering: .relaxed)
    }

    func write(_ level: LogSeverity, _ text: String) {
        guard rank(level) >= threshold.load(ordering: .relaxed) else { return }
        let time = Date().formatted(
            .iso8601.year().month().day().timeSeparator(.colon).time(
                includingFractionalSeconds: true))
        let clean = LogWriter.oneLine(text)
        target.withLock { target in
            let line =
                switch target.format {
                case .text: "\(time) \(name(level)) \(clean)\n"
                case .json:
                    "{\"time\":\"\(time)\",\"level\":\"\(name(level))\",\"message\":\""
                        + LogWriter.escapedForJSON(clean) + "\"}\n"
                }
            target.file.append(line)
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

    private static func rank(_ level: LogLevel) -> Int {
        switch level {
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
        if text.utf8.count <= 1024, text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) {
            return text
        }
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
