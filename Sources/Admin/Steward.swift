internal import Bytes
internal import Configuration
internal import EventLoop
internal import Pooling
internal import Wire
internal import Worker

/// What the console's thread knows and does. Used by that thread only.
///
/// Which databases are held is kept here, not in pools alone: a pool that comes later is held too.
struct Steward: ~Copyable {
    let service: Service
    let shown: @Sendable () -> [ShownSetting]
    let reload: @Sendable () -> String?
    let shutdown: @Sendable (ShutdownMode) -> Void
    var now: Instant
    var averages: Averages
    var isAllPaused = false
    var paused: Set<String> = []
    var disabled: Set<String> = []
    private var waiting: [Waiting] = []

    /// A PAUSE that is answered when the servers are gone.
    private struct Waiting {
        let client: ClientID
        let database: String?
        /// The last round of mail: what was to be closed before it is closed when it is through.
        var desk: ReportDesk?
    }

    static let ownNames: Set<String> = ["pgweir", "pgbouncer"]
    /// Longest wait for the workers' lists.
    private static let reportTimeout: Duration = .seconds(2)

    init(
        service: Service, shown: @escaping @Sendable () -> [ShownSetting],
        reload: @escaping @Sendable () -> String?,
        shutdown: @escaping @Sendable (ShutdownMode) -> Void
    ) {
        self.service = service
        self.shown = shown
        self.reload = reload
        self.shutdown = shutdown
        now = MonotonicClock.now()
        averages = Averages(at: now)
    }

    /// How long the thread may sleep before the next `tick`.
    var pauseMilliseconds: Int {
        let holds = isAllPaused || !paused.isEmpty || !disabled.isEmpty
        return holds || !waiting.isEmpty ? 20 : 1000
    }

    mutating func tick() {
        now = MonotonicClock.now()
        if averages.isDue(at: now, period: service.settings.statsPeriod) {
            let sums = sums
            averages.endPeriod(at: now, sums: sums)
        }
        hold()
        answerWaiting()
    }

    mutating func answer(_ request: Console.Request) {
        do throws(ErrorReply) {
            guard let answer = try run(Command(request.query), request) else { return }
            reply(answer.bytes, to: request.client)
        } catch {
            reply(Answer.bytes(of: error), to: request.client)
        }
    }

    func reply(_ bytes: [UInt8], to client: ClientID) {
        service.post(.consoleReply(client, bytes), to: client.worker)
    }

    /// nil = the answer comes later, or never.
    private mutating func run(
        _ command: Command, _ request: Console.Request
    ) throws(ErrorReply) -> Answer? {
        switch command {
        case .empty:
            return .empty
        case .invalid(let text):
            throw invalid(text)
        case .show(let what):
            guard let answer = show(what) else { throw invalid("SHOW \(what)") }
            return answer
        case .set(let key, _):
            if Steward.assumedParameters[key] != nil {
                return .notice(
                    ErrorReply(.notice, .successfulCompletion, "SET ignored"), tag: "SET")
            }
            guard request.isAdmin else { throw adminNeeded }
            throw error(
                .featureNotSupported, "SET failed",
                hint: "Change the configuration file, then RELOAD.")
        case .run(let verb, let argument):
            guard request.isAdmin else { throw adminNeeded }
            return try run(verb, argument, for: request.client)
        }
    }

    private mutating func run(
        _ verb: Command.Verb, _ argument: String?, for client: ClientID
    ) throws(ErrorReply) -> Answer? {
        switch verb {
        case .pause: return try pause(argument, for: client)
        case .resume: try resume(argument)
        case .kill: try kill(argument)
        case .killClient: try killClient(argument)
        case .reconnect: try reconnect(argument)
        case .disable: disabled.insert(try named(argument, "disable"))
        case .enable: disabled.remove(try named(argument, "enable"))
        case .waitClose:
            throw error(.featureNotSupported, "WAIT_CLOSE is not supported yet")
        case .reload:
            guard argument == nil else { throw badArguments }
            if let reason = reload() {
                throw error(
                    "F0000", "RELOAD failed, see logs for additional details", detail: reason)
            }
        case .shutdown: return try shutDown(argument)
        }
        hold()
        return .done(verb.rawValue)
    }

    private func shutDown(_ argument: String?) throws(ErrorReply) -> Answer? {
        switch argument?.uppercased() {
        case nil:
            shutdown(.immediate)
            return nil
        case "WAIT_FOR_SERVERS": shutdown(.waitForServers)
        case "WAIT_FOR_CLIENTS": shutdown(.waitForClients)
        default: throw badArguments
        }
        return .done("SHUTDOWN")
    }

    // MARK: Pausing

    private mutating func pause(
        _ database: String?, for client: ClientID
    ) throws(ErrorReply) -> Answer? {
        try holdBack(database, "pause")
        hold()
        waiting.append(Waiting(client: client, database: database))
        answerWaiting()
        return nil
    }

