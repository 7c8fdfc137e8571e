// The query behind `FunctionListing`: one walk over the catalog, on the server.

extension FunctionListing {
    /// The query's text. `mark`: as of the last listing; nothing follows if it is still the same.
    /// `version`: the server's `server_version`.
    ///
    /// `body`: functions that are not in C, `direct`: those that may leave something themselves,
    /// `word`: names in their sources, `found`: all that leads to them, `step`: how.
    static func sql(mark: String, version: String) -> String {
        // Bodies that are no text came with version 14.
        let major = Int(version.prefix { $0.isNumber }) ?? 0
        let source =
            major >= 14
            ? "CASE WHEN p.prosrc = '' THEN pg_get_function_sqlbody(p.oid) ELSE p.prosrc END"
            : "p.prosrc"
        // Compiling the query takes seconds, whatever there is to do.
        let settings = major >= 11 ? "SET LOCAL jit = off; " : ""
        let known = ParameterState.quoted(literal: mark)
        return """
            \(settings)SET LOCAL statement_timeout = 0; SET LOCAL search_path = pg_catalog; \
            WITH RECURSIVE mark AS MATERIALIZED (SELECT \(marks) AS now), \
            body AS MATERIALIZED (SELECT p.oid, p.proname, l.lanname, s.source, \
            lower(s.source) AS low FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang, \
            LATERAL (SELECT \(source) AS source) s \
            WHERE l.lanname NOT IN ('internal', 'c') AND p.pronamespace <> ALL (ARRAY\
            ['pg_catalog'::regnamespace, 'information_schema'::regnamespace]::oid[]) \
            AND (SELECT now FROM mark) <> \(known)), \
            direct AS MATERIALIZED (SELECT oid, proname FROM body \
            WHERE low ~ \(ParameterState.quoted(literal: words))), \
            word AS MATERIALIZED (SELECT DISTINCT b.oid, w.word FROM body b, \
            LATERAL unnest(string_to_array(translate(b.low, \(marksOfText)), ' ')) w (word) \
            WHERE EXISTS (SELECT FROM direct) AND w.word IN (SELECT lower(proname) FROM body \
            UNION SELECT lower(relname) FROM pg_class UNION SELECT lower(typname) FROM pg_type)), \
            found(class, object, name) AS (\
            SELECT 'pg_proc'::regclass::oid, oid, \(name("proname")) FROM direct \
            UNION SELECT n.class, n.object, \(name(names)) \
            FROM found f LEFT JOIN word w ON w.word = f.name, \
            LATERAL (SELECT 'pg_proc'::regclass::oid AS class, w.oid AS object \
            WHERE w.oid IS NOT NULL UNION ALL \(odd) UNION ALL \(uses)) n), \
            step AS (SELECT f.class, f.object, n.class AS to_class, n.object AS to_object \
            FROM found f, LATERAL (\(odd) UNION ALL \(uses)) n UNION ALL \
            SELECT f.class, f.object, 'pg_proc'::regclass, w.oid \
            FROM found f JOIN word w ON w.word = f.name) \
            SELECT 'm' AS kind, now, NULL, NULL, NULL FROM mark \
            UNION ALL SELECT 'o', f.class::regclass || ':' || f.object, f.name, b.lanname, \
            CASE WHEN length(b.source) <= 200000 THEN b.source END \
            FROM found f LEFT JOIN (body b JOIN direct d ON d.oid = b.oid) \
            ON b.oid = f.object AND f.class = 'pg_proc'::regclass \
            UNION ALL SELECT 'e', class::regclass || ':' || object, \
            to_class::regclass || ':' || to_object, NULL, NULL FROM step
            """
    }

    /// Catalogs whose rows are all that the answer depends on. Each row has the number of the
    /// transaction that made it.
    private static var marks: String {
        [
            "pg_proc", "pg_rewrite", "pg_trigger", "pg_attrdef", "pg_policy", "pg_constraint",
            "pg_inherits", "pg_operator", "pg_cast", "pg_event_trigger", "pg_type", "pg_opclass",
        ]
        .map { "(SELECT count(*) || ' ' || coalesce(sum(xmin::text::bigint), 0) FROM \($0))" }
        .joined(separator: " || ' ' || ")
    }

    /// What a body has in it if it can leave something by itself. Wider than what is made of it:
    /// SET where a statement begins, or behind a comment.
    private static let words =
        #"\m(set_config|listen|unlisten|load|prepare|deallocate|discard|execute|create|alter"#
        + #"|temp|temporary|pg_temp\w*|hold|setseed|currval|lastval|call|spi_\w+"#
        + #"|pg_(try_)?advisory_(un)?lock\w*)\M"#
        + #"|(^|;|\m(begin|atomic|then|else|loop)|\*/|--[^\n]*|>>|"|')\s*(set|reset)\M"#

    /// What stands between the words of a source, and as many spaces.
    private static var marksOfText: String {
        let marks = "\t\n\u{b}\u{c}\r!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~"
        return ParameterState.quoted(literal: marks) + ", "
            + ParameterState.quoted(literal: String(repeating: " ", count: marks.utf8.count))
    }

    /// As texts show it: in lower case, quotes doubled.
    private static func name(_ expression: String) -> String {
        "lower(replace(\(expression), '\"', '\"\"'))"
    }

    private static let names =
        "CASE n.class WHEN 'pg_proc'::regclass "
        + "THEN (SELECT proname FROM pg_proc WHERE oid = n.object) "
        + "WHEN 'pg_class'::regclass THEN (SELECT relname FROM pg_class WHERE oid = n.object) "
        + "WHEN 'pg_type'::regclass THEN (SELECT typname FROM pg_type WHERE oid = n.object) END"

    /// Functions in whose source the name of `f` stands, if it is more than a word.
    private static let odd =
        "SELECT 'pg_proc'::regclass::oid AS class, b.oid AS object FROM body b "
        + "WHERE f.name ~ '[^[:alnum:]_]' AND strpos(b.low, f.name) > 0"

    /// What uses `f` by its definition: of tables only rules, policies and bodies; what defaults,
    /// triggers, rules, policies, constraints and indexes belong to; tables whose parts these are;
    /// and those whose changes go on to `f` by a foreign key.
    private static let uses =
        "SELECT d.classid AS class, d.objid AS object FROM pg_depend d "
        + "WHERE d.refclassid = f.class AND d.refobjid = f.object AND d.deptype <> 'e' "
        + "AND (f.class <> 'pg_class'::regclass OR d.classid IN ('pg_rewrite'::regclass, "
        + "'pg_policy'::regclass, 'pg_proc'::regclass)) "
        + "UNION ALL SELECT d.refclassid, d.refobjid FROM pg_depend d "
        + "WHERE d.classid = f.class AND d.objid = f.object AND d.deptype IN ('a', 'i', 'P', 'S') "
        + "AND f.class NOT IN ('pg_proc'::regclass, 'pg_type'::regclass) "
        + "AND (f.class <> 'pg_class'::regclass "
        + "OR EXISTS (SELECT FROM pg_index WHERE indexrelid = f.object)) "
        + "UNION ALL SELECT f.class, i.inhparent FROM pg_inherits i "
        + "WHERE i.inhrelid = f.object AND f.class = 'pg_class'::regclass "
        + "UNION ALL SELECT f.class, c.confrelid FROM pg_constraint c "
        + "WHERE c.conrelid = f.object AND f.class = 'pg_class'::regclass AND c.contype = 'f' "
        + "AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))"
}
