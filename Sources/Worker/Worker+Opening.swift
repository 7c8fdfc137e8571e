internal import Authentication
internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import TLS
internal import Wire

// New server connections: address, connect, and into the pool.

extension Worker where Loop: ~Copyable {
    /// Opens as many servers as the pool wants now.
    mutating func openServers(of pool: Pool) {
        let now = now
        let count = pool.state.withLock { $0.machine.openings(at: now) }
        for _ in 0..<count {
            guard openServer(of: pool) else { continue }
        }
    }

    /// Begins one connection. false = a limit over several pools is full, or there is no room.
    mutating func openServer(of pool: Pool, isListener: Bool = false) -> Bool {
        let (profile, place) = pool.state.withLock { state -> (PoolProfile, ServerPlace) in
            let chosen = state.nextHost
            if state.profile.balancesHosts { state.nextHost &+= 1 }
            let places = state.profile.places
            return (state.profile, places[chosen % places.count])
        }
        let (host, port) = (place.host, place.port)
        let limits: [(key: Budget.Key, max: Int)] = [
            (.database(pool.shownName), profile.databaseServersMax),
            (.user(profile.serverUser), profile.userServersMax),
            (.host(host, port), settings.hostServersMax),
        ]
        guard reserve(limits, for: pool) else {
            countFailedOpening(of: pool, isListener: isListener, as: .uncounted)
            return false
        }
        guard let (slot, generation) = service.serverSlots.withLock({ $0.take() }) else {
            service.budget.withLock { $0.removeServer(limits.map(\.key)) }
            countFailedOpening(of: pool, isListener: isListener, as: .refused)
            return false
        }
        let id = ServerID(slot: UInt32(slot), generation: generation)
        var server = Server(
            id: id, pool: pool, worker: index,
            session: ServerSession(
                parameters: .empty, statementsMax: profile.session.preparedStatementsMax))
        server.host = host
        server.port = port
        server.budgetKeys = limits.map(\.key)
        server.isListener = isListener
        server.begunAt = now
        server.deadline =
            settings.serverConnectTimeout > .zero ? now + settings.serverConnectTimeout : .never
        servers.fill(slot, with: server)
        updateTimer(ofServer: slot)
        resolve(slot)
        return true
    }

    /// A connection was not opened; the pool, or its listener, had counted on it.
    private mutating func countFailedOpening(
        of pool: Pool, isListener: Bool, as failure: OpeningFailure
    ) {
        if isListener { return listenerClosed(pool, "it could not be opened") }
        let now = now
        _ = pool.state.withLock { $0.machine.openingFailed(at: now, failure) }
    }

    /// Counts one server under all limits; takes an idle one of another pool away if need be.
    private mutating func reserve(
        _ limits: [(key: Budget.Key, max: Int)], for pool: Pool
    ) -> Bool {
        while true {
            let full = service.budget.withLock { $0.addServer(limits) }
            guard let full else { return true }
            guard evict(full, for: pool) else { return false }
        }
    }

    private mutating func evict(_ full: Budget.Key, for pool: Pool) -> Bool {
        for other in service.pools where other !== pool {
            let servers = servers
            let victim = other.state.withLock { state in
                // While the lock is held nobody takes an idle server away.
                state.machine.evictOldestIdle { servers[Int($0.slot)].budgetKeys.contains(full) }
            }
            guard let victim else { continue }
            takeOverAndClose(victim)
            return true
        }
        return false
    }

    private mutating func resolve(_ slot: Int) {
        let id = servers[slot].id
        let (service, worker) = (service, index)
        var host = servers[slot].host
        let port = servers[slot].port
        if host.hasPrefix("/") || host.hasPrefix("@") { host += "/.s.PGSQL.\(port)" }
        service.resolver.resolve(host, port: port) { answer in
            switch answer {
            case .success(let addresses):
                service.post(.resolved(id, addresses, failure: ""), to: worker)
            case .failure(let error):
                service.post(.resolved(id, [], failure: "\(error)"), to: worker)
            }
        }
    }

    mutating func serverResolved(_ slot: Int, _ addresses: [SocketAddress], _ failure: String) {
        guard servers[slot].phase == .resolving else { return }
        guard !addresses.isEmpty else {
            return openingFailed(slot, "the host name could not be resolved: \(failure)")
        }
        servers[slot].addresses = addresses
        connectNext(slot, lastReason: "")
    }

    /// Tries the next address of the host.
    private mutating func connectNext(_ slot: Int, lastReason: String) {
        guard !servers[slot].addresses.isEmpty else {
            return openingFailed(slot, lastReason)
        }
        let address = servers[slot].addresses.removeFirst()
        do throws(SocketError) {
            let socket = try Sockets.socket(for: address)
            if servers[slot].socket >= 0 { loop.close(servers[slot].socket) }
            servers[slot].socket = socket
            if address.family != .unix { apply(settings.tcp, to: socket) }
        } catch {
            return openingFailed(slot, "no socket for \(address): \(error)")
        }
        servers[slot].address = address
        servers[slot].phase = .connecting
        loop.connect(
            servers[slot].socket, to: address, token: token(.serverConnect, ofServer: slot))
    }

