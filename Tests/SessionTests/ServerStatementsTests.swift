import Bytes
import Testing

@testable import Session

@Suite struct ServerStatementsTests {
    private func statements(_ uses: UInt64...) -> ServerStatements {
        var statements = ServerStatements()
        for statement in uses { statements.use(statement) }
        return statements
    }

    @Test func `the least recently used statement is the victim`() {
        var statements = statements(1, 2, 3)
        statements.endBatch()
        #expect(statements.victim(max: 2) == 1)
        let isThere = statements.useIfThere(1)
        #expect(isThere)
        statements.endBatch()
        #expect(statements.victim(max: 2) == 2)
    }

    @Test func `there is no victim while all fit`() {
        var statements = statements(1, 2)
        statements.endBatch()
        #expect(statements.victim(max: 2) == nil)
        #expect(statements.victim(max: 1) == 1)
        #expect(ServerStatements().victim(max: 0) == nil)
    }

    @Test func `nothing of the open batch is a victim`() {
        var statements = statements(1, 2)
        #expect(statements.victim(max: 0) == nil)
        statements.endBatch()
        _ = statements.useIfThere(1)
        #expect(statements.victim(max: 0) == 2)
        let wasThere = statements.remove(2)
        #expect(wasThere)
        #expect(statements.victim(max: 0) == nil)
        statements.endBatch()
        #expect(statements.victim(max: 0) == 1)
    }

    @Test func `what is not there is not used`() {
        var statements = statements(1)
        let isThere = statements.useIfThere(2)
        #expect(!isThere)
        #expect(!statements.contains(2))
        let wasThere = statements.remove(2)
        #expect(!wasThere)
        #expect(statements.count == 1)
    }

    @Test func `all are forgotten and named`() {
        var statements = statements(1, 2, 1)
        #expect(statements.removeAll().sorted() == [1, 2])
        #expect(statements.count == 0)
    }

    @Test func `private names differ and are short`() {
        #expect(ServerStatements.name(of: 1) == "pgweir_1")
        #expect(ServerStatements.name(of: 36) == "pgweir_10")
        #expect(ServerStatements.name(of: .max).utf8.count < 64)
    }

    @Test(arguments: [1, 9, 10, 35, 36, 1295, 1 << 33, .max] as [UInt64])
    func `a name is the same written into a buffer`(statement: UInt64) {
        var buffer = ByteBuffer()
        let count = ServerStatements.appendName(of: statement, to: &buffer)
        #expect(buffer.bytes.array() == Array(ServerStatements.name(of: statement).utf8))
        #expect(count == buffer.count)
    }
}
