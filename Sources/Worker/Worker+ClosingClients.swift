internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import Wire

// The end of a client: what it is told, and what becomes of the server that it had.

extension Worker where Loop: ~Copyable {
    /// Ends a client, with a last message if there is one. Its server is cleaned up or closed.
    mutating func closeClient(_ slot: Int, _ reply: ErrorReply?) {
        guard clients.isTaken(slot) else { return }
        if clients[slot].phase == .closing {
            if reply == nil { removeClient(slot) }
            return
        }
        let phase = clients[slot].phase
        leaveChannels(slot)
        var reply = reply
        if case .linked(let server) = phase, servers[Int(server.slot)].session.saidFatal {
            // The client was told already that this is the end.
            reply = nil
        }
        if let reply {
            report(reply, slot)
            var last = ByteBuffer()
            told(reply).write(to: &last)
            send(slot, last.bytes)
            guard clients.isTaken(slot) else { return }
        }
        countPin(slot, false)
        clients[slot].phase = .closing
        switch phase {
        case .waiting(let ticket, _), .greeting(let ticket, _):
            // If it was granted a server meanwhile, the grant is in our mailbox and finds it gone.
            _ = leaveQueue(slot, ticket)
        case .linked(let server), .proving(let server):
            orphan(Int(server.slot), of: slot)
        case .login, .idle, .asking, .console, .closing:
            break
        }
        if reply == nil || clients[slot].unsent.isEmpty {
            removeClient(slot)
        } else {
            addTimer(.client(clients[slot].id), at: now + .seconds(5))
        }
    }

    /// PgBouncer's one SQLSTATE for everything, where the settings ask for it.
    private func told(_ reply: ErrorReply) -> ErrorReply {
        guard !settings.usesFittingSQLStates else { return reply }
        var reply = reply
        reply.state = .protocolViolation
        return reply
    }

    private func report(_ reply: ErrorReply, _ slot: Int) {
        guard settings.logsPoolerErrors else { return }
        let detail = reply.detail.map { " (\($0))" } ?? ""
        service.log(.warning, "\(name(ofClient: slot)) closed: \(reply.message)\(detail)")
    }

    /// Returns whether it was waiting; otherwise it was granted a server that is on its way.
    mutating func leaveQueue(_ slot: Int, _ ticket: UInt64) -> Bool {
        guard let pool = clients[slot].pool else { return false }
        let id = clients[slot].id
        return pool.state.withLock { $0.machine.leaveQueue(id, ticket: ticket) }
    }

    mutating func removeClient(_ slot: Int) {
        guard clients.isTaken(slot) else { return }
        var client = clients.empty(slot)
        if client.isReceiving {
            loop.cancel(
                Token(
                    kind: Kind.clientReceive.rawValue, slot: UInt32(slot),
                    generation: client.id.generation))
        }
        Sockets.shutdown(client.socket)
        loop.close(client.socket)
        client.session.releaseStatements(statements)
        if let pool = client.shards?.value.home ?? client.pool {
            pool.state.withLock { $0.machine.clientCount -= 1 }
        }
        let keys = client.budgetKeys
        let isCounted = client.isCounted
        if isCounted {
            service.budget.withLock {
                $0.clientCount -= 1
                $0.removeClient(keys)
            }
        }
        if client.login == nil, !client.isOurs, settings.logsDisconnections {
            service.log(.info, "client \(client.user)@\(client.database): disconnected")
        }
        service.clientCounts.withLock { $0[Int(index)] -= 1 }
        clientSlots.give(back: slot)
    }
}
