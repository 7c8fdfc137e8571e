internal import ArgumentParser
internal import Foundation

/// A PostgreSQL of its own in a temporary directory, one database per shard. It listens on a unix
/// socket that only its owner can reach.
struct DemoCluster {
    /// Holds all that the demo makes.
    let directory: String
    private let programs: DemoPrograms
    private let bin: String
    /// PostgreSQL refuses to run as root.
    private let isRoot = geteuid() == 0

    /// Where the server has its data, its log and its socket.
    var serverDirectory: String { directory + "/postgres" }
    private var dataDirectory: String { serverDirectory + "/data" }

    init(_ programs: DemoPrograms) throws {
        guard let bin = DemoCluster.findPrograms() else {
            printError("demo: PostgreSQL's initdb was not found. `make setup` installs it.")
            throw ExitCode.failure
        }
        self.bin = bin
        self.programs = programs
        let parent = FileManager.default.temporaryDirectory.path
        directory = "\(parent)/pgweir-demo-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o711])
    }

    /// The newest version of Debian's directories, else what the PATH has.
    private static func findPrograms() -> String? {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newestFirst = versions.compactMap { Int($0) }.sorted(by: >).map { "\(root)/\($0)/bin" }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return (newestFirst + path.split(separator: ":").map(String.init)).first {
            FileManager.default.isExecutableFile(atPath: $0 + "/initdb")
        }
    }

    /// The server runs and has the sample data.
    func start() throws {
        Demo.say("demo: making a PostgreSQL in \(directory)")
        try FileManager.default.createDirectory(
            atPath: serverDirectory, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
        if isRoot { try check(["chown", "postgres", serverDirectory]) }
        try check(
            asServer([
                "\(bin)/initdb", "--pgdata", dataDirectory, "--auth", "trust", "--username",
                "postgres", "--encoding", "UTF8", "--no-locale", "--no-sync",
            ]))
        let server = try programs.start(
            asServer([
                "\(bin)/postgres", "-D", dataDirectory, "-k", serverDirectory,
                "-c", "listen_addresses=", "-c", "fsync=off",
            ]), log: directory + "/postgres.log")
        try waitUntilReady(server)
        try fill()
    }

    private func waitUntilReady(_ server: Process) throws {
        for _ in 0..<300 where server.isRunning {
            let answer = try query("SELECT 1", as: "postgres", in: "postgres")
            if answer.status == 0 { return }
            usleep(100_000)
        }
        let log = try String(contentsOfFile: directory + "/postgres.log", encoding: .utf8)
        printError("demo: PostgreSQL does not start:\n\(log)")
        throw ExitCode.failure
    }

    private func fill() throws {
        let user = DemoData.user
        try change("CREATE ROLE \(user) LOGIN", as: "postgres", in: "postgres")
        for (number, shard) in DemoData.shards.enumerated() {
            try change("CREATE DATABASE \(shard) OWNER \(user)", as: "postgres", in: "postgres")
            try change(DemoData.tables(shard: number), as: user, in: shard)
        }
    }

    private func change(_ text: String, as user: String, in database: String) throws {
        let (status, output) = try query(text, as: user, in: database)
        guard status != 0 else { return }
        printError("demo: failed: \(text)\n\(output)")
        throw ExitCode.failure
    }

    private func query(
        _ text: String, as user: String, in database: String
    ) throws -> (status: Int32, output: String) {
        try psql(text, host: serverDirectory, port: 5432, user: user, database: database)
    }

    /// Whether a query of the demo's user is answered there.
    func answers(host: String, port: UInt16) -> Bool {
        let answer = try? psql(
            "SELECT 1", host: host, port: port, user: DemoData.user, database: DemoData.shards[0])
        return answer?.status == 0
    }

    private func psql(
        _ text: String, host: String, port: UInt16, user: String, database: String
    ) throws -> (status: Int32, output: String) {
        try programs.run(
            [
                "\(bin)/psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", "\(port)",
                "-U", user, "-d", database, "-c", text,
            ], in: directory)
    }

    /// Stops the server and removes what was made.
    func remove() {
        do {
            if FileManager.default.fileExists(atPath: dataDirectory + "/postmaster.pid") {
                let stop = ["\(bin)/pg_ctl", "stop", "-D", dataDirectory, "-m", "immediate"]
                _ = try DemoPrograms.finish(asServer(stop), in: directory)
            }
            try FileManager.default.removeItem(atPath: directory)
        } catch {
            printError("demo: \(directory) is left behind: \(error)")
        }
    }

    private func asServer(_ command: [String]) -> [String] {
        let user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
        return isRoot ? ["setpriv"] + user + command : command
    }

    /// Runs `command`; when it fails, prints what it said.
    private func check(_ command: [String]) throws {
        let (status, output) = try programs.run(command, in: directory)
        guard status != 0 else { return }
        if !programs.isEnding {
            printError("demo: failed: \(command.joined(separator: " "))\n\(output)")
        }
        throw ExitCode.failure
    }
}
