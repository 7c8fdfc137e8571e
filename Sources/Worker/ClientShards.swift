internal import Bytes
internal import EventLoop
internal import Pooling
internal import Routing
internal import Session
internal import Sharding
internal import Wire

/// A client whose database is on several shards: where its statements go, and its pools. Used by
/// its worker only.
struct ClientShards: ~Copyable {
    var route: ClientRoute
    /// Name of the map.
    private(set) var map: String
    /// The pool that it is counted in, and that statements without a shard go to.
    private(set) var home: Pool?
    private(set) var homeShard = 0
    /// By shard; nil = not used yet.
    private var pools: [Pool?]
    /// Which shard the server is of, or the one that is waited for.
    var linked = 0
    /// The server was just linked: nothing was sent to it.
    var isFresh = false
    /// The server is to be given up for one of another shard.
    var isMoving = false
    /// Its answers were asked for, so that it can be given up.
    var hasFlushed = false
    /// What a look-up has said that is no shard; for the next message.
    var lookupFailure: Sharding.Refusal?
    /// What the bytes in front of it are about, from before it was linked; and where they began.
    private var approved: Box<Survey>?
    /// The same, if it was recognised.
    private var recognised: RecognisedBatch?
    private var approvedStart = 0

    init(_ route: consuming ClientRoute, map: String) {
        pools = Array(repeating: nil, count: route.router.router.shardCount)
        self.route = route
        self.map = map
    }

    /// `pool` is of `shard` and counts the client.
    mutating func settle(in pool: Pool, shard: Int) {
        home = pool
        homeShard = shard
        pools[shard] = pool
    }

    /// The pool of `shard`, if it was used before.
    func pool(of shard: Int) -> Pool? { pools.indices.contains(shard) ? pools[shard] : nil }

    /// The pool of `shard`, made when it is not there yet; nil = it is configured no more.
    mutating func makePool(
        of shard: Int, _ settings: ServiceSettings, _ service: Service
    ) -> Pool? {
        guard pools.indices.contains(shard), let home else { return nil }
        let name = route.router.router.map.shards[shard]
        guard
            let profile = settings.profile(
                database: home.database, user: home.user, shard: name)
        else { return nil }
        let pool = service.pool(for: profile)
        pools[shard] = pool
        return pool
    }

    /// Another map holds. Other shards may have these numbers from now on.
    mutating func use(_ router: MessageRouter, map: String) {
        self.map = map
        route.use(router)
        let names = router.router.map.shards
        pools = Array(repeating: nil, count: names.count)
        homeShard = 0
        if let home, let shard = names.firstIndex(where: { $0 == home.shard }) {
            settle(in: home, shard: shard)
        }
    }

    /// The map has changed, and the client keeps its server, which is of `pool`.
    mutating func keep(_ pool: Pool) {
        linked = route.router.router.map.shards.firstIndex { $0 == pool.shard } ?? -1
    }

    /// The bytes from `start` on will be `survey` when there is a server.
    mutating func approve(_ survey: consuming Survey, from start: Int) {
        approved = Box(survey)
        recognised = nil
        approvedStart = start
    }

    mutating func approve(_ batch: RecognisedBatch, from start: Int) {
        recognised = batch
        if approved != nil { approved = nil }
        approvedStart = start
    }

    /// What the bytes from `offset` on are, if they are recognised, or were before.
    mutating func takeRecognised(
        _ bytes: borrowing RawSpan, at offset: Int, _ session: inout ClientSession
    ) -> RecognisedBatch? {
        if let known = recognised {
            recognised = nil
            return known.moved(by: offset - approvedStart)
        }
        guard approved == nil, !route.awaitsAnswer else { return nil }
        return recognise(bytes, at: offset, &session)
    }

    /// What the bytes from `offset` on are, if they are recognised.
    func recognise(
        _ bytes: borrowing RawSpan, at offset: Int, _ session: inout ClientSession
    ) -> RecognisedBatch? {
        guard !route.isHinted, !route.isChanged else { return nil }
        return route.router.recognise(bytes, from: offset, &session)
    }

    /// What was found before, if anything, with the bytes from `offset` on.
    mutating func takeApproved(at offset: Int) -> Survey? {
        guard let approved else { return nil }
        self.approved = nil
        var known = approved.value
        known.move(by: offset - approvedStart)
        return known
    }

    static func isHint(_ parameter: String) -> Bool {
        parameter == "pgweir.key" || parameter == "pgweir.shard"
    }

    /// What a parameter of that name says: `isHint`.
    static func hint(
        _ parameter: String, _ value: String
    ) -> Result<KeyHint, Sharding.Refusal> {
        parameter == "pgweir.key" ? KeyHint.key(value) : KeyHint.shard(value)
    }
}

extension Worker where Loop: ~Copyable {
    /// This worker's reader for the map called `name`.
    mutating func messageRouter(_ name: String) -> MessageRouter? {
        guard let router = settings.sharding.routers[name] else { return nil }
        if let known = routers[name], known.router === router { return known }
        let made = MessageRouter(router)
        routers[name] = made
        return made
    }

    /// For a client that logs in; nil = its database is on one server.
    mutating func clientShards(_ request: StartupRequest) throws(ErrorReply) -> Box<ClientShards>? {
        guard
            case .map(let map, _)? = settings.destination(
                database: request.database, user: request.user),
            let router = messageRouter(map)
        else { return nil }
        var hint: KeyHint?
        for parameter in request.parameters where ClientShards.isHint(parameter.name) {
            switch ClientShards.hint(parameter.name, parameter.value) {
            case .failure(let refusal): throw ErrorReply(.fatal, refusal)
            case .success(let found): hint = found
            }
            if let hint, case .refused(let refusal) = router.router.route(hint) {
                throw ErrorReply(.fatal, refusal)
            }
        }
        return Box(ClientShards(ClientRoute(router, startupHint: hint), map: map))
    }
}
