internal import Sharding

extension Kind<[String: [String]]> {
    /// Columns by table: `{ "*" = ["tenant_id"], "billing.invoices" = ["customer_id"] }`.
    static var columnsByTable: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                guard case .table(let pairs) = value else {
                    throw Complaint("expected { TABLE = [COLUMN, …], … }, found \(value.quoted)")
                }
                var columns: [String: [String]] = [:]
                for pair in pairs { columns[pair.name] = try pair.value.list() }
                return columns
            },
            show: { _ in .text("") })
    }
}

extension Kind<[MapDescription.Column]?> {
    /// A key: one value, or a list with one per column.
    static var keyValue: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in try value.keyColumns() },
            show: { _ in .text("") })
    }
}

extension Kind<[[MapDescription.Column]]?> {
    static var keyValues: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                guard case .list(let items) = value else {
                    throw Complaint("expected a list of keys, found \(value.quoted)")
                }
                var keys: [[MapDescription.Column]] = []
                for item in items { keys.append(try item.keyColumns()) }
                return keys
            },
            show: { _ in .text("") })
    }
}

extension Kind<[Int]?> {
    static var remainders: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                guard case .list(let items) = value else {
                    throw Complaint("expected a list of remainders, found \(value.quoted)")
                }
                var numbers: [Int] = []
                for item in items { numbers.append(try item.integer(in: 0...65_535)) }
                return numbers
            },
            show: { _ in .text("") })
    }
}

extension WrittenValue {
    fileprivate func keyColumns() throws(Complaint) -> [MapDescription.Column] {
        guard case .list(let items) = self else { return [try keyColumn()] }
        var columns: [MapDescription.Column] = []
        for item in items { columns.append(try item.keyColumn()) }
        return columns
    }

    private func keyColumn() throws(Complaint) -> MapDescription.Column {
        switch self {
        case .integer(let number): .init("\(number)", isQuoted: false)
        case .boolean(let isTrue): .init("\(isTrue)", isQuoted: false)
        case .string(let text), .bare(let text): .init(text, isQuoted: true)
        case .number, .list, .table, .unfitting:
            throw Complaint("expected a whole number or text in quotes, found \(quoted)")
        }
    }
}