    private mutating func holdBack(_ database: String?, _ verb: String) throws(ErrorReply) {
        if let database { try check(database, verb) }
        guard !isAllPaused, database.map({ !paused.contains($0) }) ?? true else {
            throw error(.cannotConnectNow, "already suspended/paused")
        }
        if let database {
            paused.insert(database)
        } else {
            isAllPaused = true
        }
    }

    private mutating func resume(_ database: String?) throws(ErrorReply) {
        if let database {
            try check(database, "resume")
            guard paused.remove(database) != nil else {
                throw error(.cannotConnectNow, "database \(database) is not paused")
            }
        } else {
            guard isAllPaused || !paused.isEmpty else {
                throw error(.cannotConnectNow, "pooler is not paused/suspended")
            }
            isAllPaused = false
            paused = []
        }
    }

    func isPaused(_ database: String) -> Bool { isAllPaused || paused.contains(database) }

    /// Makes every pool what it should be: paused or not, disabled or not.
    private func hold() {
        let now = MonotonicClock.now()
        for pool in service.pools {
            let (isPaused, isDisabled) =
                (isPaused(pool.database), disabled.contains(pool.database))
            var closing: [ServerID] = []
            var grants: [(ServerID, ClientID)] = []
            let isResumed = pool.state.withLock { state -> Bool in
                state.isDisabled = isDisabled
                if isPaused {
                    state.machine.isPaused = true
                    closing = state.machine.takeAllIdle()
                    return false
                }
                guard state.machine.isPaused else { return false }
                state.machine.isPaused = false
                grants = state.machine.grantAfterResume(at: now)
                return true
            }
            if !closing.isEmpty { service.post(.close(closing), to: 0) }
            for (server, client) in grants {
                service.post(.granted(server, to: client), to: client.worker)
            }
            if isResumed { service.post(.open(pool), to: 0) }
        }
    }

    /// Answers each PAUSE whose servers are gone, and each that RESUME has ended.
    private mutating func answerWaiting() {
        for index in waiting.indices.reversed() {
            let database = waiting[index].database
            guard database.map({ isPaused($0) }) ?? isAllPaused else {
                let client = waiting.remove(at: index).client
                reply(
                    Answer.bytes(of: error(.queryCanceled, "RESUME came before PAUSE was done")),
                    to: client)
                continue
            }
            let isBusy = pools(of: database).contains { pool in
                let counts = pool.state.withLock { $0.machine.counts }
                return counts.servers > 0
            }
            guard !isBusy else { continue }
            guard let desk = waiting[index].desk else {
                waiting[index].desk = askWorkers()
                continue
            }
            guard desk.take() != nil else { continue }
            reply(Answer.done("PAUSE").bytes, to: waiting.remove(at: index).client)
        }
    }

    // MARK: Servers and clients

    private mutating func kill(_ database: String?) throws(ErrorReply) {
        try holdBack(database, "kill")
        hold()
        for client in reports().clients where !Steward.ownNames.contains(client.database) {
            guard database == nil || client.database == database else { continue }
            end(client.id)
        }
    }

    private func killClient(_ argument: String?) throws(ErrorReply) {
        guard let argument else { throw badArguments }
        guard let number = UInt32(argument) else {
            throw error(.protocolViolation, "invalid client pointer supplied")
        }
        guard let client = reports().clients.first(where: { $0.number == number }) else {
            throw error(.protocolViolation, "client not found")
        }
        end(client.id)
    }

    private func end(_ client: ClientID) {
        let reply = ErrorReply.fatal(state(.adminShutdown), "admin forced disconnect")
        service.post(.kill(client, reply), to: client.worker)
    }

    private func reconnect(_ database: String?) throws(ErrorReply) {
        if let database { try check(database, "reconnect") }
        let now = MonotonicClock.now()
        for pool in pools(of: database) {
            let closing = pool.state.withLock { $0.machine.reconnect(at: now) }
            if !closing.isEmpty { service.post(.close(closing), to: 0) }
            service.post(.open(pool), to: 0)
        }
    }

    private func pools(of database: String?) -> [Pool] {
        service.pools.filter { database == nil || $0.database == database }
    }

    private func askWorkers() -> ReportDesk {
        let desk = ReportDesk(workerCount: service.workerCount)
        service.postToAll { _ in .report(desk) }
        return desk
    }

    /// What the workers list. They answer between two turns; the thread waits for them.
    func reports() -> (clients: [ClientReport], servers: [ServerReport]) {
        let desk = askWorkers()
        let deadline = MonotonicClock.now() + Steward.reportTimeout
        while MonotonicClock.now() < deadline {
            if let lists = desk.take() { return lists }
            Console.nap()
        }
        return ([], [])
    }
}
