import Testing

@testable import Sharding

@Suite struct PlannerTests {
    let planning: Planning

    init() throws { planning = try Planning() }

    static let reads: [(String, String)] = [
        ("SELECT * FROM t WHERE tenant_id = 42", "keys 42"),
        ("SELECT * FROM t WHERE 42 = tenant_id AND x > 5", "keys 42"),
        ("SELECT * FROM t WHERE t.tenant_id = -42", "keys -42"),
        ("SELECT * FROM t WHERE tenant_id = - 42", "keys -42"),
        ("SELECT * FROM s.t WHERE s.t.tenant_id = '42'", "keys 42"),
        ("SELECT * FROM t AS a WHERE a.tenant_id = 42::bigint", "keys 42"),
        ("SELECT * FROM t WHERE tenant_id = '42'::int8", "keys 42"),
        ("SELECT * FROM t WHERE tenant_id = CAST(42 AS smallint)", "keys 42"),
        ("SELECT * FROM t WHERE tenant_id IN (1, 2, '3', NULL)", "keys 1 2 3"),
        ("SELECT * FROM t WHERE tenant_id = ANY (ARRAY[1,2])", "keys 1 2"),
        ("SELECT * FROM t WHERE tenant_id = ANY (ARRAY[1,2]::int[])", "keys 1 2"),
        ("SELECT * FROM t WHERE tenant_id = ANY ('{1,2,null}'::bigint[])", "keys 1 2"),
        ("SELECT * FROM t WHERE tenant_id = 1 AND tenant_id = 2", "keys 1"),
        ("SELECT * FROM t WHERE (x = 1 OR y = 2) AND (tenant_id = 42 AND z = 3)", "keys 42"),
        ("SELECT * FROM t WHERE (tenant_id, x) = (42, 1)", "keys 42"),
        ("SELECT * FROM t WHERE (tenant_id, x) IN ((1, 5), (2, 6))", "keys 1 2"),
        ("SELECT * FROM users WHERE id = 42 AND tenant_id = 7", "keys 42"),
        ("SELECT * FROM billing.invoices WHERE customer_id = 42", "keys 42"),
        ("SELECT * FROM other.invoices WHERE tenant_id = 42", "keys 42"),
        ("SELECT * FROM t WHERE tenant_id = 42 ORDER BY x LIMIT 5 OFFSET 2", "keys 42"),
        (
            "SELECT count(*), max(x) FILTER (WHERE y) OVER (ORDER BY z) FROM t WHERE tenant_id = 4",
            "keys 4"
        ),
        ("SELECT * FROM ONLY t WHERE tenant_id = 42", "keys 42"),
        ("EXPLAIN ANALYZE SELECT * FROM t WHERE tenant_id = 42", "keys 42"),
        ("DECLARE c CURSOR FOR SELECT * FROM t WHERE tenant_id = 42", "keys 42"),
        ("COPY (SELECT * FROM t WHERE tenant_id = 42) TO STDOUT", "keys 42"),
        (
            "SELECT 1 FROM t WHERE tenant_id = 42; SELECT 2 FROM t WHERE tenant_id = 43",
            "keys 42; keys 43"
        ),
    ]

    @Test(arguments: reads)
    func `a condition gives the key`(_ text: String, _ expected: String) {
        #expect(planning.told(text) == expected, "\(planning.detail(text) ?? "")")
    }

