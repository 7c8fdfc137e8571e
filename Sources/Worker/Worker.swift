internal import Authentication
internal import Bytes
public import EventLoop
internal import HeapModule
internal import Pooling
internal import Routing
internal import Session
internal import TLS
internal import Wire

/// One thread: its ring, its clients, and the servers that are linked to them. The only place
/// where bytes are moved and where what the machines decide is done.
///
/// Entry points are completions, mail and timers; each runs to its end before the next. Never
/// blocks outside of `EventLoop.turn`.
public struct Worker<Loop: EventLoop & ~Copyable>: ~Copyable {
    let index: UInt8
    let service: Service
    let mailbox: Mailbox<Mail>
    let clients: Slab<Client>
    var clientSlots: SlotAllocator
    let servers: Slab<Server>
    /// The service's, as sessions know them; see Docs/Decisions on why not by its class.
    let statements: any StatementStore
    let cancels: Slab<CancelErrand>
    var cancelSlots: SlotAllocator
    var timers: Heap<Timer> = []
    var now: Instant
    /// Written by sessions, sent, emptied: one each way for all connections of this worker.
    var toServer = Outgoing()
    var toClient = Outgoing()
    var plain = ByteBuffer()
    var cipher = ByteBuffer()
    /// Stands in for the client that an orphaned server has no more.
    var nobody = ClientSession(lengthMax: 4, parameters: .empty, sharesServers: true)
    var listeners: [Listener] = []
    var lookups = Lookups()
    var randomBytes = RandomBytes()
    /// Receives that found no buffer, to be armed again when some are back.
    var starvedClients: [ClientID] = []
    var starvedServers: [ServerID] = []
    /// Channels of this worker's clients.
    var channelTables: [PoolID: ChannelTable] = [:]
    /// Places of the pools' listeners that are this worker's.
    var listenerSlots: [PoolID: Int] = [:]
    var scramSecrets: [String: ScramSecret] = [:]
    /// By the map's name; with the plans that this worker has made.
    var routers: [String: MessageRouter] = [:]
    /// As of the last reload; see `reloaded`.
    var settings: ServiceSettings
    /// By the pool's place; nil = not asked for yet.
    var poolLimits: [PoolLimits?] = []
    /// Whether any of them makes something due of clients that do not wait.
    var watchesClients = false
    var isStopped = false
    private var mails: [Mail] = []
    /// The last field, so that the places of the others do not depend on what it is.
    var loop: Loop

    struct Listener {
        let socket: Int32
        let isUnix: Bool
    }

    /// Makes the worker on the thread that will run it.
    public init(index: UInt8, service: Service, loop: consuming Loop, mailbox: Mailbox<Mail>) {
        self.index = index
        self.service = service
        self.mailbox = mailbox
        settings = service.settings
        let capacity = min(1 << 20, max(16_384, settings.clientsMax * 2))
        clients = Slab(capacity: capacity)
        clientSlots = SlotAllocator(capacity: capacity)
        servers = service.servers
        statements = WorkerStatements(service.statements)
        cancels = Slab(capacity: 4096)
        cancelSlots = SlotAllocator(capacity: 4096)
        now = loop.now()
        self.loop = loop
    }

    /// What a token's kind says: which table its slot is of, and which operation it was.
    enum Kind: UInt8 {
        case accept = 1
        case clientReceive
        case clientWritable
        case clientHangUp
        case serverReceive
        case serverWritable
        case serverHangUp
        case serverConnect
        case cancelConnect
        case cancelReceive
        case lookupReceive
    }

    /// Accepts on `socket` from now on.
    public mutating func listen(on socket: Int32, isUnix: Bool) {
        listeners.append(Listener(socket: socket, isUnix: isUnix))
        armAccept(listeners.count - 1)
    }

    /// Runs until told to stop.
    public mutating func run() {
        if index == 0 { addTimer(.janitor, at: now + .milliseconds(100)) }
        while !isStopped {
            let deadline = timers.min?.deadline ?? .never
            loop.turn(until: deadline, isPollOnly: !mailbox.isEmpty)
            now = loop.now()
            readMail()
            while let completion = loop.nextCompletion() {
                handle(completion)
                dropLeftovers()
            }
            runTimers()
            dropLeftovers()
            askLookups()
            dropLeftovers()
            armStarved()
        }
        closeAll()
    }

    /// What an event wrote must have been sent with it: afterwards nobody knows for whom it was,
    /// and the next one must not get it.
    private mutating func dropLeftovers() {
        guard !toServer.isEmpty || !toClient.isEmpty else { return }
        assertionFailure("bytes were written and not sent")
        service.log(.error, "worker \(index): bytes of nobody were dropped: a defect of ours")
        toServer.removeAll()
        toClient.removeAll()
    }

    private mutating func readMail() {
        guard !mailbox.isEmpty else { return }
        mailbox.drain(into: &mails)
        for mail in mails {
            handle(mail)
            dropLeftovers()
        }
        mails.removeAll(keepingCapacity: true)
    }

