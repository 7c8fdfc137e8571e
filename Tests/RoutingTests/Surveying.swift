import Bytes
import SQL
import Session
import Sharding
import Synchronization
import TestSupport
import Testing

@testable import Routing

/// A client of a database on two shards, without a network.
struct Surveying: ~Copyable {
    let router: MessageRouter
    var route: ClientRoute
    var session: ClientSession
    var server = ServerSession(parameters: .empty, statementsMax: 100)
    let store = Texts()

    init(_ change: (inout MapDescription) -> Void = { _ in }) throws {
        var description = MapDescription(name: "m", shards: ["s0", "s1"])
        description.key = ["bigint"]
        description.tables = ["*": ["k"]]
        description.referenceTables = ["plans"]
        change(&description)
        router = MessageRouter(Router(try ShardingMap(description)))
        route = ClientRoute(router, startupHint: nil)
        let parameters = ParameterState(
            reported: ["client_encoding": "UTF8"], extra: [:], isProven: true)
        session = ClientSession(lengthMax: 1 << 30, parameters: parameters, sharesServers: true)
    }

    func survey(_ bytes: [UInt8], from offset: Int = 0) -> Survey {
        bytes.withRawSpan { router.survey($0, from: offset, route, session, store) }
    }

    /// The client has sent these messages to a server.
    mutating func send(_ bytes: [UInt8]) throws {
        var offset = 0
        var toServer = Outgoing()
        var toClient = Outgoing()
        try bytes.withRawSpan {
            _ = try session.receivedLinked(
                $0, from: &offset, server: &server, toServer: &toServer, toClient: &toClient,
                store: store)
        }
    }
}

/// The texts of prepared statements.
final class Texts: StatementStore {
    private let texts = Mutex<[[UInt8]]>([])

    func intern(
        _ definition: borrowing RawSpan, isFromSQL: Bool, reading: Reading
    ) -> InternedStatement {
        let bytes = definition.array()
        let statement = texts.withLock {
            $0.append(bytes)
            return UInt64($0.count * 2)
        }
        return InternedStatement(
            statement, facts(of: statement), StatementMeaning(literals: 0, path: reading.path))
    }

    func meaning(of statement: UInt64) -> StatementMeaning {
        StatementMeaning(literals: 0, path: 0)
    }

    func retain(_ statement: UInt64) {}
    func release(_ statement: UInt64) {}

    func appendDefinition(of statement: UInt64, to buffer: inout ByteBuffer) {
        buffer.append(texts.withLock { $0[Int(statement) / 2 - 1] })
    }
}

/// Where `key` is.
func home(_ key: Int64) -> Int {
    var hash = PartitionHash()
    hash.combine(.integer(key))
    return hash.remainder(of: 2)
}

// Messages.

let sync = message("S")
let flush = message("H")

func query(_ text: String) -> [UInt8] { message("Q", cString(text)) }

func parse(_ text: String, _ name: String = "", types: [Int] = []) -> [UInt8] {
    message("P", cString(name), cString(text), int16(types.count), types.flatMap(int32))
}

/// Values in text form.
func bind(_ values: [String?], _ name: String = "") -> [UInt8] {
    let written = values.flatMap { value in
        value.map { int32($0.utf8.count) + utf8($0) } ?? int32(-1)
    }
    return message(
        "B", cString(""), cString(name), int16(0), int16(values.count), written, int16(0))
}

/// Values in binary form.
func bind(binary values: [[UInt8]], _ name: String = "") -> [UInt8] {
    message(
        "B", cString(""), cString(name), int16(1), int16(1), int16(values.count),
        values.flatMap { int32($0.count) + $0 }, int16(0))
}

let execute = message("E", cString(""), int32(0))

extension Survey.Target {
    /// In one word, as the tests compare it.
    var told: String {
        switch self {
        case .incomplete: "incomplete"
        case .none: "none"
        case .anyShard: "any"
        case .shard(let shard): "\(shard)"
        case .fixed: "fixed"
        case .lookup: "lookup"
        case .begin(_, let tag): "begin \(tag)"
        case .end(let tag): "end \(tag)"
        case .refused: "refused"
        case .replaced(_, nil): "replaced"
        case .replaced(_, _?): "replaced hint"
        case .hint: "hint"
        }
    }
}

/// #expect for what cannot be copied.
func check(
    _ isTrue: Bool, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(isTrue, "\(what)", sourceLocation: sourceLocation)
}
