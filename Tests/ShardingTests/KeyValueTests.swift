import Bytes
import Testing

@testable import Sharding

@Suite struct KeyValueTests {
    private func read(_ text: String, _ type: KeyType) throws -> KeyValue {
        try KeyValue.read(text: Array(text.utf8), as: type)
    }

    static let refused: [(String, KeyType)] = [
        ("", .bigint), ("-", .bigint), ("4 2", .bigint), ("42.0", .bigint), ("0x2a", .bigint),
        ("1_000", .bigint), ("1e3", .bigint), ("--1", .bigint), ("٤٢", .bigint),
        ("9223372036854775808", .bigint), ("-9223372036854775809", .bigint),
        ("2147483648", .integer), ("-32769", .smallint), ("-1", .oid), ("4294967296", .oid),
        ("o", .boolean), ("", .boolean), ("truest", .boolean), ("2", .boolean),
        ("a\0b", .text), ("x ", .varchar),
        ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", .uuid),
        (" a0eebc999c0b4ef8bb6d6bb9bd380a11", .uuid),
        ("{a0eebc999c0b4ef8bb6d6bb9bd380a11", .uuid), ("a-0eebc999c0b4ef8bb6d6bb9bd380a11", .uuid),
        ("a0eebc999c0b4ef8bb6d6bb9bd380a11-", .uuid), ("é0eebc999c0b4ef8bb6d6bb9bd380a1", .uuid),
        ("01/02/2026", .date), ("2026-1-2", .date), ("2026-02-29", .date), ("today", .date),
        ("26-01-02", .date), ("2026-01-02 BC", .date), ("0000-01-01", .date), ("Infinity", .date),
        ("2026-01-02 10:00:00", .timestamptz), ("2026-01-02 10:00:00 Europe/Paris", .timestamptz),
        ("2026-01-02 24:00:00+00", .timestamptz), ("2026-01-02 10:00:60+00", .timestamptz),
        ("2026-01-02 10:00:00.1234567+00", .timestamptz), ("2026-01-02", .timestamptz),
        ("2026-01-02 10:00:00.+00", .timestamptz), ("2026-01-02 10:00:00+0", .timestamptz),
        ("2026-01-02 10:00:00+00:00:30", .timestamptz), ("now", .timestamptz),
        ("2026-01-02 10:00:00+00", .timestamp), ("2026-01-02 10", .timestamp),
        ("\\x0", .bytea), ("\\x 00", .bytea), ("\\", .bytea), ("\\400", .bytea), ("é", .bytea),
    ]

    @Test(arguments: refused)
    func `what PostgreSQL refuses or may read otherwise is no key`(
        _ text: String, _ type: KeyType
    ) {
        #expect(throws: KeyProblem.self) { try read(text, type) }
    }

    @Test func `a text that is not UTF-8 is no key`() {
        #expect(throws: KeyProblem.self) { try KeyValue.read(text: [0xc3, 0x28], as: .text) }
        #expect(throws: KeyProblem.self) { try KeyValue.read(binary: [0xff], as: .text) }
        #expect(throws: KeyProblem.self) {
            try KeyValue.read(text: Array("é".utf8), as: .text, isUTF8: false)
        }
        #expect(throws: Never.self) {
            try KeyValue.read(text: Array("e".utf8), as: .text, isUTF8: false)
        }
    }

    @Test(arguments: KeyType.allCases)
    func `a binary value of another length is no key`(_ type: KeyType) {
        guard type != .text, type != .varchar, type != .bytea else { return }
        for count in [0, 3, 5, 9, 17] {
            let zeros = [UInt8](repeating: 0, count: count)
            #expect(throws: KeyProblem.self) { try KeyValue.read(binary: zeros, as: type) }
        }
    }

    @Test func `a part of a text is read as the whole would be`() throws {
        for number in ["0", "-1", "42", "123456789012345678", "9223372036854775807", " 5", "+6"] {
            let text = Array("(\(number))".utf8)
            let found = try text.withRawSpan { span in
                try KeyValue.read(text: span, in: 1..<text.count - 1, as: .bigint)
            }
            #expect(found == (try read(number, .bigint)))
        }
        for wrong in ["", "-", "4x", "70000"] {
            let text = Array("(\(wrong))".utf8)
            #expect(throws: KeyProblem.self) {
                try text.withRawSpan { span in
                    try KeyValue.read(text: span, in: 1..<text.count - 1, as: .smallint)
                }
            }
        }
    }

    @Test func `integers of every width are one key`() throws {
        let four = try KeyValue.read(
            parameter: [0, 0, 0, 42], isBinary: true, declared: 23, as: .bigint)
        let two = try KeyValue.read(parameter: [0, 42], isBinary: true, declared: 21, as: .bigint)
        #expect(four == .integer(42))
        #expect(two == .integer(42))
    }

    @Test func `a parameter of another type is no key`() {
        // numeric, float8, text, timestamp without a time zone
        for (declared, type): (UInt32, KeyType) in [
            (1700, .bigint), (701, .bigint), (25, .bigint), (23, .text), (1114, .timestamptz),
            (1042, .text),
        ] {
            #expect(throws: KeyProblem.self) {
                try KeyValue.read(
                    parameter: Array("42".utf8), isBinary: false, declared: declared, as: type)
            }
        }
    }

    @Test func `a parameter may be NULL`() throws {
        #expect(
            try KeyValue.read(parameter: nil, isBinary: true, declared: 0, as: .bigint) == nil)
    }

    @Test func `values are shown as PostgreSQL shows them`() throws {
        let shown: [(String, KeyType, String)] = [
            ("+042", .bigint, "42"), ("it's", .text, "'it''s'"), ("\\x00FF", .bytea, "'\\x00ff'"),
            ("{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", .uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ("yes", .boolean, "true"), ("2026-01-31", .date, "2026-01-31"),
            ("0001-01-01", .date, "0001-01-01"), ("-infinity", .date, "-infinity"),
            ("1999-12-31 23:30:00.5-01", .timestamptz, "2000-01-01 00:30:00.500000+00"),
            ("1999-12-31 23:30", .timestamp, "1999-12-31 23:30:00"),
        ]
        for (text, type, expected) in shown {
            #expect(try read(text, type).described(as: type) == expected)
        }
    }

    @Test func `every day of ten thousand years is read and shown`() {
        var days = Calendar.days(year: 1, month: 1, day: 1) ?? 0
        for year in 1...9999 {
            for month in 1...12 {
                for day in 1...31 {
                    guard let found = Calendar.days(year: year, month: month, day: day) else {
                        continue
                    }
                    if found != days { Issue.record("\(year)-\(month)-\(day)") }
                    days += 1
                }
            }
        }
        #expect(Calendar.text(days: days - 1) == "9999-12-31")
        for days in stride(from: Int32(-730_119), to: 2_921_939, by: 97) {
            var reader = CalendarReader(Array(Calendar.text(days: days).utf8))
            if reader.date() != days { Issue.record("\(days)") }
        }
    }

    @Test func `values have the order of their types`() throws {
        let ordered: [(KeyType, [String])] = [
            (.bigint, ["-5", "0", "3", "40"]), (.text, ["", "A", "a", "aa", "b"]),
            (.date, ["-infinity", "1999-01-01", "2000-01-01", "infinity"]),
            (.boolean, ["f", "t"]), (.oid, ["1", "4000000000"]),
        ]
        for (type, texts) in ordered {
            let values = try texts.map { try read($0, type) }
            #expect(values.reversed().sorted() == values)
            #expect(Set(values).count == values.count)
        }
    }
}