    mutating func serverConnected(_ slot: Int, _ result: Int32) {
        guard servers[slot].phase == .connecting else { return }
        guard result == 0 else {
            let name = servers[slot].address.map { "\($0)" } ?? ""
            return connectNext(
                slot, lastReason: "connect to \(name): \(SocketError.text(of: -result))")
        }
        let isUnix = servers[slot].address?.family == .unix
        if settings.serverTLS.mode != .disable, settings.serverTLS.mode != .allow, !isUnix {
            servers[slot].phase = .askingTLS
            ClientMessages.sslRequest(to: &toServer.buffer)
            flushToServer(slot, RawSpan())
            return armServerReceive(slot)
        }
        sendStartup(slot)
    }

    /// A new server is ready: the first waiter gets it, or the idle list.
    mutating func serverIsOpen(_ slot: Int) {
        let pool = servers[slot].pool
        let id = servers[slot].id
        let openedAt = servers[slot].openedAt
        let (index, now) = (index, now)
        servers[slot].idleSince = now
        servers[slot].phase = .idle
        let answer = pool.state.withLock {
            $0.machine.opened(id, openedAt: openedAt, from: index, at: now)
        }
        follow(answer, slot, pool)
        openServers(of: pool)
    }

    /// The server refused us in its own words, and those are what the waiting clients get.
    mutating func openingRefused(_ slot: Int, _ fields: ErrorFields) {
        if refusesProtocol(slot, fields) { return tryOlderProtocol(slot) }
        let reply = ErrorReply.fatal(
            SQLState(fields.state.utf8.count == 5 ? fields.state : "08006"),
            fields.message.isEmpty ? "server login failed" : fields.message,
            detail: fields.detail.isEmpty ? nil : fields.detail,
            hint: fields.hint.isEmpty ? nil : fields.hint)
        // 57P01, 57P02: the server process was told to go, alone or with all the others.
        let isBroken = fields.state == "57P01" || fields.state == "57P02"
        openingEnded(slot, reply, isBroken ? .broken : .refused)
    }

    /// PostgreSQL negotiates; other programs that speak its protocol may not know how to.
    private func refusesProtocol(_ slot: Int, _ fields: ErrorFields) -> Bool {
        (fields.state == "08P01" || fields.state == "0A000") && fields.message.contains("protocol")
            && servers[slot].pool.state.withLock { $0.protocolMinor > 0 }
    }

    private mutating func tryOlderProtocol(_ slot: Int) {
        let pool = servers[slot].pool
        let isListener = servers[slot].isListener
        removeServer(slot)
        pool.state.withLock { $0.protocolMinor = 0 }
        countFailedOpening(of: pool, isListener: isListener, as: .uncounted)
        openServers(of: pool)
    }

    mutating func openingFailed(
        _ slot: Int, _ reason: String, _ failure: OpeningFailure = .refused
    ) {
        let retry = servers[slot].pool.state.withLock { $0.profile.pool.serverLoginRetry }
        let reply = ErrorReply.fatal(
            .connectionFailure,
            "server login has been failing, cached error: \(reason) (server_login_retry)",
            detail: "Server \(servers[slot].host):\(servers[slot].port); the next attempt is in "
                + "\(retry).",
            hint: "Check host and port of the database, and that PostgreSQL runs.")
        openingEnded(slot, reply, failure)
    }

    func name(ofServer slot: Int) -> String {
        let pool = servers[slot].pool
        return
            "server \(servers[slot].host):\(servers[slot].port) for \(pool.shownName)/\(pool.user)"
    }

    private mutating func openingEnded(
        _ slot: Int, _ reply: ErrorReply, _ failure: OpeningFailure
    ) {
        let pool = servers[slot].pool
        service.log(
            .warning,
            "\(name(ofServer: slot)): \(reply.message)")
        let now = now
        let isListener = servers[slot].isListener
        removeServer(slot)
        if isListener { return listenerClosed(pool, reply.message) }
        let waiting = pool.state.withLock { state -> [ClientID] in
            state.failureCount += 1
            if !state.profile.balancesHosts { state.nextHost &+= 1 }
            // Another host of the list is tried at once; when all have failed, there is a pause.
            guard state.failureCount >= state.profile.hosts.count else {
                state.machine.openingFailed(at: now, .uncounted)
                return []
            }
            state.failureCount = 0
            guard state.machine.openingFailed(at: now, failure) else { return [] }
            state.lastFailure = reply
            // While a server is there, clients wait for it; without one they are told why.
            guard state.machine.counts.servers == 0 else { return [] }
            return state.machine.takeAllWaiting()
        }
        for client in waiting {
            if client.worker == index {
                closeClient(Int(client.slot), reply)
            } else {
                service.post(.refused(client, ticket: nil, reply), to: client.worker)
            }
        }
        openServers(of: pool)
    }

