internal import COpenSSL

/// Which versions of TLS are allowed. Source: PgBouncer's `client_tls_protocols`.
struct TLSVersions {
    let min: Int32
    let max: Int32
    /// Options that close the gaps between `min` and `max`.
    let forbidden: UInt64

    private static let known: [(name: String, version: Int32, forbidding: UInt64)] = [
        ("tlsv1.0", TLS1_VERSION, pgweir_no_tls1_0),
        ("tlsv1.1", TLS1_1_VERSION, pgweir_no_tls1_1),
        ("tlsv1.2", TLS1_2_VERSION, pgweir_no_tls1_2),
        ("tlsv1.3", TLS1_3_VERSION, pgweir_no_tls1_3),
    ]

    /// "secure", "all", or names separated by commas or colons, in any case.
    init(parsing text: String) throws(TLSError) {
        var allowed = Set<Int32>()
        for part in text.split(whereSeparator: { $0 == "," || $0 == ":" }) {
            let name = part.filter { $0 != " " }.lowercased()
            switch name {
            case "secure", "default": allowed.formUnion([TLS1_2_VERSION, TLS1_3_VERSION])
            case "all", "legacy": allowed.formUnion(Self.known.map(\.version))
            default:
                guard let version = Self.known.first(where: { $0.name == name })?.version else {
                    throw .protocols(String(part))
                }
                allowed.insert(version)
            }
        }
        guard let min = allowed.min(), let max = allowed.max() else { throw .protocols(text) }
        self.min = min
        self.max = max
        forbidden = Self.known.filter { !allowed.contains($0.version) }
            .reduce(0) { $0 | $1.forbidding }
    }
}
