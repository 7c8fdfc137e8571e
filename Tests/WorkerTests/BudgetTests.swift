import Testing

@testable import Worker

@Suite struct BudgetTests {
    private let app = Budget.Key.database("app")
    private let alice = Budget.Key.user("alice")
    private let host = Budget.Key.host("db1", 5432)

    @Test func `servers are counted under each limit up to the limit`() {
        var budget = Budget()
        for count in 1...2 {
            #expect(budget.addServer([(app, 2), (alice, 5)]) == nil)
            #expect(budget.serverCount(app) == count)
            #expect(budget.serverCount(alice) == count)
        }
        #expect(budget.addServer([(app, 2), (alice, 5)]) == app)
    }

    @Test func `a refusal counts nothing`() {
        var budget = Budget()
        #expect(budget.addServer([(host, 1)]) == nil)
        #expect(budget.addServer([(app, 9), (alice, 9), (host, 1)]) == host)
        #expect(budget.serverCount(app) == 0)
        #expect(budget.serverCount(alice) == 0)
        #expect(budget.serverCount(host) == 1)
    }

    @Test func `zero is no limit, and counts`() {
        var budget = Budget()
        for _ in 0..<1000 { #expect(budget.addServer([(app, 0)]) == nil) }
        #expect(budget.serverCount(app) == 1000)
        #expect(budget.addServer([(app, 1000)]) == app)
    }

    @Test func `the first full limit is the one that is named`() {
        var budget = Budget()
        _ = budget.addServer([(app, 0), (alice, 0)])
        #expect(budget.addServer([(app, 1), (alice, 1)]) == app)
        #expect(budget.addServer([(app, 2), (alice, 1)]) == alice)
    }

    @Test func `a server that goes makes room`() {
        var budget = Budget()
        _ = budget.addServer([(app, 1), (alice, 1)])
        budget.removeServer([app, alice])
        #expect(budget.serverCount(app) == 0)
        #expect(budget.addServer([(app, 1), (alice, 1)]) == nil)
    }

    @Test func `a limit that became smaller than its count refuses until enough have gone`() {
        var budget = Budget()
        for _ in 0..<3 { _ = budget.addServer([(app, 0)]) }
        #expect(budget.addServer([(app, 2)]) == app)
        budget.removeServer([app])
        #expect(budget.addServer([(app, 2)]) == app)
        budget.removeServer([app])
        #expect(budget.addServer([(app, 2)]) == nil)
    }

    @Test func `names of databases, users and hosts do not mix, nor do ports`() {
        var budget = Budget()
        let keys: [Budget.Key] = [
            .database("x"), .user("x"), .host("x", 5432), .host("x", 5433), .host("y", 5432),
        ]
        for key in keys { #expect(budget.addServer([(key, 1)]) == nil) }
        for key in keys { #expect(budget.serverCount(key) == 1) }
    }

    @Test func `clients and servers are counted apart`() {
        var budget = Budget()
        #expect(budget.addServer([(app, 1)]) == nil)
        #expect(budget.addClient([(app, 1)]) == nil)
        #expect(budget.addClient([(app, 1)]) == app)
        budget.removeServer([app])
        #expect(budget.clientCount(app) == 1)
        #expect(budget.addClient([(app, 1)]) == app)
        budget.removeClient([app])
        #expect(budget.clientCount(app) == 0)
        #expect(budget.addClient([(app, 1)]) == nil)
    }

    @Test func `a refused client counts nothing`() {
        var budget = Budget()
        _ = budget.addClient([(alice, 1)])
        #expect(budget.addClient([(app, 9), (alice, 1)]) == alice)
        #expect(budget.clientCount(app) == 0)
        #expect(budget.clientCount(alice) == 1)
    }

    @Test func `what is counted off twice stops the process`() async {
        await #expect(processExitsWith: .failure) {
            var budget = Budget()
            budget.removeServer([.database("app")])
        }
        await #expect(processExitsWith: .failure) {
            var budget = Budget()
            budget.removeClient([.database("app")])
        }
    }
}
