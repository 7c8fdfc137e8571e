internal import Authentication
internal import Bytes
internal import EventLoop
internal import Pooling
internal import Routing
internal import Session
internal import TLS
internal import Wire

// A client's way in: TLS, who it is, which pool it belongs to, and the greeting.

extension Worker where Loop: ~Copyable {
    /// Takes one step of the login. Returns whether the bytes can go on.
    mutating func clientLogin(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) -> Bool {
        guard var login = clients[slot].login else { return false }
        let offersTLS =
            service.clientTLS.withLock { $0 != nil } && clients[slot].tls == nil
            && !clients[slot].isUnix
        let before = offset
        var reply = ByteBuffer()
        var step = login.received(bytes, from: &offset, offersTLS: offersTLS, reply: &reply)
        if step == .identified { step = identified(slot, &login, reply: &reply) }
        clients[slot].login = login
        if !reply.isEmpty { send(slot, reply.bytes) }
        guard clients.isTaken(slot) else { return false }
        switch step {
        case .needsMore:
            return offset > before && offset < bytes.byteCount
        case .startTLS:
            startTLS(slot)
            return false
        case .cancel(let processID, let key):
            let worker = ClientID.worker(of: processID)
            if worker == index {
                cancelAsked(processID: processID, key: key)
            } else {
                service.post(.cancel(processID: processID, key: key), to: worker)
            }
            closeClient(slot, nil)
            return false
        case .identified:
            return false
        case .authenticated:
            return authenticated(slot, login)
        case .refused(let refusal):
            closeClient(slot, refusal)
            return false
        case .closed:
            closeClient(slot, nil)
            return false
        }
    }

    private mutating func startTLS(_ slot: Int) {
        guard let context = service.clientTLS.withLock({ $0 }) else { return }
        var yes = ByteBuffer()
        yes.append(UInt8(ascii: "S"))
        sendRaw(slot, yes.bytes)
        do throws(TLSError) {
            clients[slot].tls = try TLSConnection(context: context, serverName: nil)
        } catch {
            service.log(.error, "TLS: \(error)")
            closeClient(slot, nil)
        }
    }

    /// The StartupMessage is there: checks what can be checked before the proof, and asks for it.
    private mutating func identified(
        _ slot: Int, _ login: inout ClientLogin, reply: inout ByteBuffer
    ) -> ClientLogin.Step {
        let request = login.request
        clients[slot].user = request.user
        clients[slot].database = request.database
        if clients[slot].tls == nil, !clients[slot].isUnix {
            switch settings.clientTLS.mode {
            case .require, .verifyCA, .verifyFull:
                return .refused(.fatal(.invalidAuthorization, "SSL required"))
            case .disable, .allow, .prefer: break
            }
        }
        if service.isStopping {
            return .refused(.fatal(.cannotConnectNow, "pooler is shutting down"))
        }
        if request.replication != nil, request.replication != "false", request.replication != "0" {
            return .refused(
                .fatal(
                    .featureNotSupported, "replication connections are not supported",
                    hint: "Connect to PostgreSQL directly."))
        }
        if !isConsole(request.database), !countClient(slot, settings.clientsMax) {
            return .refused(
                .fatal(
                    .tooManyConnections, "no more connections allowed (max_client_conn)",
                    detail: "max_client_conn is \(settings.clientsMax).",
                    hint: "Raise max_client_conn, or let clients close connections."))
        }
        let known = settings.authentication.secrets[request.user]
        let isOpenToAll = settings.authentication.method == .any
        let isMock = known == nil && !isOpenToAll
        let policy = LoginPolicy(
            method: settings.authentication.method, secret: known,
            scramSecret: scramSecret(of: request.user, known), isMock: isMock)
        return login.begin(
            policy, salt: randomBytes.take(4), nonce: nonce(), reply: &reply)
    }

    private mutating func scramSecret(
        of user: String, _ secret: Secret?
    ) -> ScramSecret? {
        guard settings.authentication.method == .scramSHA256 || isScram(secret) else { return nil }
        switch secret {
        case .scram(let secret): return secret
        case .plain(let password):
            let key = user + "\0" + password
            if let cached = scramSecrets[key] { return cached }
            if scramSecrets.count > 10_000 { scramSecrets.removeAll() }
            let made = ScramSecret(
                password: password, salt: stableSalt(for: user, key: service.mockKey),
                iterations: settings.authentication.scramIterations)
            scramSecrets[key] = made
            return made
        case .md5, nil:
            return mockScramSecret(
                for: user, key: service.mockKey,
                iterations: settings.authentication.scramIterations)
        }
    }

