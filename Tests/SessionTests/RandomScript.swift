import Bytes
import TestSupport

/// Makes exchanges that PostgreSQL carries out: errors only where a batch or query ends with them.
struct RandomScript {
    private struct Client {
        /// Name to text.
        var names: [String: String] = [:]
        var hasUnnamed = false
        var isInTransaction = false
        var hasFailed = false
    }

    private var random: SeededRandom
    private var clients: [Client]
    private var batch: [[UInt8]] = []

    init(seed: UInt64, clientCount: Int) {
        random = SeededRandom(seed: seed)
        clients = (0..<clientCount).map { _ in Client() }
    }

    mutating func script(turnCount: Int) -> Script {
        let fit = Int.random(in: 1...3, using: &random)
        var turns: [(Int, [[UInt8]])] = []
        for _ in 0..<turnCount {
            // Who is in a transaction goes on: the others would wait for the server.
            let busy = clients.firstIndex { $0.isInTransaction }
            let client = busy ?? Int.random(in: 0..<clients.count, using: &random)
            batch = []
            for _ in 0..<Int.random(in: 1...3, using: &random) where !clients[client].hasFailed {
                fill(client)
            }
            if batch.isEmpty { deallocate(client) }
            if clients[client].hasFailed { recover(client) }
            turns.append((client, batch))
        }
        return Script("random", statementsMax: fit, clients: turns)
    }

    private mutating func fill(_ client: Int) {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: simple(client)
        case 1: transaction(client)
        case 2: break
        case 3: batch.append(callFunction(1))
        default: extended(client)
        }
    }

    private mutating func deallocate(_ client: Int) {
        guard !clients[client].isInTransaction else { return batch.append(sync) }
        batch.append(query("deallocate all"))
        clients[client].names = [:]
        clients[client].hasUnnamed = false
    }

    private mutating func simple(_ client: Int) {
        let texts = [
            "select a", "rows 3", "", "notice", "select a;rows 2", "show application_name",
        ]
        clients[client].hasUnnamed = false
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            batch.append(query("fail"))
            clients[client].hasFailed = clients[client].isInTransaction
        case 1: batch.append(query("copy out"))
        default: batch.append(query(texts.randomElement(using: &random) ?? ""))
        }
    }

    private mutating func transaction(_ client: Int) {
        let verb = clients[client].isInTransaction ? ["commit", "rollback"] : ["begin"]
        clients[client].isInTransaction.toggle()
        clients[client].hasUnnamed = false
        batch.append(query(verb.randomElement(using: &random) ?? ""))
    }

    private mutating func recover(_ client: Int) {
        clients[client].hasFailed = false
        clients[client].isInTransaction = false
        clients[client].hasUnnamed = false
        batch.append(query("rollback"))
    }

    private mutating func extended(_ client: Int) {
        for _ in 0..<Int.random(in: 1...4, using: &random) { step(client) }
        if Int.random(in: 0..<6, using: &random) == 0 {
            batch += [parse("fail"), run()]
            clients[client].hasUnnamed = false
            clients[client].hasFailed = clients[client].isInTransaction
        }
        batch.append(sync)
    }

    private mutating func step(_ client: Int) {
        let name = ["a", "b", "c", ""].randomElement(using: &random) ?? ""
        guard name.isEmpty ? clients[client].hasUnnamed : clients[client].names[name] != nil else {
            let text = ["select x", "rows 3", "select $1", "copy out"].randomElement(using: &random)
            batch.append(parse(text ?? "", as: name))
            if name.isEmpty {
                clients[client].hasUnnamed = true
                clients[client].names[""] = text
            } else {
                clients[client].names[name] = text
            }
            return
        }
        let parameters = clients[client].names[name] == "select $1" ? [name] : []
        switch Int.random(in: 0..<6, using: &random) {
        case 0: batch += [describe(statement: name), run(name, parameters)]
        case 1:
            batch.append(close(statement: name))
            clients[client].names[name] = nil
            if name.isEmpty { clients[client].hasUnnamed = false }
        case 2:
            batch += [bind(name, parameters, portal: "p"), describe(portal: "p")]
            batch += [execute("p", rows: 2), flush, execute("p"), close(portal: "p")]
        default: batch.append(run(name, parameters))
        }
    }
}