    static let joins: [(String, String)] = [
        ("SELECT * FROM a JOIN b ON a.tenant_id = b.tenant_id WHERE a.tenant_id = 1", "keys 1"),
        ("SELECT * FROM a, b WHERE a.tenant_id = b.tenant_id AND b.tenant_id = 1", "keys 1"),
        ("SELECT * FROM a JOIN b ON a.x = b.x WHERE a.tenant_id = 1", "refused"),
        (
            "SELECT * FROM a JOIN b ON a.x = b.x AND b.tenant_id = 1 WHERE a.tenant_id = 1",
            "keys 1"
        ),
        (
            "SELECT * FROM a JOIN b ON a.x = b.x WHERE a.tenant_id = 1 AND b.tenant_id = 2",
            "keys 1 2"
        ),
        ("SELECT * FROM a JOIN b USING (tenant_id) WHERE tenant_id = 1", "keys 1"),
        (
            "SELECT * FROM a JOIN b USING (tenant_id) JOIN c USING (tenant_id) "
                + "WHERE c.tenant_id = 1",
            "keys 1"
        ),
        ("SELECT * FROM a NATURAL JOIN b WHERE tenant_id = 1", "refused"),
        ("SELECT * FROM users u JOIN t ON t.tenant_id = u.id WHERE u.id = 1", "keys 1"),
        ("SELECT * FROM users u JOIN t ON t.tenant_id = u.tenant_id WHERE u.id = 1", "refused"),
        ("SELECT * FROM a JOIN plans p ON p.id = a.plan WHERE a.tenant_id = 1", "keys 1"),
        // Which table has the column is only known of those in the map.
        ("SELECT * FROM a JOIN plans p ON p.id = a.plan WHERE tenant_id = 1", "refused"),
        ("SELECT * FROM accounts JOIN plans p ON p.id = plan WHERE tenant_id = 1", "keys 1"),
        ("SELECT * FROM a JOIN b ON tenant_id = 1, accounts WHERE accounts.x = 1", "unkeyed"),
        // Outer joins restrict one side.
        (
            "SELECT * FROM a LEFT JOIN b ON a.tenant_id = b.tenant_id WHERE a.tenant_id = 1",
            "keys 1"
        ),
        ("SELECT * FROM a LEFT JOIN b ON a.tenant_id = b.tenant_id AND b.tenant_id = 1", "refused"),
        (
            "SELECT * FROM a LEFT JOIN b ON a.tenant_id = b.tenant_id AND a.tenant_id = 1",
            "unkeyed"
        ),
        (
            "SELECT * FROM a LEFT JOIN b ON a.tenant_id = b.tenant_id WHERE b.tenant_id = 1",
            "refused"
        ),
        (
            "SELECT * FROM a RIGHT JOIN b ON a.tenant_id = b.tenant_id WHERE b.tenant_id = 1",
            "keys 1"
        ),
        (
            "SELECT * FROM a RIGHT JOIN b ON a.tenant_id = b.tenant_id WHERE a.tenant_id = 1",
            "refused"
        ),
        (
            "SELECT * FROM a FULL JOIN b ON a.tenant_id = b.tenant_id WHERE a.tenant_id = 1",
            "refused"
        ),
        ("SELECT * FROM a FULL JOIN b USING (tenant_id) WHERE tenant_id = 1", "refused"),
        ("SELECT * FROM a LEFT JOIN b USING (tenant_id) WHERE tenant_id = 1", "keys 1"),
        ("SELECT * FROM a RIGHT JOIN b USING (tenant_id) WHERE tenant_id = 1", "keys 1"),
        (
            "SELECT * FROM a LEFT JOIN (b JOIN c ON b.tenant_id = c.tenant_id) "
                + "ON a.tenant_id = c.tenant_id WHERE a.tenant_id = 1", "keys 1"
        ),
        (
            "SELECT * FROM (a JOIN b ON a.tenant_id = b.tenant_id) AS j WHERE tenant_id = 1",
            "refused"
        ),
        ("SELECT * FROM a AS x (k) WHERE tenant_id = 1", "refused"),
        ("SELECT * FROM a TABLESAMPLE system (10) WHERE tenant_id = 1", "refused"),
        ("SELECT * FROM a, a AS b WHERE a.tenant_id = 1", "refused"),
        ("SELECT * FROM s.a, r.a WHERE a.tenant_id = 1", "refused"),
        ("SELECT * FROM s.a, r.a WHERE s.a.tenant_id = 1 AND r.a.tenant_id = 1", "refused"),
        ("SELECT * FROM a, generate_series(1, 3) g WHERE a.tenant_id = 1", "keys 1"),
    ]

    @Test(arguments: joins)
    func `a join carries the key where it must`(_ text: String, _ expected: String) {
        #expect(planning.told(text) == expected, "\(planning.detail(text) ?? "")")
    }

