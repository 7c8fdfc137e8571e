internal import Bytes
internal import Session

/// Statements in places, found by the hash of their definitions. See `SharedStatements`.
struct StatementTable: Sendable {
    struct Place: Sendable {
        var definition: [UInt8] = []
        var facts: SharedFacts?
        var hash: UInt64 = 0
        var isFromSQL = false
        var meaning = StatementMeaning(literals: StatementMeaning.constant, path: 0)
        /// 0 = the place is free.
        var useCount = 0
        /// How often it was taken.
        var generation: UInt64 = 0
        /// The next place with the same bucket; -1 = none.
        var next: Int32 = -1
    }

    private(set) var places: [Place] = []
    private var free: [Int32] = []
    /// The first place of each bucket; a power of two of them.
    private var buckets: [Int32] = Array(repeating: -1, count: 64)

    var count: Int { places.count - free.count }

    /// Where `statement` is, if somebody still uses it.
    func place(of statement: UInt64) -> Int? {
        let place = Int(statement >> 1 & 0xffff_ffff)
        guard place < places.count, places[place].generation == statement >> 33,
            places[place].useCount > 0
        else { return nil }
        return place
    }

    func number(of place: Int) -> UInt64 {
        places[place].generation << 33 | UInt64(place) << 1 | (places[place].isFromSQL ? 1 : 0)
    }

    func interned(_ place: Int) -> InternedStatement {
        InternedStatement(number(of: place), places[place].facts, places[place].meaning)
    }

    private func bucket(of hash: UInt64) -> Int { Int(hash & UInt64(buckets.count - 1)) }

    /// Adds a use of the statement with this definition, if there is one of the same path whose
    /// literals are the same under all settings, or under those of `meaning`. Returns its place.
    mutating func use(
        _ definition: borrowing RawSpan, _ isFromSQL: Bool, _ meaning: StatementMeaning,
        _ hash: UInt64
    ) -> Int? {
        var place = Int(buckets[bucket(of: hash)])
        while place >= 0 {
            if places[place].hash == hash, places[place].isFromSQL == isFromSQL,
                places[place].meaning.path == meaning.path,
                places[place].meaning.literals == StatementMeaning.constant
                    || places[place].meaning == meaning && meaning.isShared,
                places[place].definition.equals(definition)
            {
                places[place].useCount += 1
                return place
            }
            place = Int(places[place].next)
        }
        return nil
    }

    /// Puts in a definition that is not there, used once. Returns its place.
    mutating func add(
        _ definition: [UInt8], _ isFromSQL: Bool, _ meaning: StatementMeaning, _ hash: UInt64,
        _ facts: SharedFacts?
    ) -> Int {
        if count == buckets.count { grow() }
        let place: Int
        if let last = free.popLast() {
            place = Int(last)
        } else {
            places.append(Place())
            place = places.count - 1
        }
        places[place].definition = definition
        places[place].facts = facts
        places[place].hash = hash
        places[place].isFromSQL = isFromSQL
        places[place].meaning = meaning
        places[place].useCount = 1
        // Not 0, so that no number is; 31 bits of it fit.
        places[place].generation = places[place].generation % 0x7fff_ffff + 1
        link(place)
        return place
    }

    mutating func retain(_ statement: UInt64) {
        if let place = place(of: statement) { places[place].useCount += 1 }
    }

    mutating func release(_ statement: UInt64) {
        guard let place = place(of: statement) else { return }
        places[place].useCount -= 1
        guard places[place].useCount == 0 else { return }
        unlink(place)
        places[place].definition = []
        places[place].facts = nil
        free.append(Int32(place))
    }

    private mutating func link(_ place: Int) {
        let bucket = bucket(of: places[place].hash)
        places[place].next = buckets[bucket]
        buckets[bucket] = Int32(place)
    }

    private mutating func unlink(_ place: Int) {
        let bucket = bucket(of: places[place].hash)
        let next = places[place].next
        guard Int(buckets[bucket]) != place else {
            buckets[bucket] = next
            return
        }
        var before = Int(buckets[bucket])
        while Int(places[before].next) != place { before = Int(places[before].next) }
        places[before].next = next
    }

    private mutating func grow() {
        buckets = Array(repeating: -1, count: buckets.count * 2)
        for place in places.indices where places[place].useCount > 0 { link(place) }
    }
}
