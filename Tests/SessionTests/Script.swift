import TestSupport
import Testing

/// What clients send, turn by turn. A client waits for all answers before its next turn.
struct Script: Sendable, CustomTestStringConvertible {
    struct Turn: Sendable {
        let client: Int
        let bytes: [UInt8]
    }

    let name: String
    var turns: [Turn] = []
    /// Most statements per server.
    var statementsMax = 100

    /// All turns are of one client.
    init(_ name: String, _ turns: [[UInt8]]...) {
        self.name = name
        self.turns = turns.map { Turn(client: 0, bytes: $0.flatMap(\.self)) }
    }

    init(_ name: String, statementsMax: Int = 100, clients turns: [(Int, [[UInt8]])]) {
        self.name = name
        self.statementsMax = statementsMax
        self.turns = turns.map { Turn(client: $0, bytes: $1.flatMap(\.self)) }
    }

    var testDescription: String { name }
    var clientCount: Int { (turns.map(\.client).max() ?? 0) + 1 }
    /// Where messages begin and end, in bytes from the first turn's start.
    var boundaries: Set<Int> {
        let bytes = turns.flatMap(\.bytes)
        var offsets: Set = [0]
        var offset = 0
        while offset < bytes.count {
            offset += 1 + bytes[offset + 1...offset + 4].reduce(0) { $0 << 8 | Int($1) }
            offsets.insert(offset)
        }
        return offsets
    }
    var byteCount: Int { turns.reduce(0) { $0 + $1.bytes.count } }
}

let sync = message("S")
let flush = message("H")
let copyDone = message("c")

func query(_ text: String) -> [UInt8] { message("Q", cString(text)) }

func parse(_ text: String, as name: String = "") -> [UInt8] {
    message("P", cString(name), cString(text), int16(0))
}

func bind(_ name: String = "", _ parameters: [String] = [], portal: String = "") -> [UInt8] {
    let values = parameters.map { int32($0.utf8.count) + utf8($0) }
    return message(
        "B", cString(portal), cString(name), int16(0), int16(parameters.count),
        values.flatMap(\.self), int16(0))
}

func describe(statement name: String) -> [UInt8] { message("D", utf8("S"), cString(name)) }
func describe(portal name: String) -> [UInt8] { message("D", utf8("P"), cString(name)) }
func close(statement name: String) -> [UInt8] { message("C", utf8("S"), cString(name)) }
func close(portal name: String) -> [UInt8] { message("C", utf8("P"), cString(name)) }

func execute(_ portal: String = "", rows: Int = 0) -> [UInt8] {
    message("E", cString(portal), int32(rows))
}

func copyData(_ text: String) -> [UInt8] { message("d", utf8(text)) }
func copyFail(_ reason: String) -> [UInt8] { message("f", cString(reason)) }

func callFunction(_ function: Int) -> [UInt8] {
    message("F", int32(function), int16(0), int16(0), int16(0))
}

/// Binds, runs.
func run(_ name: String = "", _ parameters: [String] = []) -> [UInt8] {
    bind(name, parameters) + execute()
}
