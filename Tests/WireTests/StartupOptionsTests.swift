import Bytes
import TestSupport
import Testing

@testable import Wire

@Suite struct StartupOptionsTests {
    private static func setting(_ name: String, _ value: String) -> StartupParameter {
        StartupParameter(name: name, value: value)
    }

    static let samples: [(text: String, settings: [StartupParameter])] = [
        ("", []),
        (" \t\n\r\u{0b}\u{0c}", []),
        ("-c a=b", [setting("a", "b")]),
        ("-ca=b", [setting("a", "b")]),
        ("--a=b", [setting("a", "b")]),
        ("  -c\t a=b\n--c=d ", [setting("a", "b"), setting("c", "d")]),
        (
            "-c search_path=a,b -c search_path=c",
            [setting("search_path", "a,b"), setting("search_path", "c")]
        ),
        ("--work-mem=1-2", [setting("work_mem", "1-2")]),
        ("-c my.a-b=c", [setting("my.a_b", "c")]),
        ("-c a=b=c", [setting("a", "b=c")]),
        ("-c a=", [setting("a", "")]),
        (#"-c a=x\ y"#, [setting("a", "x y")]),
        (#"-c a=x\\y"#, [setting("a", #"x\y"#)]),
        (#"-c a=\\\ x"#, [setting("a", #"\ x"#)]),
        (#"-c a=\x"#, [setting("a", "x")]),
        (#"\-c a=b"#, [setting("a", "b")]),
        (#"-c a=b\"#, [setting("a", "b")]),
        (#"-c a='b c'"#.replacing(" c", with: ""), [setting("a", "'b'")]),
        ("-c a=ü🐘", [setting("a", "ü🐘")]),
    ]

    @Test(arguments: samples.indices)
    func `switches are split as PostgreSQL does`(_ index: Int) throws {
        let sample = Self.samples[index]
        #expect(try StartupOptions.parse(sample.text) == sample.settings, "\(sample.text)")
    }

    @Test(arguments: [
        ("x", "x"), ("-c", "-c"), ("-", "-"), ("-b a=b", "-b"), (#"\"#, ""), ("-c a=b c", "c"),
        ("-c a='b c'", "c'"), ("-C a=b", "-C"),
    ])
    func `the word that is no setting is named`(_ text: String, _ word: String) {
        #expect(throws: StartupOptions.Malformed.unknownSwitch(word)) {
            try StartupOptions.parse(text)
        }
    }

    @Test(arguments: [
        ("-c a", "-c a"), ("-ca", "-c a"), ("--a", "--a"), ("--", "--"), ("-c =b", "-c b"),
        ("--=b", "--b"),
    ])
    func `the setting without a value is named`(_ text: String, _ name: String) {
        #expect(throws: StartupOptions.Malformed.noValue(name)) { try StartupOptions.parse(text) }
    }

    @Test(arguments: Seeds.suite(100))
    func `a quoted value comes back whatever is in it`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let alphabet = Array(#"a=-c\'" "# + "\t\n\r\u{0b}\u{0c}ü").map(String.init)
        for _ in 0..<20 {
            let values = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (0..<Int.random(in: 0...6, using: &random))
                    .compactMap { _ in alphabet.randomElement(using: &random) }.joined()
            }
            let text = values.map { "-c n=" + quoted($0) }.joined(separator: " \t")
            #expect(
                try StartupOptions.parse(text) == values.map { Self.setting("n", $0) },
                "SEED=\(seed) \(text.debugDescription)")
        }
    }

    private func quoted(_ value: String) -> String {
        value.unicodeScalars.map { scalar in
            scalar == "\\" || scalar.properties.isWhitespace ? "\\\(scalar)" : "\(scalar)"
        }.joined()
    }
}