    /// The connection broke while somebody or something used it.
    mutating func serverLost(
        _ slot: Int, _ reason: String, _ failure: OpeningFailure = .refused
    ) {
        guard servers.isTaken(slot) else { return }
        switch servers[slot].phase {
        case .resolving, .connecting, .askingTLS, .handshake, .loggingIn, .preparing:
            openingFailed(slot, reason, failure)
        case .linked(let client):
            let clientSlot = Int(client.slot)
            guard !lostWhileReading(slot, clientSlot, reason) else { return }
            let wasTold = servers[slot].session.saidFatal
            closeServer(slot, reason)
            guard isClient(clientSlot, client.generation) else { return }
            clients[clientSlot].phase = .idle
            guard !wasTold else { return closeClient(clientSlot, nil) }
            closeClient(
                clientSlot,
                .fatal(.connectionFailure, "server conn crashed?", detail: "Server: \(reason)."))
        case .orphaned, .held, .idle, .checking, .listening:
            closeServer(slot, reason)
        }
    }

    /// Closes a server of this worker. `isCounted`: the pool still counts it as in use.
    mutating func closeServer(_ slot: Int, _ reason: String, isCounted: Bool = true) {
        let pool = servers[slot].pool
        let id = servers[slot].id
        service.log(
            .info,
            "\(name(ofServer: slot)): closed: \(reason)")
        let statistics = servers[slot].tally
        let isOpening =
            switch servers[slot].phase {
            case .resolving, .connecting, .askingTLS, .handshake, .loggingIn, .preparing: true
            case .idle, .checking, .linked, .orphaned, .held, .listening: false
            }
        if servers[slot].socket >= 0, !isOpening {
            ClientMessages.terminate(to: &toServer.buffer)
            var goodbye = ByteBuffer()
            swap(&goodbye, &toServer.buffer)
            if servers[slot].unsent.isEmpty, servers[slot].session.ledger.isEmpty {
                sendToServerAtEnd(slot, goodbye.bytes)
            }
        }
        let isListener = servers[slot].isListener
        removeServer(slot)
        if isListener { return listenerClosed(pool, reason) }
        let now = now
        pool.state.withLock { state in
            state.statistics += statistics
            guard isCounted else { return }
            if isOpening {
                state.machine.openingFailed(at: now, .uncounted)
            } else {
                state.machine.linkedClosed(id)
            }
        }
        openServers(of: pool)
    }

    /// A goodbye that may be lost.
    private mutating func sendToServerAtEnd(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard servers[slot].tls != nil else {
            let socket = servers[slot].socket
            _ = loop.send(bytes, on: socket)
            return
        }
        cipher.removeAll()
        do throws(TLSError) {
            try servers[slot].tls?.send(bytes, toPeer: &cipher)
        } catch { return }
        let socket = servers[slot].socket
        var out = ByteBuffer()
        swap(&out, &cipher)
        _ = loop.send(out.bytes, on: socket)
        swap(&out, &cipher)
    }

    /// Frees the slot, the socket and the counts; the pool is told by the caller.
    private mutating func removeServer(_ slot: Int) {
        forgetFunctions(slot)
        var server = servers.empty(slot)
        if server.socket >= 0 {
            // The shutdown ends every operation that is still armed, on whichever ring.
            Sockets.shutdown(server.socket)
            loop.close(server.socket)
        }
        server.session.releaseStatements(statements)
        if let holder = server.holder {
            service.processes(host: server.host, port: server.port)
                .remove(server.welcome.processID, holder)
        }
        let keys = server.budgetKeys
        service.budget.withLock { $0.removeServer(keys) }
        service.serverSlots.withLock { $0.give(back: slot) }
    }

    /// An idle server that was taken out of its pool comes here to be closed.
    mutating func takeOverAndClose(
        _ server: ServerID, _ reason: String = "not needed any more"
    ) {
        let slot = Int(server.slot)
        guard servers.isTaken(slot), servers[slot].id == server else { return }
        servers[slot].worker = index
        servers[slot].phase = .held
        closeServer(slot, reason, isCounted: false)
    }

    /// The watch on a server's socket says that it has closed.
    mutating func serverHungUp(_ slot: Int, _ generation: UInt32) {
        let isCurrent = service.serverSlots.withLock {
            $0.isCurrent(slot: slot, generation: generation)
        }
        guard isCurrent, servers.isTaken(slot) else { return }
        let id = ServerID(slot: UInt32(slot), generation: generation)
        let pool = servers[slot].pool
        // Whoever is linked to it will see it with its own receive.
        guard pool.state.withLock({ $0.machine.removeIdle(id) }) else { return }
        takeOverAndClose(id)
        openServers(of: pool)
    }
}
