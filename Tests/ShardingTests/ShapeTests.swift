import Bytes
import SQL
import Testing

@testable import Sharding

/// What a `Shape` found, copied out.
struct Seen: Equatable {
    var key: [UInt8]
    var hash: UInt64
    var literals: [Literal]
    /// nil = not read for certain.
    var contents: [String?]
    var comments: [Range<Int>]
    var isBroken: Bool
    var hasPlainBackslash: Bool

    init(_ text: String, conforming: Bool = true) {
        let bytes = Array(text.utf8)
        var shape = Shape()
        self = bytes.withRawSpan { span in
            shape.read(span, in: 0..<bytes.count, standardConformingStrings: conforming)
            return Seen(shape, span)
        }
    }

    private init(_ shape: borrowing Shape, _ span: borrowing RawSpan) {
        key = shape.key.bytes.array()
        hash = shape.hash
        literals = shape.literals
        contents = []
        for literal in shape.literals {
            contents.append(literal.content(in: span).map { String(decoding: $0, as: UTF8.self) })
        }
        comments = shape.comments
        isBroken = shape.isBroken
        hasPlainBackslash = shape.hasPlainBackslash
    }
}

@Suite struct ShapeTests {
    @Test func `statements that differ in literals have one shape`() {
        let one = Seen("SELECT * FROM t WHERE k = 42 AND s = 'a' AND d = $$x$$ LIMIT 1.5")
        let other = Seen("SELECT * FROM t WHERE k = 4300 AND s = 'it''s' AND d = $q$$$q$ LIMIT 2e9")
        #expect(one.key == other.key)
        #expect(one.hash == other.hash)
        #expect(one.literals.map(\.kind) == [.integer, .plain, .dollar, .decimal])
        #expect(one.contents == ["42", "a", "x", "1.5"])
        #expect(other.contents == ["4300", "it's", "$", "2e9"])
    }

    @Test func `comments are no part of the shape`() {
        let plain = Seen("SELECT 1 FROM t WHERE k = 5")
        let commented = Seen("SELECT /* a */1 FROM t --x\nWHERE k = 5 /* traceparent='00-12' */")
        #expect(
            plain.key == Seen("SELECT 1 FROM t WHERE k = 5 -- x").key,
            "behind the end nothing counts")
        #expect(commented.key == Seen("SELECT /* b */1 FROM t /* c */WHERE k = 6 /*d*/").key)
        #expect(commented.comments.count == 3)
    }

    @Test(arguments: [
        ("SELECT 1", "SELECT '1'"), ("SELECT 1", "SELECT 1.0"), ("SELECT '1'", "SELECT E'1'"),
        ("SELECT '1'", "SELECT $$1$$"), ("SELECT a b", "SELECT ab"), ("SELECT a", "SELECT A"),
        ("SELECT 1 FROM a", "SELECT 1 FROM \"a\""), ("SELECT - -1", "SELECT --1\n"),
        ("SELECT 'a' 'b'", "SELECT 'a'\n'b'"), ("SELECT a/**/b", "SELECT ab"),
        ("SELECT 1", "SELECT $1"), ("SELECT 'a'", "SELECT N'a'"), ("SELECT 1;", "SELECT 1"),
        ("SELECT < =1", "SELECT <=1"), ("SELECT <  =1", "SELECT <=1"),
        ("SELECT U&'a'", "SELECT U&\"a\""), ("SELECT $1", "SELECT $2"),
    ])
    func `statements that differ in anything else have two`(_ one: String, _ other: String) {
        #expect(Seen(one).key != Seen(other).key)
    }

    @Test func `literals are read as PostgreSQL reads them, or not at all`() {
        #expect(
            Seen("SELECT 'a''b', '', '\\n', E'a\\\\b\\'c''d'").contents == [
                "a'b", "", "\\n", "a\\b'c'd",
            ])
        #expect(
            Seen("SELECT E'a\\n', U&'\\0061', N'a', B'1', X'F', 'a'\n'b'").contents == [
                nil, nil, nil, nil, nil, nil,
            ])
        #expect(Seen("SELECT $$$$, $a$ $b$ $$ $a$").contents == ["", " $b$ $$ "])
    }

    @Test func `backslashes in plain strings are noticed`() {
        #expect(Seen("SELECT 'a\\b'").hasPlainBackslash)
        #expect(Seen("SELECT 'a\\'b'", conforming: false).hasPlainBackslash)
        #expect(!Seen("SELECT E'a\\b', $$\\$$").hasPlainBackslash)
    }

    @Test(arguments: ["SELECT 'a", "SELECT $$a", "SELECT \"a", "SELECT 1 /* a", "SELECT E'a\\'"])
    func `what does not end is broken`(_ text: String) {
        #expect(Seen(text).isBroken)
        #expect(!Seen("SELECT 1 -- a").isBroken)
        #expect(!Seen("SELECT 1 /* a /* b */ */").isBroken)
        #expect(Seen("SELECT 1\0").isBroken)
    }

    @Test func `one value reads many texts`() {
        let texts = ["SELECT 1", "SELECT 'x' /* c */, 2", "", ";", "SELECT 'a\\'"]
        var shape = Shape()
        for text in texts + texts.reversed() {
            let bytes = Array(text.utf8)
            bytes.withRawSpan { shape.read($0, in: 0..<bytes.count) }
            let fresh = Seen(text)
            #expect(shape.key.bytes.array() == fresh.key)
            #expect(shape.literals == fresh.literals)
            #expect(shape.isBroken == fresh.isBroken)
            #expect(shape.hasPlainBackslash == fresh.hasPlainBackslash)
        }
    }
}

