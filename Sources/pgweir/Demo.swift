internal import ArgumentParser

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a throwaway PostgreSQL with sample data, and pgweir in front of it.")

    func run() throws {
        try DemoCluster().run()
    }
}
