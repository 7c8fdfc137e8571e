// swift-tools-version: 6.3
// The module table: who may import whom. Docs/Architecture.md says what each module is for.
import PackageDescription

/// Swift 6, `unsafe` spelled out, imports explicit, warnings are errors: the same for every module.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// A module and its tests. `uses` is the whole list of what it may import; `vectors` is what its
/// tests read beside their sources.
func module(
    _ name: String, uses: [Target.Dependency] = [], vectors: [String] = []
) -> [Target] {
    [
        .target(name: name, dependencies: uses, swiftSettings: strict),
        .testTarget(
            name: name + "Tests",
            dependencies: [.target(name: name), "TestSupport"] + uses,
            exclude: vectors,
            swiftSettings: strict),
    ]
}

let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let toml = Target.Dependency.product(name: "TOMLKit", package: "TOMLKit")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "pgweir",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/LebJe/TOMLKit.git", from: "0.6.0"),
    ],
    targets: [
        // C shims: what Swift cannot see of a C library; no logic.
        .target(name: "CURing", linkerSettings: [.linkedLibrary("uring")]),
        .target(
            name: "COpenSSL",
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        // The library itself, so that the binary needs no package of that name.
        .target(name: "CPgQuery", linkerSettings: [.linkedLibrary(":libpg_query.a")]),
        .target(name: "TestSupport", dependencies: ["Bytes"], path: "Tests/TestSupport"),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        // Our lexer beside PostgreSQL's scanner.
        .testTarget(
            name: "ScannerTests", dependencies: ["CPgQuery", "SQL", "Bytes", "TestSupport"],
            swiftSettings: strict),
        .executableTarget(
            name: "pgweir",
            dependencies: [
                "Admin", "Configuration", "Worker", "Routing", "EventLoop", "Sharding", "Session",
                "Authentication", "Pooling", "TLS", "Wire", "Bytes", arguments, logging,
            ],
            swiftSettings: strict),
        // What Benchmarks/counts.py counts; nobody else needs it.
        .executableTarget(
            name: "micro",
            dependencies: ["Session", "Pooling", "Sharding", "SQL", "Wire", "Bytes"],
            path: "Benchmarks/Micro",
            swiftSettings: strict),
    ]
        + module("Bytes", uses: [collections])
        + module("Wire", uses: ["Bytes"])
        + module("SQL", uses: ["Bytes"])
        + module("Grammar", uses: ["CPgQuery"])
        + module("Sharding", uses: ["Grammar", "SQL", "Bytes"], vectors: ["Vectors"])
        + module("TLS", uses: ["Bytes", "COpenSSL"])
        + module("Pooling", uses: ["Bytes", collections])
        + module("Authentication", uses: ["Wire", "TLS", "Bytes"])
        + module(
            "Session",
            uses: ["Authentication", "Pooling", "SQL", "Wire", "Bytes", collections])
        + module("Routing", uses: ["Session", "Sharding", "SQL", "Wire", "Bytes"])
        + module("EventLoop", uses: ["Bytes", "CURing"])
        + module(
            "Worker",
            uses: [
                "Routing", "Sharding", "Session", "Authentication", "Pooling", "EventLoop", "TLS",
                "Wire", "Bytes", collections,
            ])
        + module(
            "Configuration",
            uses: [
                "Sharding", "Worker", "Session", "Authentication", "Pooling", "TLS", "Bytes", toml,
            ])
        + module(
            "Admin",
            uses: [
                "Configuration", "Worker", "Routing", "Sharding", "Session", "Pooling",
                "EventLoop", "Wire", "Bytes",
            ])
)
