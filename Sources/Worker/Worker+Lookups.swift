internal import Bytes
internal import EventLoop
internal import Routing
internal import Session
internal import Sharding
internal import Wire

// Keys whose shard another database knows. It is asked as a client of this process asks it: over a
// pair of sockets, through its pool. What it said is kept (`LookupCache`).

/// A connection of this worker that asks questions; closed when it has no more.
final class LookupLine {
    let generation: UInt32
    /// The asking end.
    let socket: Int32
    let database: String
    let user: String
    var conversation = LookupConversation()
    var held = ByteBuffer()
    var unsent = ByteBuffer()
    /// Not answered yet, oldest first.
    var asked: [(question: LookupCache.Question, settings: LookupSettings)] = []

    init(generation: UInt32, socket: Int32, database: String, user: String) {
        self.generation = generation
        self.socket = socket
        self.database = database
        self.user = user
    }
}

/// A question that is to be asked after the event that it came up in.
struct NewLookup {
    let question: LookupCache.Question
    let settings: LookupSettings
    let user: String
    let values: [[UInt8]?]
}

/// What this worker has asked and not heard yet.
struct Lookups {
    var new: [NewLookup] = []
    /// By place; the token's slot.
    var lines: [LookupLine?] = []
    var generation: UInt32 = 0
    var waiting: [LookupCache.Question: [ClientID]] = [:]
}

/// What is known of where some keys are.
enum LookupResult {
    case shard(Int)
    case refused(Refusal)
    /// Its client is looked at again when the answer is there.
    case asked
}

extension Worker where Loop: ~Copyable {
    /// Where `keys` are; asks for what is not known.
    mutating func lookUp(
        _ slot: Int, _ shards: Box<ClientShards>, _ settings: LookupSettings, _ keys: [[KeyValue?]]
    ) -> LookupResult {
        if let failure = shards.value.lookupFailure {
            shards.value.lookupFailure = nil
            return .refused(failure)
        }
        let router = shards.value.route.router.router
        var found: (shard: Int, key: [KeyValue?])?
        var isAsked = false
        let now = now
        for key in keys {
            let (question, known) = service.lookups.withLock {
                let question = $0.question(router.map.name, key)
                return (question, $0.shard(question, settings, at: now))
            }
            guard let known else {
                note(question, settings, for: slot, router)
                isAsked = true
                continue
            }
            switch router.shard(named: known, for: key) {
            case .failure(let refusal): return .refused(refusal)
            case .success(let shard):
                if let found, found.shard != shard {
                    return .refused(router.severalShards(found.key, found.shard, key, shard))
                }
                found = (shard, key)
            }
        }
        guard !isAsked, let found else { return .asked }
        return .shard(found.shard)
    }

    /// The client will hear of it. Nothing is sent now: what the event has written for others is
    /// still in the worker's buffers.
    private mutating func note(
        _ question: LookupCache.Question, _ settings: LookupSettings, for slot: Int,
        _ router: Router
    ) {
        let id = clients[slot].id
        if var others = lookups.waiting[question] {
            if !others.contains(id) { others.append(id) }
            lookups.waiting[question] = others
            return
        }
        lookups.waiting[question] = [id]
        let values = zip(question.key, router.map.keyTypes).map { value, type in
            value?.parameterText(as: type)
        }
        lookups.new.append(
            NewLookup(
                question: question, settings: settings, user: clients[slot].user, values: values))
    }

    /// Asks what has come up.
    mutating func askLookups() {
        guard !lookups.new.isEmpty else { return }
        let new = lookups.new
        lookups.new.removeAll()
        for lookup in new {
            guard let line = line(to: lookup.settings.database, as: lookup.user) else {
                answered(
                    lookup.question, lookup.settings,
                    .failed("no room for another connection to \(lookup.settings.database)"))
                continue
            }
            line.asked.append((lookup.question, lookup.settings))
            LookupConversation.ask(lookup.settings.query, lookup.values, to: &line.unsent)
            sendUnsent(line)
        }
    }

