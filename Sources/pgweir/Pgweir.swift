// The command line: which command, and what it prints. Run.swift runs the pooler itself.

internal import ArgumentParser
internal import Configuration
internal import Sharding
internal import Worker

@main struct Pgweir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pgweir",
        abstract: "A PostgreSQL connection pooler: many clients over few servers.",
        discussion: """
            pgweir CONFIG runs the pooler in the foreground; CONFIG ends in .toml, or is a \
            pgbouncer.ini as it is. Logs go to standard error.
            """,
        version: pgweirVersion,
        subcommands: [Run.self, Check.self, Convert.self, RouteCommand.self, Demo.self],
        defaultSubcommand: Run.self)
}

let pgweirVersion = "pgweir 0.1.0"

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the pooler (the default).")

    @Argument(help: "The configuration: pgweir.toml, or a pgbouncer.ini as it is.")
    var config: String

    func run() throws {
        let loaded = try load(config)
        if let reason = loaded.unavailable {
            printError("\(config): \(reason)")
            throw ExitCode.failure
        }
        let pooler = try Pooler(loaded: loaded, path: config)
        try pooler.run()
    }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read a configuration and name every error with file, line and key.")

    @Argument(help: "The configuration to read.")
    var config: String

    func run() throws {
        let loaded = try load(config)
        let databases = loaded.settings.databases.count
        let tenants = loaded.sharding.tenants.count
        print(
            "\(config): no errors, \(databases) databases, \(tenants) tenants, "
                + "\(loaded.warnings.count) warnings")
        if let reason = loaded.unavailable { printError("warning: \(reason)") }
    }
}

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a pgbouncer.ini as TOML that means the same.")

    @Argument(help: "The pgbouncer.ini to read.")
    var file: String

    func run() throws {
        do throws(ConfigurationErrors) {
            print(try ConfigurationFile.convert(iniPath: file), terminator: "")
        } catch {
            for problem in error.problems { printError("\(problem)") }
            throw ExitCode.failure
        }
    }
}

/// Reads a configuration; prints every problem and warning. Throws when there is a problem.
func load(_ path: String) throws -> LoadedConfiguration {
    do throws(ConfigurationErrors) {
        let loaded = try ConfigurationFile.load(path: path)
        for warning in loaded.warnings { printError("warning: \(warning)") }
        return loaded
    } catch {
        for problem in error.problems { printError("\(problem)") }
        printError("\(error.problems.count) errors; nothing was started")
        throw ExitCode.failure
    }
}
