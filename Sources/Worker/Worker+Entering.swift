internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import TLS
internal import Wire

// The last step of a login: a server accepts the client's parameters, and the client is greeted.

extension Worker where Loop: ~Copyable {
    /// The client is who it says. Greets it if no server has to be asked first. Returns whether its
    /// bytes can go on.
    mutating func enter(_ slot: Int) -> Bool {
        guard prepareEntry(slot), clients[slot].session.startup.isProven else {
            return checkout(slot)
        }
        greet(slot)
        return clients.isTaken(slot)
    }

    /// The server that the login waited for is there. Returns whether the client's bytes can go on.
    mutating func admit(_ slot: Int, on serverSlot: Int) -> Bool {
        guard prepareEntry(slot), !clients[slot].session.startup.isProven else {
            checkin(serverSlot)
            guard clients.isTaken(slot), clients[slot].login != nil else { return false }
            greet(slot)
            return clients.isTaken(slot)
        }
        let wanted = clients[slot].session.startup
        servers[serverSlot].phase = .linked(clients[slot].id)
        servers[serverSlot].deadline = .never
        clients[slot].phase = .proving(servers[serverSlot].id)
        guard let query = servers[serverSlot].session.parameters.change(to: wanted) else {
            return proved(slot, on: serverSlot, servers[serverSlot].session.parameters)
        }
        servers[serverSlot].wantedParameters = wanted
        servers[serverSlot].awaitsOwnQuery = true
        runOwnQuery(serverSlot, query, sendsNow: true)
        return false
    }

    /// The server has accepted what the client wants, and calls it `made`.
    mutating func proved(_ slot: Int, on serverSlot: Int, _ made: ParameterState) -> Bool {
        service.statements.parameterStates.prove(clients[slot].session.startup, as: made)
        clients[slot].session.parameters = made
        clients[slot].session.startup = made
        leaveProof(slot, on: serverSlot)
        guard clients.isTaken(slot), clients[slot].login != nil else { return false }
        greet(slot)
        return clients.isTaken(slot)
    }

    /// The server refuses what the client wants: its words are the client's answer.
    mutating func refuted(_ slot: Int, on serverSlot: Int, _ fields: ErrorFields) {
        let id = clients[slot].id
        leaveProof(slot, on: serverSlot)
        guard isClient(slot, id.generation) else { return }
        closeClient(
            slot,
            .fatal(
                SQLState(fields.state), fields.message,
                detail: fields.detail.isEmpty ? nil : fields.detail,
                hint: fields.hint.isEmpty ? nil : fields.hint))
    }

    private mutating func leaveProof(_ slot: Int, on serverSlot: Int) {
        clients[slot].phase = .login
        servers[serverSlot].awaitsOwnQuery = false
        servers[serverSlot].session.unlinked()
        checkin(serverSlot)
    }

    /// Works out what the client's parameters are to be. false = no server has been seen yet.
    private mutating func prepareEntry(_ slot: Int) -> Bool {
        guard let pool = clients[slot].pool, let login = clients[slot].login else { return false }
        let (welcome, base) = pool.state.withLock { ($0.welcome, $0.welcomeParameters) }
        guard welcome != nil else { return false }
        let wanted = wantedParameters(login.request, base, slot)
        clients[slot].session.parameters = wanted
        clients[slot].session.startup = wanted
        return true
    }

    /// Tells the client that it is in: parameters, cancel key, ready.
    mutating func greet(_ slot: Int) {
        guard let pool = clients[slot].pool, let login = clients[slot].login,
            let parameters = parameterMessages(pool, clients[slot].session.startup)
        else { return }
        var reply = ByteBuffer()
        ServerMessages.authenticationOk(to: &reply)
        reply.append(parameters)
        let id = clients[slot].id
        clients[slot].session.identity = UInt64(id.generation) << 32 | UInt64(id.processID)
        let key = randomBytes.take(login.request.minor >= 2 ? 32 : 4)
        clients[slot].cancelKey = key
        ServerMessages.backendKeyData(
            processID: id.processID, key: key, to: &reply)
        ServerMessages.readyForQuery(.idle, to: &reply)
        clients[slot].phase = .idle
        clients[slot].login = nil
        clients[slot].requestedAt = now
        send(slot, reply.bytes)
        guard clients.isTaken(slot) else { return }
        if settings.logsConnections, !clients[slot].isOurs {
            service.log(.info, "\(name(ofClient: slot)) logged in")
        }
        updateTimer(ofClient: slot)
    }

    /// What a client whose parameters are `wanted` is told of them; nil = no server was seen yet.
    private func parameterMessages(_ pool: Pool, _ wanted: ParameterState) -> [UInt8]? {
        let (welcome, known) = pool.state.withLock { ($0.welcome, $0.greeting) }
        guard let welcome else { return nil }
        if let known, known.parameters === wanted { return known.messages }
        var made = ByteBuffer()
        for parameter in welcome.parameters {
            let value = wanted.reported[parameter.name.lowercased()] ?? parameter.value
            ServerMessages.parameterStatus(name: parameter.name, value: value, to: &made)
        }
        let messages = made.bytes.array()
        pool.state.withLock { state in
            // Another server may have said something else meanwhile.
            guard state.welcome?.parameters == welcome.parameters else { return }
            state.greeting = (wanted, messages)
        }
        return messages
    }

    /// What the client's startup packet asks for, on top of what the servers begin with.
    private func wantedParameters(
        _ request: StartupRequest, _ base: ParameterState, _ slot: Int
    ) -> ParameterState {
        var reported = base.reported
        var extra: [String: String] = [:]
        for parameter in request.parameters
        where !settings.ignoredStartupParameters.contains(parameter.name)
            && !(clients[slot].shards != nil && ClientShards.isHint(parameter.name))
        {
            if reported[parameter.name] == nil {
                extra[parameter.name] = parameter.value
            } else if !ParameterState.fixed.contains(parameter.name) {
                reported[parameter.name] = parameter.value
            }
        }
        if settings.addsHostToApplicationName {
            let peer = Sockets.peerAddress(clients[slot].socket).map { "\($0)" } ?? "unix"
            let name = reported["application_name"] ?? ""
            reported["application_name"] = (name.isEmpty ? "app" : name) + " - " + peer
        }
        guard reported != base.reported || !extra.isEmpty else { return base }
        // Any application_name is accepted.
        var others = reported
        others["application_name"] = base.reported["application_name"]
        let wanted = statements.canonical(
            ParameterState(
                reported: reported, extra: extra,
                isProven: extra.isEmpty && others == base.reported))
        return service.statements.parameterStates.proof(of: wanted) ?? wanted
    }
}
