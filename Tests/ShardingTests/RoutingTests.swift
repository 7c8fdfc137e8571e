import Testing

@testable import Sharding

@Suite struct RoutingTests {
    let planning: Planning

    init() throws { planning = try Planning() }

    private func shard(_ key: Int64) -> Int {
        var hash = PartitionHash()
        hash.combine(.integer(key))
        return hash.remainder(of: 3)
    }

    private func isRefused(_ route: Route) -> Bool {
        if case .refused = route { true } else { false }
    }

    private func found(_ route: Route) -> Int? {
        if case .shard(let shard, _) = route { shard } else { nil }
    }

    @Test func `literals of one shape go to their own shards`() {
        var cache = PlanCache(planning.router)
        for key in Int64(-200)..<200 {
            let text = "SELECT * FROM t WHERE tenant_id = \(key < 0 ? "" : " ")\(key) /* \(key) */"
            #expect(found(planning.route(text, .init(), &cache)) == shard(key))
        }
        #expect(cache.count == 2)
        _ = planning.route("SELECT * FROM t WHERE tenant_id = '5'", .init(), &cache)
        #expect(cache.count == 3)
    }

    @Test func `a parameter goes to its own shard, as text and in binary`() {
        let text = "SELECT * FROM t WHERE tenant_id = $1 AND x = $2"
        for key in Int64(-50)..<50 {
            #expect(found(planning.route(text, parameters(bound("\(key)")))) == shard(key))
            let four = (0..<4).map { UInt8(truncatingIfNeeded: key >> (24 - 8 * $0)) }
            let eight = (0..<8).map { UInt8(truncatingIfNeeded: key >> (56 - 8 * $0)) }
            for (bytes, declared): ([UInt8], UInt32) in [(four, 23), (eight, 20), (eight, 0)] {
                let parameter = BoundParameter(bytes: bytes, isBinary: true, declared: declared)
                #expect(found(planning.route(text, parameters(parameter))) == shard(key))
            }
            let short = BoundParameter(bytes: four, isBinary: true, declared: 0)
            #expect(isRefused(planning.route(text, parameters(short))))
        }
        #expect(planning.plan(text).parameters == [1])
    }

