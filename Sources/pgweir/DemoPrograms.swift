internal import ArgumentParser
internal import EventLoop
internal import Foundation

/// The programs that the demo runs, and the signals that end it.
///
/// The signals are blocked from the start, so that none of them stops the demo before it has
/// cleaned up.
final class DemoPrograms: Sendable {
    private struct State: Sendable {
        var isEnding = false
        /// Ended by the signal; other programs are left to finish.
        var pooler: Process?
    }

    private let state = Guarded(State())

    init() {
        Signals.blockAll()
        _ = Threads.start(name: "signals") { [self] in
            while true {
                _ = Signals.wait(for: [SIGHUP, SIGINT, SIGTERM, SIGQUIT])
                let pooler = state.withLock { state in
                    state.isEnding = true
                    return state.pooler
                }
                if let pooler { DemoPrograms.quit(pooler) }
            }
        }
    }

    /// Whether a signal has come.
    var isEnding: Bool { state.withLock { $0.isEnding } }

    /// Starts a server, which is not ended by signals. Its output goes to the file `log`.
    func start(_ command: [String], log: String) throws -> Process {
        guard !isEnding else { throw ExitCode.failure }
        try Data().write(to: URL(fileURLWithPath: log))
        let process = DemoPrograms.process(command, in: "/")
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = file
        process.standardError = file
        try process.run()
        try file.close()
        return process
    }

    /// Starts the pooler, which the next signal ends.
    func startPooler(_ command: [String]) throws -> Process {
        let process = DemoPrograms.process(command, in: "/")
        try process.run()
        let isEnding = state.withLock { state in
            state.pooler = process
            return state.isEnding
        }
        if isEnding { DemoPrograms.quit(process) }
        return process
    }

    /// Runs `command` to its end and returns what it printed. Throws when a signal has come.
    func run(_ command: [String], in directory: String) throws -> (status: Int32, output: String) {
        guard !isEnding else { throw ExitCode.failure }
        return try DemoPrograms.finish(command, in: directory)
    }

    /// As `run`, signal or not.
    static func finish(
        _ command: [String], in directory: String
    ) throws -> (status: Int32, output: String) {
        let process = process(command, in: directory)
        let pipe = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        try pipe.fileHandleForWriting.close()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// Without the user's PGHOST, PGPORT and so on.
    private static func process(_ command: [String], in directory: String) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("PG")
        }
        return process
    }

    /// Ends `pooler` and waits until it has gone.
    static func end(_ pooler: Process) {
        quit(pooler)
        pooler.waitUntilExit()
    }

    /// Without waiting for its clients.
    private static func quit(_ pooler: Process) {
        if pooler.isRunning { kill(pooler.processIdentifier, SIGQUIT) }
    }
}
