// A PostgreSQL of its own in a temporary directory, gone when the demo ends.

internal import ArgumentParser
internal import Configuration
internal import Foundation

/// The demo: initdb, two databases with sample data, pgweir, and the line to type.
struct DemoCluster {
    private let port = 25_432
    private let poolerPort = 26_432

    func run() throws {
        let bin = try binaries()
        let directory = "/tmp/pgweir-demo-\(getpid())"
        let isRoot = geteuid() == 0
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false)
        if isRoot { try sh(["chown", "postgres", directory]) }
        let data = directory + "/data"
        defer { stop(bin, data, directory, isRoot) }
        print("demo: making a PostgreSQL in \(directory)")
        try server(isRoot, ["\(bin)/initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N"])
        try server(
            isRoot,
            [
                "\(bin)/pg_ctl", "-D", data, "-w", "-l", directory + "/log", "-o",
                "-p \(port) -k \(directory) -c listen_addresses=127.0.0.1 -c fsync=off", "start",
            ])
        for shard in ["shard0", "shard1"] {
            try psql(bin, "postgres", "CREATE DATABASE \(shard)")
            try psql(
                bin, shard,
                """
                CREATE TABLE accounts (tenant_id bigint, name text, balance numeric);
                INSERT INTO accounts SELECT g, 'account ' || g, g * 10
                  FROM generate_series(1, 1000) g WHERE g % 2 = \(shard == "shard0" ? 0 : 1)
                """)
        }
        let text = """
            [pgweir]
            listen_addr = "127.0.0.1"
            listen_port = \(poolerPort)
            unix_socket_dir = ""
            auth_type = "any"
            admin_users = ["postgres"]
            [databases.shard0]
            host = "127.0.0.1"
            port = \(port)
            [databases.shard1]
            host = "127.0.0.1"
            port = \(port)
            [log]
            level = "warning"
            """
        let path = directory + "/pgweir.toml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        print(
            """

            pgweir is in front of it, with databases shard0 and shard1. Type in another window:

                psql -h 127.0.0.1 -p \(poolerPort) -U postgres shard0
                psql -h 127.0.0.1 -p \(poolerPort) -U postgres pgweir -c 'SHOW POOLS'

            Ctrl-C ends the demo and removes everything.
            """)
        try Pooler(loaded: try load(path), path: path).run()
    }

    private func binaries() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = versions.compactMap { Int($0) }.max()
        guard let newest else {
            printError("no PostgreSQL in \(root): apt-get install postgresql")
            throw ExitCode.failure
        }
        return "\(root)/\(newest)/bin"
    }

    private func stop(_ bin: String, _ data: String, _ directory: String, _ isRoot: Bool) {
        try? server(isRoot, ["\(bin)/pg_ctl", "-D", data, "-m", "immediate", "stop"])
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func psql(_ bin: String, _ database: String, _ text: String) throws {
        try sh([
            "\(bin)/psql", "-qX", "-h", "127.0.0.1", "-p", "\(port)", "-U", "postgres", "-c", text,
            database,
        ])
    }

    /// PostgreSQL refuses to run as root.
    private func server(_ isRoot: Bool, _ command: [String]) throws {
        try sh(isRoot ? ["runuser", "-u", "postgres", "--"] + command : command)
    }

    private func sh(_ command: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            printError("failed: \(command.joined(separator: " "))")
            throw ExitCode.failure
        }
    }
}