    @Test func `a key of no value touches no row`() {
        #expect(
            planning.route("SELECT * FROM t WHERE tenant_id = $1", parameters(bound(nil)))
                == .anyShard(isCatalog: false))
        #expect(
            planning.route("DELETE FROM t WHERE tenant_id = ANY ($1)", parameters(bound("{}")))
                == .anyShard(isCatalog: false))
        // A row that is inserted is one.
        #expect(
            planning.route("INSERT INTO t (tenant_id) VALUES ($1)", parameters(bound(nil)))
                == .shard(0, .remainder(0, modulus: 3)))
    }

    @Test func `lists must lie on one shard`() throws {
        let same = (Int64(1)...100).filter { shard($0) == 1 }.map(String.init)
        let list = same.joined(separator: ",")
        #expect(found(planning.route("SELECT * FROM t WHERE tenant_id IN (\(list))")) == 1)
        let array = "SELECT * FROM t WHERE tenant_id = ANY ($1)"
        #expect(found(planning.route(array, parameters(bound("{\(list)}")))) == 1)
        #expect(found(planning.route(array, parameters(bound("{\(list),NULL}", 1016)))) == 1)
        let other = try #require((Int64(1)...100).first { shard($0) == 2 })
        let mixed = list + ",\(other)"
        #expect(isRefused(planning.route("SELECT * FROM t WHERE tenant_id IN (\(mixed))")))
        #expect(isRefused(planning.route(array, parameters(bound("{\(mixed)}")))))
        #expect(isRefused(planning.route(array, parameters(bound("{\(list)}", 1231)))))
    }

    @Test func `arrays in binary carry their own type`() {
        func array(_ type: UInt8, _ elements: [[UInt8]]) -> BoundParameter {
            var bytes: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, type]
            bytes += [0, 0, 0, UInt8(elements.count), 0, 0, 0, 1]
            for element in elements { bytes += [0, 0, 0, UInt8(element.count)] + element }
            return BoundParameter(bytes: bytes, isBinary: true, declared: 0)
        }
        let text = "SELECT * FROM t WHERE tenant_id = ANY ($1)"
        #expect(found(planning.route(text, parameters(array(23, [[0, 0, 0, 7]])))) == shard(7))
        #expect(found(planning.route(text, parameters(array(21, [[0, 7]])))) == shard(7))
        #expect(isRefused(planning.route(text, parameters(array(25, [[0x37]])))))
        #expect(isRefused(planning.route(text, parameters(array(23, [[0, 7]])))))
        for count in 0..<24 {
            var cut = array(23, [[0, 0, 0, 7]])
            cut = BoundParameter(
                bytes: cut.bytes.map { Array($0.prefix(count)) }, isBinary: true, declared: 0)
            #expect(isRefused(planning.route(text, parameters(cut))), "\(count) bytes")
        }
    }

    @Test func `a parameter used elsewhere must have its type said`() {
        let text = "SELECT * FROM t WHERE x > $1 AND tenant_id = $1"
        #expect(isRefused(planning.route(text, parameters(bound("7")))))
        #expect(found(planning.route(text, parameters(bound("7", 20)))) == shard(7))
        #expect(isRefused(planning.route(text, parameters(bound("7", 701)))))
        let twice = "SELECT * FROM a, b WHERE a.tenant_id = $1 AND b.tenant_id = $1"
        #expect(found(planning.route(twice, parameters(bound("7")))) == shard(7))
        #expect(isRefused(planning.route(text)))
    }

    @Test(arguments: [
        "SELECT * FROM t WHERE tenant_id = 1.0", "SELECT * FROM t WHERE tenant_id = 1e3",
        "SELECT * FROM t WHERE tenant_id = 99999999999999999999",
        "SELECT * FROM t WHERE tenant_id = 'x'", "SELECT * FROM t WHERE tenant_id = X'1F'",
        "SELECT * FROM t WHERE tenant_id = U&'1'", "SELECT * FROM t WHERE tenant_id = -'1'",
        "SELECT * FROM t WHERE tenant_id = 70000::smallint", "SELECT * FROM t WHERE tenant_id = ''",
    ])
    func `a literal that is no key is refused`(_ text: String) {
        let route = planning.route(text)
        #expect(isRefused(route), "\(route)")
    }

    @Test func `the greatest and the least keys are read`() {
        for key in [Int64.max, .min, .min + 1] {
            #expect(found(planning.route("DELETE FROM t WHERE tenant_id = \(key)")) == shard(key))
        }
    }

    @Test func `statements of one string go to one shard`() throws {
        let other = try #require((Int64(2)...100).first { shard($0) != shard(1) })
        let one = "BEGIN; SELECT 1; DELETE FROM t WHERE tenant_id = 1; SELECT * FROM plans; COMMIT"
        #expect(found(planning.route(one)) == shard(1))
        #expect(isRefused(planning.route(one + "; DELETE FROM t WHERE tenant_id = \(other)")))
        #expect(planning.route("BEGIN") == .session)
        #expect(planning.route("BEGIN; SELECT 1") == .anyShard(isCatalog: false))
    }

    @Test func `the map decides about statements without a key`() throws {
        var description = tenantMap
        description.unkeyedReads = "scatter"
        description.unkeyedWrites = "s2"
        let planning = try Planning(description)
        #expect(planning.route("SELECT * FROM t") == .everyShard)
        #expect(planning.route("DELETE FROM t") == .shard(2, .unkeyed))
        #expect(isRefused(planning.route("SELECT f() FROM t")))
        #expect(isRefused(self.planning.route("SELECT * FROM t")))
    }

    @Test func `keys of several columns need all of them`() throws {
        let planning = try Planning(
            description(key: ["bigint", "text"]) { $0.tables = ["t": ["a", "b"]] })
        #expect(planning.told("SELECT * FROM t WHERE a = 1 AND b = 'x'") == "keys (1, 'x')")
        #expect(
            planning.told("SELECT * FROM t WHERE a IN (1, 2) AND b = 'x'")
                == "keys (1, 'x') (2, 'x')")
        #expect(planning.told("SELECT * FROM t WHERE a = 1") == "refused")
        #expect(planning.told("SELECT * FROM t WHERE x = 1") == "unkeyed")
        #expect(
            planning.told("INSERT INTO t (b, c, a) VALUES ('x', 1, 2), ('y', 1, 3)")
                == "write keys (2, 'x') (3, 'y')")
        #expect(planning.told("SELECT * FROM t WHERE (a, b) = (1, 'x')") == "keys (1, 'x')")
        #expect(planning.told("UPDATE t SET b = 'z' WHERE a = 1 AND b = 'x'") == "refused")
        #expect(
            planning.told(
                "SELECT * FROM t JOIN t u ON t.a = u.a AND u.b = t.b WHERE t.a = 1 "
                    + "AND u.b = 'x'") == "keys (1, 'x')")
    }

    @Test func `with placement by schema the schema is the key`() throws {
        var map = description(key: []) {
            $0.placement = .schema
            $0.tables = [:]
            $0.referenceTables = ["public.plans"]
        }
        map.places = [names("acme", on: "s1"), names("umbrella", on: "s2")]
        let planning = try Planning(map)
        #expect(found(planning.route("SELECT * FROM acme.t WHERE x = 1")) == 1)
        #expect(found(planning.route("INSERT INTO umbrella.t VALUES (1), (2)")) == 2)
        #expect(isRefused(planning.route("SELECT * FROM acme.t, umbrella.t")))
        #expect(isRefused(planning.route("SELECT * FROM other.t")))
        #expect(isRefused(planning.route("SELECT * FROM t")))
        var values = ExecutionValues()
        values.searchPath = "umbrella"
        #expect(found(planning.route("SELECT * FROM t", values)) == 2)
        #expect(found(planning.route("COPY t FROM STDIN", values)) == 2)
        #expect(isRefused(planning.route("SELECT * FROM t, acme.t", values)))
        #expect(planning.route("SELECT * FROM public.plans") == .anyShard(isCatalog: false))
    }

    @Test func `a look-up is asked for all keys at once`() throws {
        var description = tenantMap
        description.placement = .lookup
        description.lookup.database = "d"
        description.lookup.query = "q"
        let planning = try Planning(description)
        guard
            case .lookup(_, let keys) = planning.route("SELECT 1 FROM t WHERE tenant_id IN (1, 2)")
        else {
            Issue.record("no look-up")
            return
        }
        #expect(keys == [[.integer(1)], [.integer(2)]])
    }

    @Test func `a cache that is full begins anew`() throws {
        var cache = PlanCache(planning.router, countMax: 10)
        for index in 0..<100 {
            let text = "SELECT c\(index) FROM t WHERE tenant_id = \(index)"
            #expect(found(planning.route(text, .init(), &cache)) == shard(Int64(index)))
            #expect((1...10).contains(cache.count))
        }
    }
}
