/// The exceptions.
extension MapReader {
    mutating func readPlace(_ index: Int) {
        let place = description.places[index]
        guard let shard = shard(place.shard) else {
            return fail("shard", "\"\(place.shard)\" is not one of \(shardNames)", place: index)
        }
        let isRange = place.from != nil || place.to != nil
        let kinds = [place.values != nil, isRange, place.remainders != nil].filter { $0 }.count
        guard kinds == 1 else {
            return fail(nil, "expected one of values, remainders, or from and to", place: index)
        }
        let target = ShardingMap.Listed(shard: shard, place: index)
        if let values = place.values { readValues(values, target) }
        if let remainders = place.remainders { readRemainders(remainders, target) }
        if isRange { readRange(place, target) }
    }

    private mutating func readValues(
        _ values: [[MapDescription.Column]], _ target: ShardingMap.Listed
    ) {
        if values.isEmpty { fail("values", "no values", place: target.place) }
        for columns in values {
            guard let key = key(columns, "values", target.place) else { continue }
            if let first = listed[key] {
                fail(
                    "values", "\(shown(key)) stands in place \(first.place + 1) already",
                    place: target.place)
            } else if let range = ranges.first(where: { $0.contains(key) }) {
                fail(
                    "values",
                    "\(shown(key)) lies in the range of place \(range.place + 1), which comes "
                        + "first; put the exception before it", place: target.place)
            } else {
                listed[key] = target
            }
        }
    }

    private mutating func readRemainders(_ numbers: [Int], _ target: ShardingMap.Listed) {
        guard description.placement == .hash else {
            return fail("remainders", "only with placement = \"hash\"", place: target.place)
        }
        if numbers.isEmpty { fail("remainders", "no remainders", place: target.place) }
        for number in numbers {
            guard remainders.indices.contains(number) else {
                let last = remainders.count - 1
                fail(
                    "remainders", "\(number) is out of range; allowed: 0 to \(last)",
                    place: target.place)
                continue
            }
            if let first = remainders[number] {
                fail(
                    "remainders", "\(number) stands in place \(first.place + 1) already",
                    place: target.place)
            } else {
                remainders[number] = target
            }
        }
    }

    private mutating func readRange(
        _ place: MapDescription.Place, _ target: ShardingMap.Listed
    ) {
        guard description.placement != .schema else {
            return fail(nil, "schemas have no ranges; write values", place: target.place)
        }
        let countBefore = problems.count
        let from = place.from.flatMap { key($0, "from", target.place) }
        let to = place.to.flatMap { key($0, "to", target.place) }
        guard problems.count == countBefore else { return }
        if let from, let to, !from.lexicographicallyPrecedes(to) {
            return fail(
                "to", "\(shown(to)) is not above from = \(shown(from))", place: target.place)
        }
        ranges.append(
            ShardingMap.KeyRange(from: from, to: to, shard: target.shard, place: target.place))
    }

    /// Ranges that share a key are reported; the others are put in order.
    mutating func checkRanges() {
        for (index, range) in ranges.enumerated() {
            guard let other = ranges[..<index].first(where: { $0.overlaps(range) }) else {
                continue
            }
            fail(
                range.from == nil ? "to" : "from",
                "the range overlaps that of place \(other.place + 1)", place: range.place)
        }
        ranges.sort { one, other in
            guard let from = one.from else { return other.from != nil }
            return other.from.map { from.lexicographicallyPrecedes($0) } ?? false
        }
    }

    private mutating func key(
        _ columns: [MapDescription.Column], _ name: String, _ place: Int
    ) -> [KeyValue]? {
        guard columns.count == keyTypes.count else {
            let shown = columns.map(\.text).joined(separator: ", ")
            fail(
                name,
                "\(shown): \(columns.count) columns for a key of \(keyTypes.count)"
                    + (keyTypes.count > 1 ? "; write a list for each key" : ""), place: place)
            return nil
        }
        var key: [KeyValue] = []
        for (column, type) in zip(columns, keyTypes) {
            let isPlain = type.isInteger || type == .oid || type == .boolean
            guard column.isQuoted || isPlain else {
                fail(name, "\(column.text) is \(type.rawValue) here; quote it", place: place)
                return nil
            }
            do throws(KeyProblem) {
                key.append(try KeyValue.read(text: Array(column.text.utf8), as: type))
            } catch {
                fail(name, "\"\(column.text)\" as \(type.rawValue): \(error)", place: place)
                return nil
            }
        }
        return key
    }

    private func shown(_ key: [KeyValue]) -> String {
        let columns = zip(key, keyTypes).map { $0.described(as: $1) }
        return columns.count == 1 ? columns[0] : "(\(columns.joined(separator: ", ")))"
    }
}
