import Testing

@testable import Sharding

@Suite struct PlannerWriteTests {
    let planning: Planning

    init() throws { planning = try Planning() }

    static let writes: [(String, String)] = [
        ("INSERT INTO t (tenant_id, x) VALUES (1, 2)", "write keys 1"),
        (
            "INSERT INTO t (x, tenant_id) VALUES (2, '1'), (3, 5::bigint), (4, -6)",
            "write keys -6 1 5"
        ),
        ("INSERT INTO t (tenant_id) VALUES (NULL)", "write keys NULL"),
        ("INSERT INTO users (id, tenant_id) VALUES (1, 2)", "write keys 1"),
        (
            "INSERT INTO t (tenant_id, x) VALUES (1, (SELECT max(x) FROM b WHERE b.tenant_id = 1))",
            "write keys 1"
        ),
        (
            "INSERT INTO t (tenant_id, x) VALUES (1, 2) ON CONFLICT (tenant_id, x) DO UPDATE "
                + "SET x = excluded.x + t.x WHERE t.x > 5 RETURNING *", "write keys 1"
        ),
        ("INSERT INTO t AS u (tenant_id) VALUES (1) ON CONFLICT DO NOTHING", "write keys 1"),
        (
            "INSERT INTO t (tenant_id, x) SELECT tenant_id, x FROM a WHERE tenant_id = 1",
            "write keys 1"
        ),
        ("INSERT INTO t (x, tenant_id) SELECT x, 1 FROM plans", "write keys 1"),
        ("INSERT INTO t (tenant_id) SELECT 1", "write keys 1"),
        (
            "INSERT INTO t (tenant_id) SELECT b.tenant_id FROM a JOIN b USING (tenant_id) "
                + "WHERE a.tenant_id = 1", "write keys 1"
        ),
        (
            "WITH n AS (INSERT INTO a (tenant_id) VALUES (1) RETURNING x) "
                + "INSERT INTO b (tenant_id, x) SELECT 1, x FROM n", "write keys 1"
        ),
        ("UPDATE t SET x = 1 WHERE tenant_id = 1", "write keys 1"),
        (
            "UPDATE t SET x = u.x FROM u WHERE t.tenant_id = u.tenant_id AND u.tenant_id = 1",
            "write keys 1"
        ),
        (
            "UPDATE t AS v SET (x, y) = (SELECT 1, 2) WHERE v.tenant_id IN (1, 2) RETURNING v.x",
            "write keys 1 2"
        ),
        ("UPDATE users SET tenant_id = 5 WHERE id = 1", "write keys 1"),
        ("DELETE FROM t WHERE tenant_id = 1", "write keys 1"),
        ("DELETE FROM t USING plans p WHERE t.tenant_id = 1 AND t.plan = p.id", "write keys 1"),
        (
            "DELETE FROM t USING u WHERE t.tenant_id = u.tenant_id AND u.tenant_id = 1",
            "write keys 1"
        ),
        ("EXPLAIN DELETE FROM t WHERE tenant_id = 1", "write keys 1"),
        ("UPDATE t SET x = 1", "write unkeyed"), ("DELETE FROM t WHERE x = 1", "write unkeyed"),
        ("UPDATE t SET x = 1 WHERE tenant_id = 1 OR true", "refused"),
        ("WITH t AS (SELECT 1) UPDATE t SET x = 1", "write unkeyed"),
        ("UPDATE t SET x = 1 FROM u WHERE t.tenant_id = 1", "refused"),
        ("DELETE FROM t USING u WHERE t.tenant_id = 1 AND tenant_id = 2", "refused"),
    ]

    @Test(arguments: writes)
    func `a write gives the key of every row`(_ text: String, _ expected: String) {
        #expect(planning.told(text) == expected, "\(planning.detail(text) ?? "")")
    }

    @Test(arguments: [
        "INSERT INTO t VALUES (1, 2)", "INSERT INTO t (x) VALUES (1)",
        "INSERT INTO t DEFAULT VALUES", "INSERT INTO t (tenant_id) VALUES (DEFAULT)",
        "INSERT INTO t (tenant_id) VALUES (1), (now())", "INSERT INTO t (tenant_id) VALUES (1 + 1)",
        "INSERT INTO t (tenant_id) SELECT x FROM a WHERE tenant_id = 1",
        "INSERT INTO t (tenant_id) SELECT tenant_id FROM a",
        "INSERT INTO t (tenant_id, x) SELECT * FROM a WHERE tenant_id = 1",
        "INSERT INTO t (tenant_id) SELECT NULL FROM a WHERE tenant_id = 1",
        "INSERT INTO t (tenant_id) SELECT 1 UNION SELECT 2",
        "INSERT INTO t (tenant_id.x) VALUES (1)",
        // The key of a row that an outer join made up is NULL, and so is that of a subtotal.
        "INSERT INTO t (tenant_id) SELECT b.tenant_id FROM a LEFT JOIN b ON b.tenant_id = "
            + "a.tenant_id WHERE a.tenant_id = 1",
        "INSERT INTO t (tenant_id) SELECT tenant_id FROM a WHERE tenant_id = 1 GROUP BY "
            + "ROLLUP (tenant_id)",
        "INSERT INTO plans (id) VALUES (1)", "UPDATE plans SET x = 1", "DELETE FROM countries",
        "INSERT INTO pg_class (oid) VALUES (1)",
        "UPDATE t SET tenant_id = 2 WHERE tenant_id = 1",
        "UPDATE t SET (x, tenant_id) = (1, 1) WHERE tenant_id = 1",
        "INSERT INTO t (tenant_id) VALUES (1) ON CONFLICT (x) DO UPDATE SET tenant_id = 2",
        "INSERT INTO t (tenant_id, x) VALUES (1, (SELECT 1 FROM b))",
        "INSERT INTO t (tenant_id) VALUES (1) RETURNING (SELECT 1 FROM b)",
        "INSERT INTO t (tenant_id) VALUES (1) ON CONFLICT (x) DO UPDATE SET x = (SELECT 1 FROM b)",
        "UPDATE t SET x = (SELECT 1 FROM b) WHERE tenant_id = 1",
        "DELETE FROM t WHERE tenant_id = 1 RETURNING (SELECT 1 FROM b)",
        "COPY t (tenant_id, x) FROM STDIN", "DELETE FROM t WHERE CURRENT OF c",
        "UPDATE t SET x = f(x) WHERE tenant_id = 1",
        "INSERT INTO invoices (customer_id) VALUES (1)",
    ])
    func `a write whose rows might lie elsewhere is refused`(_ text: String) {
        #expect(planning.told(text) == "refused")
        #expect(planning.detail(text)?.isEmpty == false)
    }
}
