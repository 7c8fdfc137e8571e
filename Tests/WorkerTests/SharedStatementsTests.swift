import Bytes
import EventLoop
import Session
import TestSupport
import Testing

@testable import Worker

@Suite struct SharedStatementsTests {
    private let shared = SharedStatements()
    private let statements: WorkerStatements

    init() { statements = WorkerStatements(shared) }

    private func intern(_ text: String, _ literals: UInt64? = 4, path: UInt64 = 0) -> UInt64 {
        let reading = Reading(literals: literals, path: path)
        return Array(text.utf8).withRawSpan {
            statements.intern($0, isFromSQL: false, reading: reading).statement
        }
    }

    private func definition(of statement: UInt64) -> String {
        let bytes = written { statements.appendDefinition(of: statement, to: &$0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `the same definition has one number, another one has another`() {
        let one = intern("SELECT 1\0\0\0")
        #expect(intern("SELECT 1\0\0\0") == one)
        #expect(intern("SELECT 1\0\0\u{1}") != one)
        #expect(intern("") != one)
        #expect(shared.count == 3)
        #expect(one != 0)
    }

    @Test func `a text that means something else is another statement`() {
        let plain = "SELECT a FROM t WHERE k = $1 AND n = 5"
        #expect(intern(plain) == intern(plain, 5))
        #expect(intern(plain) == intern(plain, nil))
        #expect(intern(plain) != intern(plain, path: 1))
        let dated = "SELECT '2026-01-01'::timestamptz"
        #expect(intern(dated) == intern(dated))
        #expect(intern(dated) != intern(dated, 5))
        #expect(intern(dated) != intern(dated, path: 1))
        #expect(intern(dated, nil) != intern(dated))
        #expect(intern(dated, nil) != intern(dated, nil))
        #expect(intern("SELECT 'today'::date") != intern("SELECT 'today'::date"))
        #expect(statements.meaning(of: intern(dated, 6)).literals == 6)
        #expect(statements.meaning(of: intern(plain, path: 7)).path == 7)
        #expect(statements.meaning(of: intern(plain)).literals == StatementMeaning.constant)
        #expect(statements.meaning(of: intern("SELECT 'now'")).isFixed)
    }

    @Test func `a definition is appended as it came`() {
        let one = intern("SELECT 1\0\0\0")
        let two = intern("SELECT 2\0\0\0")
        #expect(definition(of: one) == "SELECT 1\0\0\0")
        #expect(definition(of: two) == "SELECT 2\0\0\0")
        let behind = written { buffer in
            buffer.append(utf8: "before ")
            statements.appendDefinition(of: two, to: &buffer)
        }
        #expect(behind == Array("before SELECT 2\0\0\0".utf8))
    }

    @Test func `the last use forgets the text`() {
        let one = intern("SELECT 1")
        #expect(intern("SELECT 1") == one)
        statements.retain(one)
        for _ in 0..<2 {
            statements.release(one)
            #expect(definition(of: one) == "SELECT 1")
        }
        statements.release(one)
        #expect(shared.count == 0)
        #expect(definition(of: one) == "")
    }

    @Test func `a number is never used again`() {
        let first = intern("SELECT 1")
        statements.release(first)
        let second = intern("SELECT 2")
        #expect(second != first)
        #expect(intern("SELECT 1") != first)
        #expect(definition(of: second) == "SELECT 2")
    }

    @Test func `a stale number changes nothing`() {
        let one = intern("SELECT 1")
        statements.release(one)
        statements.retain(one)
        statements.release(one)
        #expect(shared.count == 0)
        let two = intern("SELECT 2")
        statements.release(one)
        #expect(definition(of: two) == "SELECT 2")
    }

    @Test func `threads that prepare and close the same texts leave nothing behind`() {
        let shared = shared
        let threads = (0..<4).map { _ in
            Threads.start(name: "statements") {
                let statements = WorkerStatements(shared)
                for round in 0..<2000 {
                    let text = Array("SELECT \(round % 7)".utf8)
                    let statement = text.withRawSpan {
                        statements.intern(
                            $0, isFromSQL: false, reading: Reading(literals: 4, path: 0)
                        ).statement
                    }
                    statements.retain(statement)
                    statements.release(statement)
                    let kept = written { statements.appendDefinition(of: statement, to: &$0) }
                    #expect(kept == text)
                    statements.release(statement)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(shared.count == 0)
    }
}

@Suite struct ParameterStatesTests {
    private let states = ParameterStates()

    private func state(
        _ zone: String, extra: [String: String] = [:], isProven: Bool = true
    ) -> ParameterState {
        ParameterState(reported: ["timezone": zone], extra: extra, isProven: isProven)
    }

    @Test func `equal values are one object`() {
        let first = states.canonical(state("UTC"))
        #expect(states.canonical(state("UTC")) === first)
    }

    @Test func `other values are other objects`() {
        let first = states.canonical(state("UTC"))
        #expect(states.canonical(state("CET")) !== first)
        #expect(states.canonical(state("UTC", extra: ["lock_timeout": "5s"])) !== first)
        #expect(states.canonical(state("UTC", isProven: false)) !== first)
    }

    @Test func `values stay right when the table has been emptied`() {
        for number in 0...20_000 {
            #expect(states.canonical(state("\(number)")).reported == ["timezone": "\(number)"])
        }
        let first = states.canonical(state("0"))
        #expect(states.canonical(state("0")) === first)
    }
}
