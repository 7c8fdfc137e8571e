// `pgweir demo`: something to try pgweir with, that leaves nothing behind.

internal import ArgumentParser
internal import EventLoop
internal import Foundation

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a throwaway PostgreSQL with two shards, and pgweir in front of it.")

    private static let portFirst: UInt16 = 26_432
    private static let portCount: UInt16 = 100

    func run() throws {
        let programs = DemoPrograms()
        let cluster = try DemoCluster(programs)
        defer { cluster.remove() }
        do {
            try cluster.start()
            try runPooler(of: cluster, programs)
        } catch  where programs.isEnding {
            // Somebody ended it: that is how every demo ends.
        }
        Demo.say("demo: ended, removing \(cluster.directory)")
    }

    private func runPooler(of cluster: DemoCluster, _ programs: DemoPrograms) throws {
        let port = try freePort()
        let file = cluster.directory + "/pgweir.toml"
        try DemoData.configuration(port: port, serverDirectory: cluster.serverDirectory)
            .write(toFile: file, atomically: true, encoding: .utf8)
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let pooler = try programs.startPooler([program, "run", file])
        defer { DemoPrograms.end(pooler) }
        try waitUntilReady(pooler, cluster, port)
        Demo.say(DemoData.greeting(port: port))
        pooler.waitUntilExit()
        guard pooler.terminationStatus == 0 || programs.isEnding else { throw ExitCode.failure }
    }

    /// Somebody else's pooler may have the usual port.
    private func freePort() throws -> UInt16 {
        for port in Demo.portFirst..<Demo.portFirst + Demo.portCount {
            guard let address = SocketAddress(numeric: "127.0.0.1", port: port) else { continue }
            guard let socket = try? Sockets.listenTCP(address, backlog: 1) else { continue }
            Sockets.close(socket)
            return port
        }
        printError("demo: no free port from \(Demo.portFirst) on")
        throw ExitCode.failure
    }

    /// Returns when a query through pgweir has been answered.
    private func waitUntilReady(
        _ pooler: Process, _ cluster: DemoCluster, _ port: UInt16
    ) throws {
        for _ in 0..<100 where pooler.isRunning {
            if cluster.answers(host: "127.0.0.1", port: port) { return }
            usleep(100_000)
        }
        if pooler.isRunning { printError("demo: pgweir does not answer on port \(port)") }
        throw ExitCode.failure
    }

    /// At once, also into a pipe. Nobody has to listen.
    static func say(_ text: String) {
        _ = try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }
}
