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
        let options = "-k '\(serverDirectory)' -c listen_addresses='' -c fsync=off"
        try check(
            asServer([
                "\(bin)/pg_ctl", "start", "--pgdata", dataDirectory, "--wait", "--silent",
                "--log", serverDirectory + "/log", "--options", options,
            ]))
        try fill()
    }

    private func fill() throws {
        let user = DemoData.user
        try query("CREATE ROLE \(user) LOGIN", as: "postgres", in: "postgres")
        for (number, shard) in DemoData.shards.enumerated() {
            try query("CREATE DATABASE \(shard) OWNER \(user)", as: "postgres", in: "postgres")
            try query(DemoData.tables(shard: number), as: user, in: shard)
        }
    }

    private func query(_ text: String, as user: String, in database: String) throws {
        try check(
            ["\(bin)/psql", "-qX", "-v", "ON_ERROR_STOP=1"]
                + ["-h", serverDirectory, "-U", user, "-d", database, "-c", text])
    }

    /// Whether a query of the demo's user is answered there.
    func answers(host: String, port: UInt16) -> Bool {
        let command = [
            "\(bin)/psql", "-qXAt", "-h", host, "-p", "\(port)", "-U", DemoData.user,
            "-d", DemoData.shards[0], "-c", "SELECT 1",
        ]
        return (try? programs.run(command, in: directory))?.status == 0
    }

    /// Stops the server and removes what was made.
    func remove() {
        do {
            if FileManager.default.fileExists(atPath: dataDirectory + "/postmaster.pid") {
                let stop = ["\(bin)/pg_ctl", "stop", "--pgdata", dataDirectory, "--silent"]
                _ = try DemoPrograms.finish(
                    asServer(stop + ["--mode", "immediate"]), in: directory)
            }
            try FileManager.default.removeItem(atPath: directory)
        } catch {
            printError("demo: \(directory) is left behind: \(error)")
        }
    }

    private func asServer(_ command: [String]) -> [String] {
        isRoot ? ["runuser", "-u", "postgres", "--"] + command : command
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
