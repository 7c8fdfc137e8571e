import Bytes
import TestSupport
import Testing
import Wire

@Suite struct ErrorReplyTests {
    private static let body =
        utf8("S") + cString("FEHLER") + utf8("V") + cString("ERROR") + utf8("C") + cString("22012")
        + utf8("M") + cString("division by zero") + utf8("D") + cString("détail")
        + utf8("H") + cString("do not") + utf8("F") + cString("int.c") + utf8("L") + cString("1")
        + [0]

    private func fields(_ body: [UInt8]) -> ErrorFields {
        body.withRawSpan { ErrorFields(body: $0) }
    }

    @Test func `the fields of an error are read`() {
        var expected = fields([])
        #expect(expected == fields([0]))
        expected.severity = "ERROR"
        expected.state = "22012"
        expected.message = "division by zero"
        expected.detail = "détail"
        expected.hint = "do not"
        #expect(fields(Self.body) == expected)
    }

    @Test func `the severity that is not translated wins, wherever it stands`() {
        let nonLocalised = utf8("V") + cString("PANIC")
        let localised = utf8("S") + cString("PANIK")
        #expect(fields(nonLocalised + localised + [0]).severity == "PANIC")
        #expect(fields(localised + nonLocalised + [0]).severity == "PANIC")
        #expect(fields(localised + [0]).severity == "PANIK")
    }

    @Test func `a body cut at any byte gives the fields that were there`() {
        let whole = fields(Self.body)
        for cut in 0..<Self.body.count {
            let some = fields(Array(Self.body.prefix(cut)))
            #expect(whole.state.hasPrefix(some.state), "cut at byte \(cut)")
            #expect(whole.message.hasPrefix(some.message), "cut at byte \(cut)")
            #expect(whole.hint.hasPrefix(some.hint), "cut at byte \(cut)")
        }
    }

    @Test func `nothing behind the terminator is read`() {
        #expect(fields([0] + utf8("M") + cString("x")).message == "")
    }

    @Test(arguments: Seeds.suite(50))
    func `no bytes stop the process`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let alphabet: [UInt8] = [0, 0, UInt8(ascii: "M"), UInt8(ascii: "S"), 0xff]
        for _ in 0..<50 {
            let count = Int.random(in: 0...12, using: &random)
            let bytes: [UInt8] = (0..<count).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            let all = fields(bytes)
            #expect(all.message.utf8.count <= 3 * bytes.count, "SEED=\(seed)")
        }
    }

    @Test func `an error of ours is written with all its fields`() {
        let reply = ErrorReply.fatal(.protocolViolation, "bad", detail: "why", hint: "how")
        #expect(
            written(reply.write)
                == message(
                    "E", utf8("S"), cString("FATAL"), utf8("V"), cString("FATAL"), utf8("C"),
                    cString("08P01"), utf8("M"), cString("bad"), utf8("D"), cString("why"),
                    utf8("H"), cString("how"), [0]))
    }

    @Test func `what is not there is not written`() {
        let reply = ErrorReply(.error, "57014", "stop")
        #expect(
            written(reply.write)
                == message(
                    "E", utf8("S"), cString("ERROR"), utf8("V"), cString("ERROR"), utf8("C"),
                    cString("57014"), utf8("M"), cString("stop"), [0]))
    }

    @Test func `a notice has its own tag`() {
        let bytes = written(ErrorReply(.notice, .successfulCompletion, "hm").write)
        #expect(bytes.first == UInt8(ascii: "N"))
        #expect(fields(Array(bytes.dropFirst(5))).severity == "NOTICE")
    }

    @Test func `a NUL in a text ends the field, not the message`() {
        let bytes = written(ErrorReply.fatal("XX000", "a\0Cb", hint: "h").write)
        let read = fields(Array(bytes.dropFirst(5)))
        #expect(read.message == "a")
        #expect(read.state == "XX000")
        #expect(read.hint == "h")
    }
}