    static let nested: [(String, String)] = [
        (
            "SELECT * FROM a WHERE tenant_id = 1 AND x IN (SELECT x FROM b WHERE b.tenant_id = 1)",
            "keys 1"
        ),
        ("SELECT * FROM a WHERE tenant_id = 1 AND x IN (SELECT x FROM b)", "refused"),
        (
            "SELECT * FROM a WHERE tenant_id = 1 AND "
                + "NOT EXISTS (SELECT 1 FROM b WHERE b.tenant_id = a.tenant_id)", "keys 1"
        ),
        // Of the inner table only the catalog knows whether it has the column.
        (
            "SELECT * FROM a WHERE tenant_id = 1 AND EXISTS (SELECT 1 FROM b WHERE tenant_id = 1)",
            "refused"
        ),
        (
            "SELECT * FROM a WHERE tenant_id = 1 "
                + "AND EXISTS (SELECT 1 FROM accounts WHERE tenant_id = 1)", "keys 1"
        ),
        // What a subquery says of its outer table does not restrict that one.
        (
            "SELECT * FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.tenant_id = 1 "
                + "AND a.tenant_id = 1)", "refused"
        ),
        (
            "SELECT * FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.tenant_id = a.tenant_id "
                + "AND b.tenant_id = 1)", "refused"
        ),
        (
            "SELECT (SELECT max(x) FROM b WHERE b.tenant_id = a.tenant_id) FROM a "
                + "WHERE a.tenant_id = 1", "keys 1"
        ),
        ("SELECT * FROM (SELECT * FROM a WHERE tenant_id = 1) s WHERE s.x = 2", "keys 1"),
        ("SELECT * FROM (SELECT * FROM a) s WHERE s.tenant_id = 1", "refused"),
        (
            "SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.tenant_id = a.tenant_id) s "
                + "WHERE a.tenant_id = 1", "keys 1"
        ),
        (
            "SELECT * FROM a, (SELECT * FROM b WHERE b.tenant_id = a.tenant_id) s "
                + "WHERE a.tenant_id = 1", "refused"
        ),
        ("SELECT 1 FROM a WHERE tenant_id = 1 UNION SELECT 2 FROM b WHERE tenant_id = 1", "keys 1"),
        ("SELECT 1 FROM a WHERE tenant_id = 1 UNION SELECT 2 FROM b", "refused"),
        ("WITH b AS (SELECT * FROM a WHERE tenant_id = 1) SELECT * FROM b", "keys 1"),
        ("WITH b AS (SELECT * FROM b WHERE tenant_id = 1) SELECT * FROM b", "keys 1"),
        (
            "WITH c AS (SELECT * FROM b), b AS (SELECT * FROM a WHERE tenant_id = 1) "
                + "SELECT * FROM c",
            "refused"
        ),
        (
            "WITH RECURSIVE r AS (SELECT x FROM a WHERE tenant_id = 1 UNION ALL SELECT x FROM r) "
                + "SELECT * FROM r", "keys 1"
        ),
        ("WITH x AS (SELECT 1) SELECT * FROM public.x", "unkeyed"),
        ("SELECT * FROM (WITH q AS (SELECT 1) SELECT * FROM q) s, q", "unkeyed"),
        (
            "WITH d AS (DELETE FROM a WHERE tenant_id = 1 RETURNING *) SELECT * FROM d",
            "write keys 1"
        ),
        ("WITH d AS (DELETE FROM a RETURNING *) SELECT * FROM d", "write unkeyed"),
        (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM b) THEN 1 END FROM a WHERE tenant_id = 1",
            "refused"
        ),
        ("SELECT array(SELECT x FROM b) FROM a WHERE tenant_id = 1", "refused"),
        ("SELECT * FROM a WHERE tenant_id = 1 ORDER BY (SELECT 1 FROM b)", "refused"),
        ("SELECT * FROM a WHERE tenant_id = 1 LIMIT (SELECT count(*) FROM b)", "refused"),
        ("SELECT coalesce(x, (SELECT 1 FROM b)) FROM a WHERE tenant_id = 1", "refused"),
        (
            "SELECT sum(x) FILTER (WHERE x IN (SELECT 1 FROM b)) FROM a WHERE tenant_id = 1",
            "refused"
        ),
        ("VALUES ((SELECT 1 FROM a))", "unkeyed"),
    ]

    @Test(arguments: nested)
    func `every table anywhere needs a key`(_ text: String, _ expected: String) {
        #expect(planning.told(text) == expected, "\(planning.detail(text) ?? "")")
    }

    @Test(arguments: [
        "SELECT * FROM t", "SELECT * FROM t WHERE x = 1", "SELECT * FROM t WHERE tenant_id > 1",
        "SELECT * FROM t WHERE tenant_id <> 1", "SELECT * FROM t WHERE NOT tenant_id = 1",
        "SELECT * FROM t WHERE tenant_id = 1 OR x = 2",
        "SELECT * FROM t WHERE tenant_id BETWEEN 1 AND 1", "SELECT * FROM t WHERE tenant_id = x",
        "SELECT * FROM t WHERE tenant_id NOT IN (1)",
        "SELECT * FROM t WHERE tenant_id = ALL ('{1}')",
        "SELECT * FROM t WHERE tenant_id IN (1, x)", "SELECT * FROM t WHERE tenant_id = 1 + 1",
        "SELECT * FROM t WHERE tenant_id = (SELECT 1)", "SELECT * FROM t WHERE x.tenant_id = 1",
        "SELECT * FROM t WHERE tenant_id IN (SELECT 1)", "SELECT * FROM t WHERE tenant_id + 0 = 1",
        "SELECT * FROM t WHERE tenant_id = '1'::text::bigint",
        "SELECT * FROM t WHERE +tenant_id = 1",
        "SELECT * FROM t WHERE tenant_id = '1'::numeric", "SELECT * FROM t WHERE tenant_id = true",
        "SELECT * FROM t WHERE tenant_id OPERATOR(x.=) 1",
        "SELECT * FROM t WHERE (tenant_id = 1) IS TRUE",
        "SELECT * FROM t WHERE tenant_id IS NOT DISTINCT FROM 1", "SELECT tenant_id = 1 FROM t",
        "SELECT * FROM t GROUP BY x HAVING tenant_id = 1",
        "SELECT * FROM t WHERE tenant_id::text = '1'",
        "SELECT * FROM t WHERE tenant_id = now()", "SELECT * FROM t AS u WHERE t.tenant_id = 1",
        "SELECT * FROM \"T\" WHERE \"TENANT_ID\" = 1", "SELECT * FROM t WHERE tenant_id = - - 1",
        "SELECT * FROM t WHERE tenant_id = ANY (SELECT 1)", "COPY t TO STDOUT",
    ])
    func `what does not fix the key is no key`(_ text: String) {
        #expect(["unkeyed", "refused"].contains(planning.told(text)))
    }

    @Test(arguments: [
        ("SELECT * FROM t WHERE tenant_id = 1 OR tenant_id = 2", "refused"),
        ("SELECT * FROM t WHERE x = 1 AND (y OR tenant_id > 3)", "refused"),
        ("SELECT * FROM t WHERE x IN (SELECT x FROM t WHERE tenant_id = 2)", "refused"),
        ("SELECT tenant_id, count(*) FROM t GROUP BY 1", "unkeyed"),
        ("SELECT * FROM t JOIN u ON t.tenant_id = u.tenant_id WHERE t.x = 1", "unkeyed"),
    ])
    func `a key that was not understood is not no key`(_ text: String, _ told: String) {
        #expect(planning.told(text) == told)
    }

    static let anywhere: [(String, String)] = [
        ("SELECT 1", "any"), ("SELECT now(), version()", "any"), ("VALUES (1), (2)", "any"),
        ("SELECT * FROM plans p JOIN countries c USING (id) WHERE p.x IN (SELECT 1)", "any"),
        ("SELECT * FROM s.plans", "any"), ("COPY plans TO STDOUT", "any"),
        (
            "SELECT * FROM pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
            "catalog"
        ),
        ("SELECT * FROM information_schema.tables", "catalog"),
        ("SELECT * FROM pg_class, t WHERE t.tenant_id = 1", "keys 1"),
        ("SELECT * FROM pg_mine WHERE x = 1", "unkeyed"), ("", ""), (";", ""),
        ("SELECT * FROM generate_series(1, 5)", "any"),
        ("BEGIN", "session"), ("COMMIT", "session"), ("SAVEPOINT a", "session"),
        ("SET x = 1", "session"), ("SHOW x", "session"), ("FETCH ALL FROM c", "session"),
        ("CLOSE c", "session"), ("DISCARD ALL", "session"), ("DEALLOCATE ALL", "session"),
        ("BEGIN; SELECT * FROM t WHERE tenant_id = 1; COMMIT", "session; keys 1; session"),
    ]

    @Test(arguments: anywhere)
    func `statements without keyed tables go anywhere`(_ text: String, _ expected: String) {
        #expect(planning.told(text) == expected, "\(planning.detail(text) ?? "")")
    }

    @Test(arguments: [
        "SELECT * FROM invoices WHERE customer_id = 1",
        "SELECT * FROM invoices WHERE tenant_id = 1",
        "SELECT my_function(1)", "SELECT * FROM t WHERE tenant_id = 1 AND s.f(x)",
        "SELECT nextval('s')", "SELECT set_config('a', 'b', false)", "SELECT query_to_xml('x')",
        "SELECT pg_advisory_lock(1)", "SELECT * INTO x FROM t WHERE tenant_id = 1",
        "CREATE TABLE x (y int)", "TRUNCATE t", "DROP TABLE t", "VACUUM", "LISTEN x", "CALL p()",
        "DO $$begin end$$", "LOCK t", "PREPARE p AS SELECT 1", "EXECUTE p(1)", "NOTIFY x",
        "MERGE INTO t USING u ON t.x = u.x WHEN MATCHED THEN DELETE", "GRANT ALL ON t TO u",
        "CREATE TABLE x AS SELECT * FROM t WHERE tenant_id = 1", "ALTER TABLE t ADD x int",
        "SELECT * FROM plans FOR UPDATE", "COPY t FROM '/tmp/x'", "COPY plans FROM STDIN",
        "COPY t TO PROGRAM 'x'", "SELEC 1", "SELECT * FROM x.y.t WHERE tenant_id = 1",
        "SELECT * FROM t WHERE tenant_id = 1 AND xmlexists('a' PASSING x)", "SELECT 'a",
        "SELECT 1 /*",
        "SELECT * FROM XMLTABLE('a' PASSING x COLUMNS b int)", "REFRESH MATERIALIZED VIEW x",
    ])
    func `what may concern other shards is refused, and says why`(_ text: String) {
        #expect(planning.told(text).hasSuffix("refused"))
        #expect(planning.detail(text)?.isEmpty == false)
    }

    @Test func `texts that the parser might read otherwise are refused`() {
        func isRefused(_ plan: Plan) -> Bool {
            if case .refused? = plan.statements.first { plan.statements.count == 1 } else { false }
        }
        let backslash = "SELECT * FROM t WHERE tenant_id = 1 AND x = 'a\\b'"
        #expect(!isRefused(planning.plan(backslash)))
        #expect(isRefused(planning.plan(backslash, conforming: false)))
        let umlaut = "SELECT * FROM t WHERE tenant_id = 1 AND x = 'ä'"
        #expect(!isRefused(planning.plan(umlaut)))
        #expect(isRefused(planning.plan(umlaut, isUTF8: false)))
        let long = "SELECT " + String(repeating: "1 + ", count: 6000) + "1"
        #expect(isRefused(planning.plan(long)))
        let deep = "SELECT " + String(repeating: "1 + ", count: 3000) + "1"
        #expect(isRefused(planning.plan(deep)))
        let list = (0..<5000).map(String.init).joined(separator: ", ")
        #expect(!isRefused(planning.plan("SELECT * FROM t WHERE tenant_id IN (\(list))")))
    }

    @Test func `locks and refusals are told apart`() {
        #expect(
            planning.told("SELECT * FROM t WHERE tenant_id = 1 FOR UPDATE") == "write keys 1")
        #expect(planning.told("SELECT * FROM t FOR SHARE") == "write unkeyed")
    }
}