@Suite struct KeyHintTests {
    private func find(_ text: String) -> Result<KeyHint?, Refusal> {
        let bytes = Array(text.utf8)
        let comments = Seen(text).comments
        return bytes.withRawSpan { KeyHint.find(in: $0, comments: comments) }
    }

    @Test(arguments: [
        ("/* pgweir: shard=s1 */ SELECT 1", KeyHint.shard("s1")),
        ("SELECT 1 /*pgweir:key=42*/", .key(["42"])),
        ("SELECT /* PGWEIR: Key = 42 , eu */ 1", .key(["42", "eu"])),
        ("SELECT 1 -- x\n/* other */ /* pgweir: key='a,b', 'it''s' */", .key(["a,b", "it's"])),
        ("SELECT 1 /* pgweir: key='' */", .key([""])),
        ("SELECT 1 /* pgweir: key=1 */ /* pgweir: key='1' */", .key(["1"])),
    ])
    func `a hint is found in a comment`(_ text: String, _ hint: KeyHint) {
        #expect(find(text) == .success(hint))
    }

    @Test(arguments: [
        "SELECT 1", "SELECT '/* pgweir: shard=s1 */'", "SELECT 1 -- /* pgweir: shard=s1 */",
        "SELECT 1 /* see pgweir: shard=s1 */", "SELECT $$/* pgweir: key=1 */$$", "/* pgweirs: */",
        "SELECT 1 /* /* pgweir: key=1 */ */",
    ])
    func `elsewhere there is no hint`(_ text: String) {
        #expect(find(text) == .success(nil))
    }

    @Test(arguments: [
        "/* pgweir: */", "/* pgweir: shard */", "/* pgweir: shrad=s1 */", "/* pgweir: key= */",
        "/* pgweir: key=1, */", "/* pgweir: key='a */", "/* pgweir: key='a'b */",
        "/* pgweir: key=it's */", "/* pgweir: shard=a,b */", "/* pgweir: shard='' */",
        "/* pgweir: key=1 */ SELECT 1 /* pgweir: key=2 */",
        "/* pgweir: key=1 */ SELECT 1 /* pgweir: shard=s1 */",
    ])
    func `a hint that is not understood is refused`(_ text: String) {
        guard case .failure(let refusal) = find(text) else {
            Issue.record("taken: \(text)")
            return
        }
        #expect(refusal.hint != nil)
    }

    @Test func `a hint is placed by the map`() throws {
        let map = try ShardingMap(description(key: ["bigint", "text"]))
        let router = Router(map)
        let eu = KeyValue.bytes(Array("eu".utf8))
        guard case .shard(let shard, let rule) = router.place([.integer(42), eu]) else {
            Issue.record("the key has no shard")
            return
        }
        #expect(router.route(.key(["42", "eu"])) == .shard(shard, rule))
        #expect(router.route(.shard("s2")) == .shard(2, .hint))
        for hint: KeyHint in [
            .shard("s9"), .key(["42"]), .key(["x", "eu"]), .key(["1", "2", "3"]),
        ] {
            guard case .refused = router.route(hint) else {
                Issue.record("\(hint) is taken")
                continue
            }
        }
    }
}
