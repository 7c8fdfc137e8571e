import Bytes
import TestSupport
import Testing

@testable import SQL

@Suite struct StatementReaderTests {
    /// The same text read by somebody who remembers, and by somebody who does not.
    private func isSame(
        _ text: String, _ reader: inout StatementReader, conforming: Bool = true,
        _ names: SuspectNames? = nil
    ) -> Bool {
        let bytes = Array("..\(text)..".utf8)
        let range = 2..<bytes.count - 2
        return bytes.withRawSpan { span in
            let known = reader.remembered(span, in: range, names: names)
            let facts = StatementScanner.facts(
                of: span, in: range, standardConformingStrings: conforming, names: names)
            if let known { return StatementFacts(known) == facts }
            return reader.facts(
                of: span, in: range, standardConformingStrings: conforming, names: names) == facts
        }
    }

    @Test func `of texts that differ in literals one is read`() {
        var reader = StatementReader()
        #expect(isSame("insert into t values (1, 'a')", &reader))
        let found = Array("insert into t values (22, 'b')".utf8).withRawSpan {
            reader.remembered($0, in: 0..<$0.byteCount)
        }
        #expect(found?.suspicions == .sequenceWrites && found?.isPlain == false)
    }

    @Test func `what depends on a literal is read each time`() {
        var reader = StatementReader()
        let texts = [
            "select set_config('a', 'b', true)", "select set_config('a', 'b', 'f')",
            "select set_config('a', 'b', 'true')", "select set_config('b', 'b', false)",
            "set work_mem = 1", "set work_mem = 2", "do 'begin set a = 1; end'", "do 'begin end'",
            "prepare a as select 1", "execute a", "select f('a.b')", "select f('c.d')",
        ]
        var leavings = Leavings()
        leavings.suspicions = .anyParameter
        let names = SuspectNames(["f": leavings])
        for _ in 0..<3 {
            for text in texts {
                #expect(isSame(text, &reader), "\(text)")
                #expect(isSame(text, &reader, names), "\(text)")
            }
        }
    }

    @Test func `what is remembered holds for its names only`() {
        var reader = StatementReader()
        var leavings = Leavings()
        leavings.suspicions = .advisoryLocks
        let one = SuspectNames(["f": leavings])
        let other = SuspectNames(["g": leavings])
        for _ in 0..<3 {
            for names in [nil, one, other] {
                for key in 1...3 {
                    #expect(isSame("select f(\(key)) from t", &reader, names))
                    #expect(isSame("select g(\(key)) from t", &reader, names))
                }
            }
        }
    }

    @Test func `of many names only some are kept`() {
        var reader = StatementReader()
        var leavings = Leavings()
        leavings.suspicions = .advisoryLocks
        for round in 0..<600 {
            let names = SuspectNames(["f\(round)": leavings])
            for other in max(0, round - 1)...round {
                #expect(isSame("select f\(other)(1)", &reader, names))
                #expect(isSame("select f\(other)(2)", &reader, names))
            }
        }
    }

    @Test(arguments: Seeds.suite(4))
    func `facts are those of the scanner`(_ seed: UInt64) {
        let parts = [
            "select", "insert into t values (", "set_config(", "'a'", "'it''s'", "'\\'", "1", "42",
            "1.5", ",", ")", "(", ";", "set x = ", "begin", "commit", "nextval('s')", "lastval()",
            "pg_advisory_lock(", "--c\n", "/* c */", "from t", "$1", "$$a$$", "E'x'", "\"q\"", "f(",
            "create temp table", "do", "true", "prepare p as", "execute p", "'x.y'", "declare",
            "hold",
        ]
        var leavings = Leavings()
        leavings.suspicions = .anyParameter
        let names = [nil, SuspectNames(["f": leavings])]
        var random = SeededRandom(seed: seed)
        var reader = StatementReader()
        for _ in 0..<40_000 {
            var text = ""
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                text += (parts.randomElement(using: &random) ?? "") + " "
            }
            let isSame = isSame(
                text, &reader, conforming: Bool.random(using: &random),
                names[Int.random(in: 0...1, using: &random)])
            if !isSame { Issue.record("\(text)") }
        }
    }
}
