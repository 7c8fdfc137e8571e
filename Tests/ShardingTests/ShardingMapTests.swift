import Bytes
import Testing

@testable import Sharding

/// A map of three shards with a bigint key, changed by `change`.
func description(
    key: [String] = ["bigint"], _ change: (inout MapDescription) -> Void = { _ in }
) -> MapDescription {
    var description = MapDescription(name: "m", shards: ["s0", "s1", "s2"])
    description.key = key
    description.tables = ["*": key.indices.map { "k\($0)" }]
    change(&description)
    return description
}

/// `values = …` of a place, one column each.
func values(_ numbers: Int..., on shard: String) -> MapDescription.Place {
    var place = MapDescription.Place(shard: shard)
    place.values = numbers.map { [.init("\($0)", isQuoted: false)] }
    return place
}

func names(_ names: String..., on shard: String) -> MapDescription.Place {
    var place = MapDescription.Place(shard: shard)
    place.values = names.map { [.init($0, isQuoted: true)] }
    return place
}

func range(_ from: Int?, _ to: Int?, on shard: String) -> MapDescription.Place {
    var place = MapDescription.Place(shard: shard)
    place.from = from.map { [.init("\($0)", isQuoted: false)] }
    place.to = to.map { [.init("\($0)", isQuoted: false)] }
    return place
}

func remainders(_ numbers: Int..., on shard: String) -> MapDescription.Place {
    var place = MapDescription.Place(shard: shard)
    place.remainders = numbers
    return place
}

@Suite struct ShardingMapTests {
    /// What is wrong, as "place: key: message".
    static let wrong: [(MapDescription, [String])] = [
        (description(key: []), ["key: required: the key's types"]),
        (
            description(key: ["color"]),
            [
                "key: \"color\" is not one of smallint, integer, bigint, text, varchar, uuid, "
                    + "date, timestamp, timestamptz, boolean, bytea, oid"
            ]
        ),
        (
            description { $0.tables = [:] },
            [
                "tables: required: the key columns of each table, or of \"*\""
            ]
        ),
        (
            description { $0.tables = ["t": ["a", "b"]] },
            ["tables: \"t\": 2 columns for a key of 1"]
        ),
        (
            description { $0.tables = ["a.b.c": ["k"]] },
            [
                "tables: \"a.b.c\" is neither TABLE nor SCHEMA.TABLE"
            ]
        ),
        (
            description(key: ["text", "text"]) { $0.tables = ["t": ["a", "a"]] },
            ["tables: \"t\": a column is empty or stands there twice"]
        ),
        (
            description {
                $0.tables = ["t": ["k"]]
                $0.referenceTables = ["t", "u", "u"]
            },
            [
                "reference_tables: \"t\" has a key in tables; it cannot be both",
                "reference_tables: \"u\" stands there twice",
            ]
        ),
        (
            description { $0.unkeyedReads = "all" },
            [
                "unkeyed_reads: \"all\" is not one of refuse, scatter, s0, s1, s2"
            ]
        ),
        (
            description { $0.unkeyedWrites = "scatter" },
            [
                "unkeyed_writes: \"scatter\" is not one of refuse, s0, s1, s2"
            ]
        ),
        (
            description { $0.modulus = -1 },
            [
                "modulus: -1 is out of range; allowed: 0 to 65536"
            ]
        ),
        (
            description { $0.modulus = 4 },
            [
                "modulus: 4 is not a multiple of the 3 shards, so every remainder needs a place; 0 "
                    + "has none"
            ]
        ),
        (
            description {
                $0.modulus = 4
                $0.places = [remainders(0, 1, on: "s0"), remainders(3, on: "s1")]
            },
            [
                "modulus: 4 is not a multiple of the 3 shards, so every remainder needs a place; 2 "
                    + "has none"
            ]
        ),
        (
            description {
                $0.modulus = 6
                $0.places = [remainders(0, 6, on: "s0"), remainders(5, 0, on: "s1")]
            },
            [
                "1: remainders: 6 is out of range; allowed: 0 to 5",
                "2: remainders: 0 stands in place 1 already",
            ]
        ),
        (
            description {
                $0.placement = .list
                $0.modulus = 3
                $0.places = [values(1, on: "s0"), remainders(1, on: "s0")]
            },
            [
                "modulus: only with placement = \"hash\"",
                "2: remainders: only with placement = \"hash\"",
            ]
        ),
        (description { $0.placement = .list }, ["placement: list without a place of values"]),
        (
            description {
                $0.placement = .range
                $0.places = [values(1, on: "s0")]
            }, ["placement: range without a place that has from or to"]
        ),
        (
            description { $0.places = [values(1, 2, on: "s9")] },
            ["1: shard: \"s9\" is not one of s0, s1, s2"]
        ),
        (
            description { $0.places = [values(1, 2, on: "s0"), values(2, on: "s1")] },
            ["2: values: 2 stands in place 1 already"]
        ),
        (
            description { $0.places = [range(10, 20, on: "s0"), values(15, on: "s1")] },
            [
                "2: values: 15 lies in the range of place 1, which comes first; put the exception "
                    + "before it"
            ]
        ),
        (
            description {
                $0.places = [
                    range(10, 20, on: "s0"), range(20, 30, on: "s1"), range(29, nil, on: "s2"),
                    range(nil, 11, on: "s2"),
                ]
            },
            [
                "3: from: the range overlaps that of place 2",
                "4: to: the range overlaps that of place 1",
            ]
        ),
        (
            description { $0.places = [range(20, 20, on: "s0")] },
            ["1: to: 20 is not above from = 20"]
        ),
        (
            description { $0.places = [.init(shard: "s0")] },
            ["1: expected one of values, remainders, or from and to"]
        ),
        (
            description {
                $0.places = [range(1, 2, on: "s0")]
                $0.places[0].remainders = [1]
            },
            ["1: expected one of values, remainders, or from and to"]
        ),
        (
            description { $0.places = [names("42x", on: "s0")] },
            ["1: values: \"42x\" as bigint: not a whole number in decimal digits"]
        ),
        (
            description(key: ["text"]) { $0.places = [values(42, on: "s0")] },
            ["1: values: 42 is text here; quote it"]
        ),
        (
            description(key: ["bigint", "text"]) { $0.places = [values(42, on: "s0")] },
            ["1: values: 42: 1 columns for a key of 2; write a list for each key"]
        ),
        (
            description { $0.placement = .lookup },
            [
                "lookup_database: required because placement is lookup",
                "lookup_query: required because placement is lookup",
            ]
        ),
        (
            description { $0.lookup.query = "SELECT" },
            ["placement: hash, so the keys lookup_… have no use; leave them out"]
        ),
        (
            description {
                $0.placement = .schema
                $0.places = [range(1, 2, on: "s0")]
            },
            [
                "key: the schema's name is the key; leave it out",
                "tables: not with placement by schema, where every table of a schema lies",
                "1: schemas have no ranges; write values",
            ]
        ),
    ]

