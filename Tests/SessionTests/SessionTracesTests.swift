internal import SQL
import Testing

@testable import Session

@Suite struct SessionTracesTests {
    private func facts(_ suspicions: Suspicions) -> StatementFacts {
        var facts = StatementFacts()
        facts.suspicions = suspicions
        return facts
    }

    @Test func `what comes behind the question is not forgotten with its answer`() {
        var traces = SessionTraces()
        traces.note(facts(.parameters))
        traces.asked()
        #expect(traces.isClean)
        traces.note(facts(.advisoryLocks))
        traces.answered()
        #expect(traces.suspected == .advisoryLocks)
    }

    @Test func `a removal is asked about if something pins, or may by the time of the answer`() {
        var traces = SessionTraces()
        traces.note(facts(.removals))
        #expect(traces.isClean)
        traces.note(facts(.temporaryObjects))
        traces.asked()
        traces.note(facts(.removals))
        #expect(traces.suspected == .removals)
        traces.asked()
        traces.pins = .temporaryObjects
        traces.answered()
        traces.note(facts(.removals))
        #expect(traces.suspected == .removals)
    }

    @Test func `statements about a whole database leave nothing behind`() {
        var traces = SessionTraces()
        traces.note(facts([.wholeDatabases, .removals]))
        #expect(traces.isClean)
    }

    @Test func `CREATE is suspected while the search path is in doubt`() {
        var traces = SessionTraces()
        traces.note(facts(.creations))
        #expect(traces.isClean)
        traces.note(facts(.creations), createsTemporary: true)
        #expect(traces.suspected == .temporaryObjects)
        traces = SessionTraces()
        var path = facts(.parameters)
        path.parameters = [ParameterTouch("search_path")]
        traces.note(path)
        traces.asked()
        traces.note(facts(.creations))
        #expect(traces.suspected == .temporaryObjects)
    }
}
