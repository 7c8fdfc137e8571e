internal import Bytes
public import Session
internal import Sharding
internal import Wire

/// Messages that end with a Query or a Sync, of which one says where all belong.
///
///     │ Parse │ Bind with a key │ Describe │ Execute │ Sync │
///     └──────── keyEnd ─────────┘                    end ──┘
public struct RecognisedBatch: Sendable {
    public let shard: Int
    /// Behind the message that says it.
    public let keyEnd: Int
    public private(set) var end: Int

    /// The same bytes have another place.
    public func moved(by distance: Int) -> RecognisedBatch {
        RecognisedBatch(shard: shard, keyEnd: keyEnd + distance, end: end + distance)
    }
}

// Nearly everything that a routed client sends: one statement whose like was seen before. A survey
// would say the same of it, and cost more.

extension MessageRouter {
    /// What begins at `offset`, if it is one statement that is recognised, and all there; nil = it
    /// needs a survey. Not for a client that has said where its statements belong, or may take that
    /// back. `session` is not changed; a borrowed one would be copied.
    public func recognise(
        _ bytes: borrowing RawSpan, from offset: Int, _ session: inout ClientSession
    ) -> RecognisedBatch? {
        guard let first = Message(bytes, at: offset), first.isWhole else { return nil }
        switch first.tag {
        case ClientTag.query:
            guard case .shard(let shard)? = recognise(query: first, bytes) else { return nil }
            return RecognisedBatch(shard: shard, keyEnd: first.end, end: first.end)
        case ClientTag.parse:
            guard let parse = Self.parse(first, bytes),
                let found = statements.recognise(bytes, in: parse.text(bytes)),
                let second = Message(bytes, at: first.end), second.isWhole,
                second.tag == ClientTag.bind, let bind = Bind(second, bytes),
                bytes.extracting(parse.name).equals(bytes.extracting(bind.name)),
                case .shard(let shard)? = self.route(found, parse, bind, bytes, session)
            else { return nil }
            return batch(to: shard, from: second, bytes)
        case ClientTag.bind:
            guard let bind = Bind(first, bytes),
                let number = session.statement(named: bytes.extracting(bind.name)),
                case .shard(let shard)? = self.route(number, bind, bytes, session)
            else { return nil }
            return batch(to: shard, from: first, bytes)
        default:
            return nil
        }
    }

    /// The batch whose Bind for `shard` is `bind`, if it holds no more statements.
    private func batch(
        to shard: Int, from bind: Message, _ bytes: borrowing RawSpan
    ) -> RecognisedBatch? {
        var end = bind.end
        while let message = Message(bytes, at: end), message.isWhole {
            end = message.end
            if message.tag == ClientTag.sync {
                return RecognisedBatch(shard: shard, keyEnd: bind.end, end: end)
            }
            guard message.isOfBatch else { return nil }
        }
        return nil
    }

    /// Where a Query goes.
    func recognise(query message: Message, _ bytes: borrowing RawSpan) -> RecognisedRoute? {
        // What stands behind the zero is an error, which the server finds.
        guard let end = bytes.firstOffset(of: 0, in: message.body),
            end + 1 == message.body.upperBound
        else { return nil }
        return statements.recognise(bytes, in: message.body.lowerBound..<end)
    }

    /// Where a Bind of `parse` goes, which is `found`; nil = that needs a closer look.
    func route(
        _ found: RecognisedRoute, _ parse: Parsed, _ bind: Bind, _ bytes: borrowing RawSpan,
        _ session: borrowing ClientSession
    ) -> RecognisedRoute? {
        guard case .parameter(let key) = found else { return found }
        let declared = ParameterTypes.declared(
            key.number, bytes, behind: parse.text(bytes).upperBound, parse.definition.upperBound)
        return self.route(key, declared: declared, bind, bytes, session)
    }

    /// Where a Bind of the statement `number` goes, if that was learnt.
    func route(
        _ number: UInt64, _ bind: Bind, _ bytes: borrowing RawSpan,
        _ session: borrowing ClientSession
    ) -> RecognisedRoute? {
        let keyed = keyParameters[number]
        guard let key = keyed.key else { return nil }
        return self.route(key, declared: keyed.declared, bind, bytes, session)
    }

    private func route(
        _ key: KeyParameter, declared: UInt32, _ bind: Bind, _ bytes: borrowing RawSpan,
        _ session: borrowing ClientSession
    ) -> RecognisedRoute? {
        guard session.isUTF8, session.readsConformingStrings,
            let value = BoundValues.find(key.number, bytes, in: bind.values),
            let found = router.route(
                key, bytes, in: value.range, isBinary: value.isBinary, declared: declared)
        else { return nil }
        switch found {
        case .shard(let shard, _): return .shard(shard)
        case .anyShard: return .anyShard
        case .everyShard, .session, .lookup, .refused: return nil
        }
    }
}

/// Where the parts of a Bind stand.
struct Bind {
    /// Of the statement; empty = the one without a name.
    let name: Range<Int>
    /// Formats and values of the parameters, and what follows them.
    let values: Range<Int>

    /// nil = it is malformed.
    init?(_ message: Message, _ bytes: borrowing RawSpan) {
        guard let portalEnd = bytes.firstOffset(of: 0, in: message.body),
            let nameEnd = bytes.firstOffset(of: 0, in: portalEnd + 1..<message.body.upperBound)
        else { return nil }
        name = portalEnd + 1..<nameEnd
        values = nameEnd + 1..<message.body.upperBound
    }
}

/// Which parameter decides where a statement goes, if one does. Places for some; of two statements
/// with one place, the one that was learnt last.
struct KeyParameters {
    struct Keyed {
        let statement: UInt64
        /// nil = there is more to it.
        let key: KeyParameter?
        /// Its type in Parse.
        let declared: UInt32
    }

    private var places: [Keyed]

    init(placeCount: Int = 4096) {
        places = Array(
            repeating: Keyed(statement: 0, key: nil, declared: 0), count: placeCount)
    }

    private func place(of statement: UInt64) -> Int {
        // The number of the statement's own place is in the lower half.
        Int(truncatingIfNeeded: (statement >> 1) % UInt64(places.count))
    }

    /// What is known of `statement`, which is never 0.
    subscript(_ statement: UInt64) -> Keyed {
        let keyed = places[place(of: statement)]
        return keyed.statement == statement
            ? keyed : Keyed(statement: 0, key: nil, declared: 0)
    }

    mutating func learn(_ keyed: Keyed) { places[place(of: keyed.statement)] = keyed }
}
