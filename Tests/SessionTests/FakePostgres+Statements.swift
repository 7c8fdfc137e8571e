import TestSupport

// The statements that the fake backend knows: select X, rows N, set N=V, show N, begin, commit,
// rollback, fail, wrong, notice, copy in, copy out, deallocate all, discard all, and ours that
// sets parameters.

extension FakePostgres {
    /// Ends an aborted transaction.
    func isExit(_ text: String) -> Bool { ["commit", "rollback", "ROLLBACK"].contains(text) }

    mutating func runSimple(_ text: String) {
        let texts = text.split(separator: ";", omittingEmptySubsequences: true).map(String.init)
        if texts.contains(where: { $0.hasPrefix("wrong") }) {
            sayError("42601", "syntax error at or near \"wrong\"")
            return sayReady()
        }
        if texts.isEmpty { say("I") }
        runSimple(texts)
    }

    /// The rest of a simple query; stops at a COPY FROM STDIN and at the first error.
    mutating func runSimple(_ texts: [String]) {
        for (index, text) in texts.enumerated() {
            if text == "copy in", status != "E" {
                beginCopyIn(.simple(rest: Array(texts[(index + 1)...])))
                return
            }
            do throws(Failure) {
                if returnsRows(text), status != "E" { sayRowDescription(text) }
                var portal = Portal(text: text, parameters: [])
                _ = try run(&portal, rowCountMax: 0)
            } catch {
                sayError(error.state, error.text)
                break
            }
        }
        sayReady()
    }

    mutating func describeStatement(_ name: String) throws(Failure) {
        let text = try statement(name)
        if status == "E", returnsRows(text) { throw .aborted }
        let count = text.count { $0 == "$" }
        say("t", int16(count), (0..<count).flatMap { _ in int32(25) })
        sayRowDescription(text)
    }

    mutating func describePortal(_ name: String) throws(Failure) {
        guard let portal = portals[name] else { throw missing(name) }
        if status == "E", returnsRows(portal.text) { throw .aborted }
        sayRowDescription(portal.text)
    }

    mutating func execute(_ name: String, rowCountMax: Int) throws(Failure) {
        guard var portal = portals[name] else { throw missing(name) }
        if portal.text == "copy in" {
            guard status != "E" else { throw .aborted }
            return beginCopyIn(.extended)
        }
        let isDone = try run(&portal, rowCountMax: rowCountMax)
        if portals[name] != nil { portals[name] = portal }
        if !isDone { say("s") }
    }

    private func missing(_ portal: String) -> Failure {
        Failure("34000", "portal \"\(portal)\" does not exist")
    }

    private mutating func beginCopyIn(_ state: CopyIn) {
        copyIn = state
        copiedCount = 0
        say("G", [0], int16(1), int16(0))
    }

    private func returnsRows(_ text: String) -> Bool {
        ["select", "rows", "show", "SELECT"].contains { text.hasPrefix($0) }
    }

    private mutating func sayRowDescription(_ text: String) {
        guard returnsRows(text) else { return say("n") }
        say(
            "T", int16(1), cString("c"), int32(0), int16(0), int32(25), int16(-1), int32(-1),
            int16(0))
    }

    private mutating func sayRow(_ text: String) {
        say("D", int16(1), int32(text.utf8.count), utf8(text))
    }

    /// Returns whether the portal is done; otherwise rows are left.
    private mutating func run(_ portal: inout Portal, rowCountMax: Int) throws(Failure) -> Bool {
        let text = portal.text
        if status == "E", !isExit(text) { throw .aborted }
        let (verb, rest) = split(text, at: " ")
        switch verb {
        case "": say("I")
        case "select", "rows", "show": return sayRows(&portal, verb, rest, rowCountMax)
        case "SELECT":
            applySetConfigs(text)
            sayRow("set")
            say("C", cString("SELECT 1"))
        case "begin": try begin()
        case "commit", "rollback", "ROLLBACK": end(verb)
        case "fail": throw Failure("22012", "division by zero")
        case "notice":
            say("N", utf8("S"), cString("NOTICE"), utf8("M"), cString("hm"), [0])
            say("C", cString("DO"))
        case "copy": copyOut()
        case "set":
            let (name, value) = split(rest, at: "=")
            set(name, value)
            say("C", cString("SET"))
        case "deallocate":
            statements = statements.filter { $0.key.isEmpty }
            say("C", cString("DEALLOCATE ALL"))
        case "discard":
            statements = [:]
            portals = [:]
            set("application_name", "")
            say("C", cString("DISCARD ALL"))
        default: preconditionFailure("a script ran \(text)")
        }
        return true
    }

    private func split(_ text: String, at separator: Character) -> (String, String) {
        let parts = text.split(separator: separator, maxSplits: 1).map(String.init)
        return (parts.first ?? "", parts.count > 1 ? parts[1] : "")
    }

    private mutating func sayRows(
        _ portal: inout Portal, _ verb: String, _ rest: String, _ rowCountMax: Int
    ) -> Bool {
        let rows: [String] =
            switch verb {
            case "rows": (1...(Int(rest) ?? 1)).map { "row \($0)" }
            case "show": [settings[rest] ?? ""]
            default: [portal.parameters.first ?? rest]
            }
        let left = rows[portal.rowsDone...]
        let shown = rowCountMax > 0 ? left.prefix(rowCountMax) : left
        for row in shown { sayRow(row) }
        portal.rowsDone += shown.count
        if rowCountMax > 0, shown.count == rowCountMax { return false }
        say("C", cString("SELECT \(shown.count)"))
        return true
    }

    private mutating func begin() throws(Failure) {
        status = "T"
        say("C", cString("BEGIN"))
    }

    private mutating func end(_ verb: String) {
        let tag = verb == "commit" && status != "E" ? "COMMIT" : "ROLLBACK"
        status = "I"
        portals = [:]
        say("C", cString(tag))
    }

    private mutating func copyOut() {
        say("H", [0], int16(1), int16(0))
        say("d", utf8("first\n"))
        say("d", utf8("second\n"))
        say("c")
        say("C", cString("COPY 2"))
    }

    private mutating func set(_ name: String, _ value: String) {
        guard settings[name] != value else { return }
        settings[name] = value
        changedSettings.append(name)
    }

    /// `SELECT pg_catalog.set_config('name', 'value', false), …`
    private mutating func applySetConfigs(_ text: String) {
        for call in text.split(separator: "set_config(").dropFirst() {
            let parts = call.split(separator: "'", omittingEmptySubsequences: false)
            set(String(parts[1]), String(parts[3]))
        }
    }
}
