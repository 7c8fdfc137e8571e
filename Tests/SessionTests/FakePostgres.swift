import Bytes
import TestSupport

/// One backend that answers messages as PostgreSQL does, for a language of a few statements
/// (`FakePostgres+Statements.swift`). Says at once what it has to say.
struct FakePostgres {
    struct Portal {
        let text: String
        let parameters: [String]
        var rowsDone = 0
    }

    /// COPY FROM STDIN is running, and what comes after it.
    enum CopyIn {
        case none
        case simple(rest: [String])
        case extended
    }

    private var input: [UInt8] = []
    private var output: [UInt8] = []
    var statements: [String: String] = [:]
    var portals: [String: Portal] = [:]
    /// As in ReadyForQuery.
    var status: Unicode.Scalar = "I"
    var skipsUntilSync = false
    private var isBatchOpen = false
    var copyIn = CopyIn.none
    var copiedCount = 0
    var settings = ["application_name": ""]
    /// ParameterStatus that goes ahead of the next ReadyForQuery.
    var changedSettings: [String] = []
    private(set) var isTerminated = false

    /// Whether everything was answered and nothing begun.
    var isAtRest: Bool {
        guard case .none = copyIn else { return false }
        return input.isEmpty && output.isEmpty && status == "I" && !skipsUntilSync && !isBatchOpen
    }

    mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    mutating func receive(_ bytes: [UInt8]) {
        input += bytes
        while input.count >= 5, !isTerminated {
            let length = input[1...4].reduce(0) { $0 << 8 | Int($1) }
            guard input.count > length else { return }
            let body = Array(input[5..<length + 1])
            let tag = Unicode.Scalar(input[0])
            input.removeFirst(length + 1)
            take(tag, Fields(body))
        }
    }

    mutating func say(_ tag: Unicode.Scalar, _ fields: [UInt8]...) {
        output += message(tag, fields.flatMap(\.self))
    }

    mutating func sayError(_ state: String, _ text: String) {
        say(
            "E", utf8("S"), cString("ERROR"), utf8("V"), cString("ERROR"), utf8("C"),
            cString(state), utf8("M"), cString(text), [0])
        if status == "T" { status = "E" }
        if status == "I" { portals = [:] }
    }

    mutating func sayReady() {
        for name in changedSettings.sorted() {
            say("S", cString(name), cString(settings[name] ?? ""))
        }
        changedSettings = []
        if status == "I" { portals = [:] }
        isBatchOpen = false
        say("Z", [UInt8(ascii: status)])
    }

    /// An error of the extended protocol: nothing more until Sync.
    private mutating func fail(_ error: Failure) {
        sayError(error.state, error.text)
        skipsUntilSync = true
    }

    private mutating func take(_ tag: Unicode.Scalar, _ fields: Fields) {
        if case .none = copyIn {} else { return takeInCopy(tag, fields) }
        switch tag {
        case "X": isTerminated = true
        case "S":
            skipsUntilSync = false
            sayReady()
        case "H", "d", "c", "f": break
        case _ where skipsUntilSync: break
        case "Q":
            var fields = fields
            statements[""] = nil
            runSimple(fields.cString())
        case "F":
            callFunction(fields)
        default:
            isBatchOpen = true
            do throws(Failure) { try takeExtended(tag, fields) } catch { fail(error) }
        }
    }

    private mutating func takeInCopy(_ tag: Unicode.Scalar, _ fields: Fields) {
        let ended = copyIn
        switch tag {
        case "d":
            copiedCount += 1
            return
        case "c":
            copyIn = .none
            say("C", cString("COPY \(copiedCount)"))
        case "f":
            copyIn = .none
            var fields = fields
            sayError("57014", "COPY from stdin failed: \(fields.cString())")
            if case .extended = ended { skipsUntilSync = true } else { sayReady() }
            return
        default:
            // Sync and Flush. Anything else is the end of the connection, which no script does.
            return
        }
        if case .simple(let rest) = ended { runSimple(rest) }
    }

