// Small parts of the data path, each done so often that what one costs can be counted. Nothing is
// measured here: Benchmarks/counts.py runs this under callgrind.

internal import Glibc

/// `micro NAME COUNT …` does the operation of that name COUNT times, for each pair in turn; `micro`
/// lists the names.
@main struct Micro {
    static func main() throws {
        var arguments = CommandLine.arguments.dropFirst()
        if arguments.isEmpty {
            for operation in operations { print(operation.name) }
        }
        while let name = arguments.popFirst() {
            guard let operation = operations.first(where: { $0.name == name }),
                let count = arguments.popFirst().flatMap({ Int($0) }), count > 0
            else {
                print("micro: \(name) is no operation, or has no count")
                exit(2)
            }
            print(name, count, terminator: " ")
            report(try operation.run(count))
        }
    }
}

/// One thing to count, on input of its own.
struct Operation: Sendable {
    let name: String
    /// Does it so many times. What it returns has something of each in it, so that none can be
    /// left out.
    let run: @Sendable (_ count: Int) throws -> UInt64
}

let operations = [
    Operation(name: "lexer", run: Texts.lexer),
    Operation(name: "scanner", run: Texts.scanner),
    Operation(name: "shape", run: Texts.shape),
    Operation(name: "route", run: Texts.route),
    Operation(name: "frames", run: Messages.frames),
    Operation(name: "ledger", run: Messages.ledger),
    Operation(name: "checkout", run: Servers.checkout),
    Operation(name: "hash-int8", run: Keys.int8),
    Operation(name: "hash-text", run: Keys.text),
    Operation(name: "hash-uuid", run: Keys.uuid),
    Operation(name: "allocation", run: Controls.allocation),
    Operation(name: "retain", run: Controls.retain),
]

/// The last thing of each run: callgrind's --dump-after writes what was counted when it returns.
@c(micro_report) @inline(never) func report(_ sum: UInt64) { print(sum) }
