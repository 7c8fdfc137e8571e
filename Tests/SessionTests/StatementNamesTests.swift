import Bytes
import Session
import TestSupport
import Testing

@Suite struct StatementNamesTests {
    /// What `find` says, as something that can be compared.
    private struct Found: Equatable {
        let statement: UInt64
        let isPending: Bool
    }

    private func find(_ name: [UInt8], in names: StatementNames) -> Found? {
        name.withRawSpan {
            names.find($0).map { Found(statement: $0.statement, isPending: $0.isPending) }
        }
    }

    private func find(_ name: String, in names: StatementNames) -> Found? {
        find(utf8(name), in: names)
    }

    private func parse(_ name: String, as statement: UInt64, _ names: inout StatementNames) {
        parse(utf8(name), as: statement, &names)
    }

    private func parse(_ name: [UInt8], as statement: UInt64, _ names: inout StatementNames) {
        name.withRawSpan {
            names.parsed(
                $0, as: InternedStatement(statement, nil, StatementMeaning(literals: 0, path: 0)))
        }
    }

    private func close(_ name: String, _ names: inout StatementNames) {
        utf8(name).withRawSpan { names.closed($0) }
    }

    @Test func `a name is pending until the server has acknowledged it`() {
        var names = StatementNames()
        #expect(find("a", in: names) == nil)
        parse("a", as: 1, &names)
        parse("b", as: 2, &names)
        #expect(find("a", in: names) == Found(statement: 1, isPending: true))
        #expect(names.acknowledge() == nil)
        #expect(find("a", in: names) == Found(statement: 1, isPending: false))
        #expect(find("b", in: names) == Found(statement: 2, isPending: true))
        #expect(names.count == 2)
    }

    @Test func `a closed name is free at once, its statement when the server has answered`() {
        var names = StatementNames()
        parse("a", as: 1, &names)
        close("a", &names)
        #expect(find("a", in: names) == nil)
        #expect(names.acknowledge() == nil)
        #expect(names.acknowledge() == 1)
        #expect(names.acknowledge() == nil)
    }

    @Test func `closing a name that nobody has frees nothing`() {
        var names = StatementNames()
        close("a", &names)
        #expect(names.acknowledge() == nil)
        #expect(names.removeAll() == [])
    }

    @Test func `what the server skipped did not happen`() {
        var names = StatementNames()
        parse("old", as: 1, &names)
        #expect(names.acknowledge() == nil)
        close("old", &names)
        parse("old", as: 2, &names)
        parse("new", as: 3, &names)
        #expect(names.undo(3) == [3, 2])
        #expect(find("old", in: names) == Found(statement: 1, isPending: false))
        #expect(find("new", in: names) == nil)
        #expect(names.undo(1) == [])
    }

    @Test func `only the oldest changes are undone`() {
        var names = StatementNames()
        parse("a", as: 1, &names)
        parse("b", as: 2, &names)
        #expect(names.undo(1) == [1])
        #expect(find("a", in: names) == nil)
        #expect(names.acknowledge() == nil)
        #expect(find("b", in: names) == Found(statement: 2, isPending: false))
    }

    @Test func `DEALLOCATE ALL forgets what the server had acknowledged`() {
        var names = StatementNames()
        parse("a", as: 1, &names)
        parse("b", as: 2, &names)
        _ = names.acknowledge()
        #expect(names.removeAcknowledged() == [1])
        #expect(find("a", in: names) == nil)
        #expect(find("b", in: names) == Found(statement: 2, isPending: true))
    }

    @Test func `everything in use comes back when the client is gone`() {
        var names = StatementNames()
        for statement in 1...3 { parse("\(statement)", as: UInt64(statement), &names) }
        for _ in 1...3 { _ = names.acknowledge() }
        close("2", &names)
        #expect(names.removeAll().sorted() == [1, 2, 3])
        #expect(names.count == 0)
        #expect(names.removeAll() == [])
    }

    /// The second eight bytes undo what the first ones make of the hash.
    private static let colliding: [[UInt8]] = [
        [
            0x3d, 0x98, 0x8c, 0x22, 0x5f, 0xeb, 0x9b, 0x7a,
            0x0a, 0xf4, 0x64, 0x0f, 0xd4, 0x57, 0x34, 0x42,
        ],
        [
            0xa1, 0x95, 0x11, 0x9c, 0x04, 0xe9, 0xd7, 0x79,
            0xf0, 0x1e, 0xab, 0xe9, 0x9a, 0x55, 0x4e, 0x8a,
        ],
        [
            0x43, 0x8e, 0x3c, 0x32, 0xff, 0xb8, 0x79, 0x8b,
            0xe6, 0xbc, 0x97, 0xf8, 0x46, 0x91, 0xe3, 0xab,
        ],
        [
            0xd7, 0x8d, 0x7a, 0x66, 0xa4, 0xdd, 0x27, 0x3c,
            0xa6, 0x4c, 0xed, 0x82, 0x2a, 0xcb, 0x91, 0x04,
        ],
    ]

    @Test func `names with the same hash stay apart`() {
        #expect(Set(Self.colliding.map { $0.hash64() }).count == 1)
        for gone in Self.colliding.indices {
            var names = StatementNames()
            for (index, name) in Self.colliding.enumerated() {
                parse(name, as: UInt64(index + 1), &names)
            }
            #expect(names.count == 4)
            for _ in Self.colliding { #expect(names.acknowledge() == nil) }
            Self.colliding[gone].withRawSpan { names.closed($0) }
            for (index, name) in Self.colliding.enumerated() {
                let there = Found(statement: UInt64(index + 1), isPending: false)
                #expect(find(name, in: names) == (index == gone ? nil : there))
            }
            #expect(names.acknowledge() == UInt64(gone + 1))
            #expect(names.removeAcknowledged().count == 3)
            #expect(names.count == 0)
        }
    }

    @Test func `an acknowledged name whose Close was undone is not pending`() {
        var names = StatementNames()
        parse("a", as: 1, &names)
        close("a", &names)
        _ = names.acknowledge()
        #expect(names.undo(1) == [])
        #expect(find("a", in: names) == Found(statement: 1, isPending: false))
    }

    @Test func `an answer to a name's first Parse does not acknowledge its second`() {
        var names = StatementNames()
        parse("a", as: 1, &names)
        close("a", &names)
        parse("a", as: 2, &names)
        _ = names.acknowledge()
        #expect(find("a", in: names) == Found(statement: 2, isPending: true))
    }
}