    private mutating func callFunction(_ fields: Fields) {
        var fields = fields
        let function = fields.int32()
        if status == "E" {
            sayError("25P02", Failure.aborted.text)
        } else if function == 0 {
            sayError("42883", "function with OID 0 does not exist")
        } else {
            say("V", int32(2), utf8("ok"))
        }
        sayReady()
    }

    private mutating func takeExtended(
        _ tag: Unicode.Scalar, _ fields: Fields
    ) throws(Failure) {
        var fields = fields
        switch tag {
        case "P": try parse(name: fields.cString(), text: fields.cString())
        case "B": try bind(&fields)
        case "D":
            if fields.byte() == UInt8(ascii: "S") {
                try describeStatement(fields.cString())
            } else {
                try describePortal(fields.cString())
            }
        case "E": try execute(fields.cString(), rowCountMax: fields.int32())
        case "C":
            let kind = fields.byte()
            let name = fields.cString()
            if kind == UInt8(ascii: "S") { statements[name] = nil } else { portals[name] = nil }
            say("3")
        default: preconditionFailure("a script sent \(tag)")
        }
    }

    private mutating func parse(name: String, text: String) throws(Failure) {
        if name.isEmpty { statements[""] = nil }
        if text.hasPrefix("wrong") { throw Failure("42601", "syntax error at or near \"wrong\"") }
        if status == "E", !isExit(text) { throw .aborted }
        if !name.isEmpty, statements[name] != nil {
            throw Failure("42P05", "prepared statement \"\(name)\" already exists")
        }
        statements[name] = text
        say("1")
    }

    private mutating func bind(_ fields: inout Fields) throws(Failure) {
        let (portal, name) = (fields.cString(), fields.cString())
        let text = try statement(name)
        for _ in 0..<fields.int16() { _ = fields.int16() }
        let parameters = (0..<fields.int16()).map { _ in
            String(decoding: fields.bytes(fields.int32()), as: UTF8.self)
        }
        let wanted = text.count { $0 == "$" }
        guard parameters.count == wanted else {
            throw Failure(
                "08P01",
                "bind message supplies \(parameters.count) parameters, but prepared statement "
                    + "\"\(name)\" requires \(wanted)")
        }
        if status == "E", !isExit(text) { throw .aborted }
        if !portal.isEmpty, portals[portal] != nil {
            throw Failure("42P03", "cursor \"\(portal)\" already exists")
        }
        portals[portal] = Portal(text: text, parameters: parameters)
        say("2")
    }

    func statement(_ name: String) throws(Failure) -> String {
        if let text = statements[name] { return text }
        throw Failure(
            "26000",
            name.isEmpty
                ? "unnamed prepared statement does not exist"
                : "prepared statement \"\(name)\" does not exist")
    }
}

/// Why a statement failed.
struct Failure: Error {
    let state: String
    let text: String

    init(_ state: String, _ text: String) {
        self.state = state
        self.text = text
    }

    static let aborted = Failure(
        "25P02",
        "current transaction is aborted, commands ignored until end of transaction block")
}

/// Reads the fields of one message from its start.
struct Fields {
    private var left: ArraySlice<UInt8>

    init(_ body: [UInt8]) { left = body[...] }

    mutating func byte() -> UInt8 { left.removeFirst() }
    mutating func int16() -> Int { bytes(2).reduce(0) { $0 << 8 | Int($1) } }
    mutating func int32() -> Int { bytes(4).reduce(0) { $0 << 8 | Int($1) } }

    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { left.removeFirst(count) }
        return Array(left.prefix(count))
    }

    mutating func cString() -> String {
        let text = String(decoding: left.prefix { $0 != 0 }, as: UTF8.self)
        left = left.drop { $0 != 0 }.dropFirst()
        return text
    }
}