    private mutating func handle(_ completion: Completion) {
        let token = completion.token
        let slot = Int(token.slot)
        guard let kind = Kind(rawValue: token.kind) else { return recycle(completion) }
        switch kind {
        case .accept:
            accepted(completion, on: slot)
        case .clientReceive:
            guard isClient(slot, token.generation) else { return recycle(completion) }
            clientReceived(slot, completion)
        case .clientWritable:
            guard isClient(slot, token.generation) else { return }
            clients[slot].isPollingWritable = false
            clientWritable(slot)
        case .clientHangUp:
            guard isClient(slot, token.generation) else { return }
            clients[slot].isPollingHangUp = false
            if completion.result > 0 { closeClient(slot, nil) }
        case .serverReceive:
            guard isServer(slot, token.generation) else { return recycle(completion) }
            serverReceived(slot, completion)
        case .serverWritable:
            guard isServer(slot, token.generation) else { return }
            servers[slot].isPollingWritable = false
            serverWritable(slot)
        case .serverHangUp:
            serverHungUp(slot, token.generation)
        case .serverConnect:
            guard isServer(slot, token.generation) else { return }
            serverConnected(slot, completion.result)
        case .cancelConnect, .cancelReceive:
            guard cancelSlots.isCurrent(slot: slot, generation: token.generation) else {
                return recycle(completion)
            }
            cancelProgressed(slot, completion)
        case .lookupReceive:
            lookupReceived(slot, completion)
        }
    }

    private mutating func recycle(_ completion: Completion) {
        if let buffer = completion.buffer { loop.recycle(buffer) }
    }

    func isClient(_ slot: Int, _ generation: UInt32) -> Bool {
        clientSlots.isCurrent(slot: slot, generation: generation) && clients.isTaken(slot)
    }

    /// Whether the server in `slot` is the one meant, and this worker's.
    func isServer(_ slot: Int, _ generation: UInt32) -> Bool {
        servers.isTaken(slot) && servers[slot].id.generation == generation
            && servers[slot].worker == index && servers[slot].phase != .idle
    }

    private mutating func handle(_ mail: Mail) {
        switch mail {
        case .accepted(let socket, let isUnix):
            addClient(socket: socket, isUnix: isUnix)
        case .granted(let server, let client):
            granted(server, to: client)
        case .refused(let client, let ticket, let reply):
            refused(client, ticket, reply)
        case .holders(let desk):
            nameHolders(desk)
        case .resolved(let server, let addresses, let failure):
            guard isServer(Int(server.slot), server.generation) else { return }
            serverResolved(Int(server.slot), addresses, failure)
        case .cancel(let processID, let key):
            cancelAsked(processID: processID, key: key)
        case .reloaded:
            reloaded()
        case .open(let pool):
            openServers(of: pool)
        case .close(let closing):
            for server in closing { takeOverAndClose(server) }
        case .consoleReply(let client, let bytes):
            consoleReplied(client, bytes)
        case .report(let desk):
            desk.add(
                desk.wantsClients ? clientReports() : [], serverReports(),
                clientPlaceCount: clientSlots.highestCount)
        case .kill(let client, let reply):
            guard isClient(Int(client.slot), client.generation) else { return }
            closeClient(Int(client.slot), reply)
        case .channelsChanged(let pool):
            giveNextOrder(pool)
        case .closeListener(let pool):
            closeUnusedListener(pool)
        case .channelsHeard(let pool):
            channelsHeard(pool)
        case .notifications(let pool, let notifications):
            deliver(notifications, of: pool)
        case .listenerSawMark(let client, let number):
            guard isClient(Int(client.slot), client.generation) else { return }
            clients[Int(client.slot)].session.channels?.listenerSawMark(number)
        case .askListener(let pool, let client):
            listenerAsked(pool, by: client)
        case .listenerAnswered(let client):
            guard isClient(Int(client.slot), client.generation) else { return }
            listenerAnswered(Int(client.slot))
        case .listenerLost(let pool, let reason):
            listenerLost(pool, reason)
        case .stopListening:
            stopListening()
        case .drain(let reply):
            drain(reply)
        case .stop:
            isStopped = true
        }
    }

    private mutating func refused(_ client: ClientID, _ ticket: UInt64?, _ reply: ErrorReply) {
        let slot = Int(client.slot)
        guard isClient(slot, client.generation) else { return }
        switch clients[slot].phase {
        case .waiting(let own, _), .greeting(let own, _):
            if ticket == nil || ticket == own { closeClient(slot, reply) }
        case .login, .proving, .idle, .asking, .linked, .console, .closing:
            break
        }
    }

    private mutating func armStarved() {
        if !starvedClients.isEmpty {
            let starved = starvedClients
            starvedClients.removeAll(keepingCapacity: true)
            for client in starved where isClient(Int(client.slot), client.generation) {
                armClientReceive(Int(client.slot))
            }
        }
        if !starvedServers.isEmpty {
            let starved = starvedServers
            starvedServers.removeAll(keepingCapacity: true)
            for server in starved where isServer(Int(server.slot), server.generation) {
                armServerReceive(Int(server.slot))
            }
        }
    }

    private mutating func closeAll() {
        stopListening()
        for slot in 0..<clientSlots.highestCount where clients.isTaken(slot) {
            closeClient(slot, nil)
        }
    }
}