    @Test(arguments: wrong)
    func `a map that is wrong says where`(_ description: MapDescription, _ expected: [String]) {
        do throws(MapProblems) {
            _ = try ShardingMap(description)
            Issue.record("taken: \(expected)")
        } catch {
            let found = error.problems.map { problem in
                [problem.place.map { "\($0 + 1)" }, problem.key, problem.message]
                    .compactMap(\.self).joined(separator: ": ")
            }
            #expect(found == expected)
        }
    }

    @Test(arguments: [
        "enum", "numeric", "float8", "char", "interval", "jsonb", "timetz", "inet", "NUMERIC",
    ])
    func `types whose hash cannot be known are refused with a reason`(_ type: String) {
        do throws(MapProblems) {
            _ = try ShardingMap(description(key: [type]))
            Issue.record("taken")
        } catch {
            #expect(error.problems.count == 1)
            #expect(error.problems.first?.message.contains("is not one of") == false)
        }
    }

    @Test func `names of types are PostgreSQL's`() throws {
        let map = try ShardingMap(
            description(key: ["int8", "BIGINT", "character varying", "bool"]))
        #expect(map.keyTypes == [.bigint, .bigint, .varchar, .boolean])
    }

    @Test func `a table is known by its name, its schema, or as any other`() throws {
        let map = try ShardingMap(
            description {
                $0.tables = [
                    "*": ["tenant_id"], "users": ["id"], "billing.invoices": ["customer_id"],
                    "billing.lines": ["tenant_id"],
                ]
                $0.referenceTables = ["plans", "geo.countries"]
            })
        func kind(_ schema: String?, _ name: String) -> TableKind {
            map.tables.kind(of: TableName(schema: schema, name))
        }
        #expect(kind(nil, "orders") == .keyed(columns: ["tenant_id"], isSure: false))
        #expect(kind("x", "orders") == .keyed(columns: ["tenant_id"], isSure: false))
        #expect(kind(nil, "users") == .keyed(columns: ["id"], isSure: true))
        #expect(kind("any", "users") == .keyed(columns: ["id"], isSure: true))
        #expect(kind("billing", "invoices") == .keyed(columns: ["customer_id"], isSure: true))
        #expect(kind("other", "invoices") == .keyed(columns: ["tenant_id"], isSure: false))
        #expect(
            kind(nil, "invoices")
                == .ambiguous(TableName(schema: "billing", "invoices"), TableName("invoices")))
        #expect(kind(nil, "lines") == .keyed(columns: ["tenant_id"], isSure: true))
        #expect(kind(nil, "plans") == .reference)
        #expect(kind("geo", "countries") == .reference)
        #expect(kind("other", "countries") == .keyed(columns: ["tenant_id"], isSure: false))
        guard case .ambiguous = kind(nil, "countries") else {
            Issue.record("countries may be another schema's")
            return
        }
    }

    @Test func `without a key for every table the others are unknown`() throws {
        let map = try ShardingMap(description { $0.tables = ["t": ["k"]] })
        #expect(map.tables.kind(of: TableName("u")) == .unknown)
    }
}