    private mutating func sendUnsent(_ line: LookupLine) {
        guard !line.unsent.isEmpty else { return }
        let sent = loop.send(line.unsent.bytes, on: line.socket)
        if sent > 0 { line.unsent.consume(sent) }
    }

    /// This worker's line to `database`, opened if there is none.
    private mutating func line(to database: String, as user: String) -> LookupLine? {
        for case let line? in lookups.lines where line.database == database && line.user == user {
            return line
        }
        guard let pair = Sockets.pair() else { return nil }
        lookups.generation &+= 1
        let line = LookupLine(
            generation: lookups.generation, socket: pair.0, database: database, user: user)
        let place = lookups.lines.firstIndex { $0 == nil } ?? lookups.lines.count
        if place == lookups.lines.count { lookups.lines.append(nil) }
        lookups.lines[place] = line
        armLookupReceive(place, line)
        service.clientCounts.withLock { $0[Int(index)] += 1 }
        addClient(socket: pair.1, isUnix: true, asks: (database, user))
        return line
    }

    private mutating func armLookupReceive(_ place: Int, _ line: LookupLine) {
        loop.receive(
            on: line.socket,
            token: Token(
                kind: Kind.lookupReceive.rawValue, slot: UInt32(place),
                generation: line.generation),
            isMultishot: false)
    }

    mutating func lookupReceived(_ place: Int, _ completion: Completion) {
        guard lookups.lines.indices.contains(place), let line = lookups.lines[place],
            line.generation == completion.token.generation
        else {
            if let buffer = completion.buffer { loop.recycle(buffer) }
            return
        }
        guard let buffer = completion.buffer, completion.result > 0 else {
            if completion.result == -105 { return armLookupReceive(place, line) }
            return end(place, line, line.conversation.reason)
        }
        line.held.append(loop.bytes(in: buffer))
        loop.recycle(buffer)
        var offset = 0
        let answers = line.conversation.received(line.held.bytes, from: &offset)
        line.held.consume(offset)
        guard let answers else { return end(place, line, line.conversation.reason) }
        for answer in answers {
            guard !line.asked.isEmpty else { break }
            let (question, settings) = line.asked.removeFirst()
            answered(question, settings, answer)
        }
        if line.asked.isEmpty { return end(place, line, "") }
        sendUnsent(line)
        armLookupReceive(place, line)
    }

    /// Closes a line; who still waits for it is told `reason`.
    private mutating func end(_ place: Int, _ line: LookupLine, _ reason: String) {
        lookups.lines[place] = nil
        Sockets.shutdown(line.socket)
        loop.close(line.socket)
        for (question, settings) in line.asked { answered(question, settings, .failed(reason)) }
    }

    private mutating func answered(
        _ question: LookupCache.Question, _ settings: LookupSettings, _ answer: LookupAnswer
    ) {
        let waiting = lookups.waiting.removeValue(forKey: question) ?? []
        if case .shard(let name?) = answer {
            let now = now
            service.lookups.withLock { $0.keep(name, question, settings, at: now) }
        }
        for client in waiting where isClient(Int(client.slot), client.generation) {
            let slot = Int(client.slot)
            guard let shards = clients[slot].shards else { continue }
            let router = shards.value.route.router.router
            switch answer {
            case .shard(let name):
                if case .failure(let refusal) = router.shard(named: name, for: question.key) {
                    shards.value.lookupFailure = refusal
                }
            case .failed(let reason):
                shards.value.lookupFailure = Refusal(
                    "the shard of this key could not be looked up",
                    detail: "\(router.shown(question.key)): \(reason).",
                    hint: "lookup_query of map \(router.map.name) runs on database "
                        + "\(settings.database).")
            }
            resumeAfterLookup(slot)
        }
    }

    private mutating func resumeAfterLookup(_ slot: Int) {
        switch clients[slot].phase {
        case .asking:
            clients[slot].phase = .idle
        case .linked:
            guard clients[slot].isStalled else { return }
            clients[slot].isStalled = false
        case .login, .greeting, .proving, .idle, .waiting, .console, .closing:
            return
        }
        let id = clients[slot].id
        useHeld(slot)
        if isClient(slot, id.generation), !mustPause(slot) { armClientReceive(slot) }
    }
}