    private func isScram(_ secret: Secret?) -> Bool {
        if case .scram? = secret { true } else { false }
    }

    /// 24 random letters and digits.
    mutating func nonce() -> String {
        let random = randomBytes.take(24)
        return String(decoding: random.map { nonceLetters[Int($0 & 63)] }, as: UTF8.self)
    }

    func isConsole(_ database: String) -> Bool { database == "pgweir" || database == "pgbouncer" }

    private mutating func countClient(_ slot: Int, _ max: Int) -> Bool {
        guard !clients[slot].isCounted else { return true }
        let fits = service.budget.withLock { budget in
            guard budget.clientCount < max else { return false }
            budget.clientCount += 1
            return true
        }
        clients[slot].isCounted = fits
        return fits
    }

    /// The client is who it says. Returns whether its bytes can go on.
    mutating func authenticated(_ slot: Int, _ login: ClientLogin) -> Bool {
        let request = login.request
        if isConsole(request.database) { return enterConsole(slot) }
        refreshPlaces()
        let shards: Box<ClientShards>?
        do throws(ErrorReply) {
            shards = try clientShards(request)
        } catch {
            closeClient(slot, error)
            return false
        }
        guard let (profile, shard) = home(slot, shards?.value.route.router) else {
            closeClient(
                slot,
                .fatal(
                    .invalidDatabase, "no such database: \(request.database)",
                    hint: "Add it to the configuration, or a \"*\" entry for any name."))
            return false
        }
        if let refusal = countInDatabase(slot, profile, request) {
            closeClient(slot, refusal)
            return false
        }
        if service.holds.disabled.contains(request.database) {
            closeClient(
                slot,
                .fatal(
                    .cannotConnectNow, "database \"\(request.database)\" is disabled",
                    hint: "ENABLE on the console lets clients in again."))
            return false
        }
        let pool = service.pool(for: profile, countsClient: true)
        clients[slot].pool = pool
        shards?.value.settle(in: pool, shard: shard)
        clients[slot].shards = shards
        _ = limits(of: pool)
        pool.state.withLock { state in
            state.statistics.loginCount += 1
            if let key = login.scramClientKey { state.learnedClientKey = key }
        }
        clients[slot].session.sharesServers = profile.session.mode != .session
        return enter(slot)
    }

    private mutating func countInDatabase(
        _ slot: Int, _ profile: PoolProfile, _ request: StartupRequest
    ) -> ErrorReply? {
        let database = Budget.Key.database(request.database)
        let user = Budget.Key.user(request.user)
        var limits = [(key: database, max: profile.databaseClientsMax)]
        limits.append((user, profile.userClientsMax))
        if let tenant = profile.tenant {
            limits.append((.tenant(tenant), profile.tenantClientsMax))
        }
        let full = service.budget.withLock { $0.addClient(limits) }
        guard let full else {
            clients[slot].budgetKeys = limits.map(\.key)
            return nil
        }
        if case .tenant(let name) = full {
            return .fatal(
                .tooManyConnections, "client connections exceeded (max_client_conn of the tenant)",
                detail: "Tenant \"\(name)\" has \(profile.tenantClientsMax).")
        }
        if full == database {
            return .fatal(
                .tooManyConnections, "client connections exceeded (max_db_client_connections)",
                detail: "Database \"\(request.database)\" has \(profile.databaseClientsMax).")
        }
        return .fatal(
            .tooManyConnections, "client connections exceeded (max_user_client_connections)",
            detail: "User \"\(request.user)\" has \(profile.userClientsMax).")
    }
}

private let nonceLetters = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

/// Random bytes in store: OpenSSL takes as long for a few as for many.
struct RandomBytes {
    private var stored: [UInt8] = []

    /// Each byte is given out once.
    mutating func take(_ count: Int) -> [UInt8] {
        if stored.count < count { stored = Digest.randomBytes(max(count, 1024)) }
        let taken = Array(stored.suffix(count))
        stored.removeLast(count)
        return taken
    }
}
