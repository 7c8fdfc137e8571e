internal import Bytes
internal import Configuration
internal import EventLoop
internal import Pooling
internal import Wire
internal import Worker

/// What the console's thread knows and does. Used by that thread only.
struct Steward: ~Copyable {
    let service: Service
    let shown: @Sendable () -> [ShownSetting]
    let reload: @Sendable () -> String?
    let set: @Sendable (String, String) -> SettingRefusal?
    let shutdown: @Sendable (ShutdownMode) -> Void
    var now: Instant
    var averages: Averages
    private var waiting: [Waiting] = []
    var waitingForClose: [WaitingForClose] = []

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
        set: @escaping @Sendable (String, String) -> SettingRefusal?,
        shutdown: @escaping @Sendable (ShutdownMode) -> Void
    ) {
        self.service = service
        self.shown = shown
        self.reload = reload
        self.set = set
        self.shutdown = shutdown
        now = MonotonicClock.now()
        averages = Averages(at: now)
    }

    /// How long the thread may sleep before the next `tick`.
    var pauseMilliseconds: Int {
        guard waiting.isEmpty, waitingForClose.isEmpty else { return 20 }
        let end = averages.end(of: service.settings.statsPeriod)
        let left = (end - MonotonicClock.now()).microseconds / 1000
        return Int(min(1000, max(1, left + 1)))
    }

    mutating func tick() {
        now = MonotonicClock.now()
        if averages.isDue(at: now, period: service.settings.statsPeriod) {
            let sums = sums
            averages.endPeriod(at: now, sums: sums)
            if service.settings.logsStats {
                let (change, seconds) = averages.changeOfAll(at: now, sums: sums)
                service.log(.info, change.summary(over: seconds))
            }
        }
        answerWaiting()
        answerWaitingForClose()
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
            if what == "fds" { throw request.isAdmin ? socketsStay : adminNeeded }
            guard let answer = show(what) else { throw invalid("SHOW \(what)") }
            return answer
        case .route(let question):
            return .rows(try routeRows(question, user: request.user))
        case .set(let key, let value):
            if Steward.assumedParameters[key] != nil {
                return .notice(
                    ErrorReply(.notice, .successfulCompletion, "SET ignored"), tag: "SET")
            }
            guard request.isAdmin else { throw adminNeeded }
            if let refusal = set(key, value) {
                throw error(
                    "22023", "SET failed", detail: refusal.reason,
                    hint: refusal.hint)
            }
            return .done("SET \(key)=\(value)")
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
        case .disable: try setDisabled(argument, true, "disable")
        case .enable: try setDisabled(argument, false, "enable")
        case .waitClose: return try waitForClose(argument, for: client)
        case .reload:
            guard argument == nil else { throw badArguments }
            if let reason = reload() {
                throw error(
                    "F0000", "RELOAD failed, see logs for additional details", detail: reason)
            }
        case .shutdown: return try shutDown(argument)
        }
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
        waiting.append(Waiting(client: client, database: database))
        answerWaiting()
        return nil
    }

    private func holdBack(_ database: String?, _ verb: String) throws(ErrorReply) {
        if let database { try check(database, verb) }
        var holds = service.holds
        guard !holds.isAllPaused, database.map({ !holds.paused.contains($0) }) ?? true else {
            throw error(
                .cannotConnectNow, "already suspended/paused", hint: "RESUME ends the pause.")
        }
        if let database {
            holds.paused.insert(database)
        } else {
            holds.isAllPaused = true
        }
        service.hold(holds)
    }

    private func resume(_ database: String?) throws(ErrorReply) {
        var holds = service.holds
        if let database {
            try check(database, "resume")
            guard holds.paused.remove(database) != nil else {
                throw error(
                    .cannotConnectNow, "database \(database) is not paused",
                    hint: holds.isAllPaused ? "All are paused: RESUME without a name." : nil)
            }
        } else {
            guard holds.isAllPaused || !holds.paused.isEmpty else {
                throw error(.cannotConnectNow, "pooler is not paused/suspended")
            }
            holds.isAllPaused = false
            holds.paused = []
        }
        service.hold(holds)
    }

    private func setDisabled(
        _ argument: String?, _ isDisabled: Bool, _ verb: String
    ) throws(ErrorReply) {
        let database = try named(argument, verb)
        var holds = service.holds
        if isDisabled {
            holds.disabled.insert(database)
        } else {
            holds.disabled.remove(database)
        }
        service.hold(holds)
    }

    /// Answers each PAUSE whose servers are gone, and each that RESUME has ended.
    private mutating func answerWaiting() {
        for index in waiting.indices.reversed() {
            let database = waiting[index].database
            let holds = service.holds
            guard database.map({ holds.isPaused($0) }) ?? holds.isAllPaused else {
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
                waiting[index].desk = askWorkers(wantsClients: false)
                continue
            }
            guard desk.take() != nil else { continue }
            reply(Answer.done("PAUSE").bytes, to: waiting.remove(at: index).client)
        }
    }

    // MARK: Servers and clients

    private func kill(_ database: String?) throws(ErrorReply) {
        try holdBack(database, "kill")
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
            let closing = pool.state.withLock { state in
                // Who logs in from now on is greeted as a new server greets.
                state.welcome = nil
                return state.machine.reconnect(at: now)
            }
            if !closing.isEmpty { service.post(.close(closing), to: 0) }
            service.post(.open(pool), to: 0)
        }
    }

    private func pools(of database: String?) -> [Pool] {
        service.pools.filter { database == nil || $0.database == database }
    }

    func askWorkers(wantsClients: Bool = true) -> ReportDesk {
        let desk = ReportDesk(workerCount: service.workerCount, wantsClients: wantsClients)
        service.postToAll { _ in .report(desk) }
        return desk
    }

    /// What the workers list. They answer between two turns; the thread waits for them.
    func reports() -> (clients: [ClientReport], servers: [ServerReport]) {
        lists(of: askWorkers()) ?? ([], [])
    }

    /// nil = a worker did not answer in time.
    func lists(of desk: ReportDesk) -> (clients: [ClientReport], servers: [ServerReport])? {
        let deadline = MonotonicClock.now() + Steward.reportTimeout
        while MonotonicClock.now() < deadline {
            if let lists = desk.take() { return lists }
            Console.nap()
        }
        return nil
    }
}
