internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import TLS
internal import Wire

// A server's bytes while it is in use: received, matched, and forwarded.

extension Worker where Loop: ~Copyable {
    func token(_ kind: Kind, ofServer slot: Int) -> Token {
        let id = servers[slot].id
        return Token(kind: kind.rawValue, slot: id.slot, generation: id.generation)
    }

    mutating func armServerReceive(_ slot: Int) {
        guard servers.isTaken(slot), !servers[slot].isReceiving else { return }
        if case .linked(let client) = servers[slot].phase,
            !clients[Int(client.slot)].unsent.isEmpty
        {
            return
        }
        servers[slot].isReceiving = true
        let token = token(.serverReceive, ofServer: slot)
        loop.receive(on: servers[slot].socket, token: token, isMultishot: false)
    }

    mutating func serverReceived(_ slot: Int, _ completion: Completion) {
        servers[slot].isReceiving = false
        guard let buffer = completion.buffer, completion.result > 0 else {
            if let buffer = completion.buffer { loop.recycle(buffer) }
            if completion.result == -105 {
                starvedServers.append(servers[slot].id)
                return
            }
            if completion.result == -125 {
                // ECANCELED: it was on its way back to the pool.
                if servers[slot].phase == .held { checkin(slot) } else { armServerReceive(slot) }
                return
            }
            let reason =
                completion.result == 0
                ? "the server closed the connection" : SocketError.text(of: -completion.result)
            return serverLost(slot, reason, .broken)
        }
        let bytes = loop.bytes(in: buffer)
        if servers[slot].tls == nil {
            takeFromServer(slot, bytes, isMoreThere: completion.isSocketNonEmpty)
        } else {
            takeEncryptedFromServer(slot, bytes, isMoreThere: completion.isSocketNonEmpty)
        }
        loop.recycle(buffer)
    }

    private mutating func takeEncryptedFromServer(
        _ slot: Int, _ bytes: borrowing RawSpan, isMoreThere: Bool
    ) {
        plain.removeAll()
        cipher.removeAll()
        var isOpen = true
        do throws(TLSError) {
            let progress = try servers[slot].tls?.receive(
                bytes, plaintext: &plain, toPeer: &cipher)
            isOpen = progress == .open
        } catch {
            sendCipherToServer(slot)
            return serverLost(slot, "TLS: \(error)")
        }
        sendCipherToServer(slot)
        let id = servers[slot].id
        if servers[slot].phase == .handshake {
            handshakeProgressed(slot)
            guard servers.isTaken(slot), servers[slot].id == id else { return }
        }
        if plain.isEmpty {
            guard isOpen else { return serverLost(slot, "the server ended TLS", .broken) }
            return armServerReceive(slot)
        }
        var clear = ByteBuffer()
        swap(&clear, &plain)
        takeFromServer(slot, clear.bytes, isMoreThere: isMoreThere)
        swap(&clear, &plain)
    }

    /// New bytes in clear: used at once, together with what was held of an incomplete message.
    private mutating func takeFromServer(
        _ slot: Int, _ bytes: borrowing RawSpan, isMoreThere: Bool
    ) {
        let id = servers[slot].id
        var offset = 0
        if servers[slot].held.isEmpty {
            useFromServer(slot, bytes, from: &offset)
            guard isServer(slot, id.generation) else { return }
            if offset < bytes.byteCount {
                servers[slot].held.append(bytes.extracting(offset..<bytes.byteCount))
            }
        } else {
            servers[slot].held.append(bytes)
            var work = ByteBuffer()
            swap(&work, &servers[slot].held)
            useFromServer(slot, work.bytes, from: &offset)
            guard isServer(slot, id.generation) else { return }
            if offset < work.count {
                work.consume(offset)
                swap(&work, &servers[slot].held)
            }
        }
        // A server with unread bytes is nobody's next server.
        guard servers[slot].held.isEmpty, !isMoreThere else { return armServerReceive(slot) }
        serverProgressed(slot)
    }

    private mutating func useFromServer(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) {
        switch servers[slot].phase {
        case .askingTLS, .handshake, .loggingIn, .resolving, .connecting:
            return serverLogin(slot, bytes, from: &offset)
        case .linked(let client):
            return useForClient(slot, client, bytes, from: &offset)
        case .orphaned, .held, .idle, .preparing, .checking, .listening:
            do throws(SessionError) {
                try servers[slot].session.received(
                    bytes, from: &offset, client: &nobody, toClient: &toClient,
                    store: statements)
            } catch {
                toClient.removeAll()
                return serverLost(slot, error.reply.detail ?? error.reply.message)
            }
            toClient.removeAll()
            if !servers[slot].session.caught.isEmpty { forwardCaught(slot) }
        }
    }

    private mutating func useForClient(
        _ slot: Int, _ client: ClientID, _ bytes: borrowing RawSpan, from offset: inout Int
    ) {
        let clientSlot = Int(client.slot)
        do throws(SessionError) {
            try servers[slot].session.received(
                bytes, from: &offset, client: &clients[clientSlot].session, toClient: &toClient,
                store: statements)
        } catch {
            flushToClient(clientSlot, bytes)
            return serverLost(slot, error.reply.detail ?? error.reply.message)
        }
        servers[slot].tally.sentByteCount += toClient.byteCount
        if servers[slot].session.sendHeldSyncs(to: &toServer.buffer)
            || servers[slot].session.sendAgain(to: &toServer.buffer, store: statements)
        {
            flushToServer(slot, RawSpan())
        }
        flushToClient(clientSlot, bytes)
    }

    /// Everything that came has been used: what follows from it.
    private mutating func serverProgressed(_ slot: Int) {
        switch servers[slot].session.ownQuery {
        case .succeeded:
            servers[slot].session.ownQuery = .none
            guard ownQuerySucceeded(slot) else { return }
        case .failed(let fields):
            servers[slot].session.ownQuery = .none
            guard ownQueryFailed(slot, fields) else { return }
        case .none, .running: break
        }
        if servers[slot].busySince != .zero, servers[slot].session.isReady {
            servers[slot].tally.queryTime += now.nanoseconds &- servers[slot].busySince.nanoseconds
            servers[slot].busySince = .zero
        }
        switch servers[slot].phase {
        case .linked(let client):
            linkProgressed(slot, client)
        case .orphaned:
            finishOrphan(slot)
        case .preparing:
            guard servers[slot].session.isReleasable else { return armServerReceive(slot) }
            if servers[slot].isListener { startListening(slot) } else { serverIsOpen(slot) }
        case .listening:
            listenerProgressed(slot)
        case .checking:
            guard servers[slot].session.isReleasable else { return armServerReceive(slot) }
            servers[slot].deadline = .never
            checkin(slot)
        case .held:
            if servers[slot].session.isReleasable { checkin(slot) } else { armServerReceive(slot) }
        case .resolving, .connecting, .askingTLS, .handshake, .loggingIn:
            armServerReceive(slot)
        case .idle:
            break
        }
    }

    /// The linked client may go on with what it has sent, or is done with its server.
    mutating func linkProgressed(_ slot: Int, _ client: ClientID) {
        let clientSlot = Int(client.slot)
        if clients[clientSlot].isStalled, !isDoubtful(slot, clientSlot) {
            clients[clientSlot].isStalled = false
            useHeld(clientSlot)
            guard isServer(slot, servers[slot].id.generation),
                servers[slot].phase == .linked(client)
            else { return }
        }
        statementModeCheck(slot, clientSlot)
        guard servers.isTaken(slot), servers[slot].phase == .linked(client) else { return }
        settle(slot)
        if isClient(clientSlot, client.generation) { updateTimer(ofClient: clientSlot) }
    }

    /// The transaction is over, and before anything else of its client runs, the server must be
    /// asked what it has left, or be given the client's parameters again, or somebody must look
    /// what functions there are; or the reset query follows every transaction.
    private mutating func isDoubtful(_ slot: Int, _ clientSlot: Int) -> Bool {
        guard clients[clientSlot].session.sharesServers, servers[slot].session.isReleasable else {
            return false
        }
        let servers = servers
        return !clients[clientSlot].session.traces.suspected.isEmpty
            || servers[slot].session.parameters !== clients[clientSlot].session.parameters
            || clients[clientSlot].session.functionsEpoch != service.functions.epoch
            || limits(of: servers[slot].poolName, servers[slot].pool)?.resetsAlways ?? false
    }

    /// In statement mode a transaction block is an error.
    private mutating func statementModeCheck(_ slot: Int, _ clientSlot: Int) {
        guard servers[slot].session.isReady, servers[slot].session.status != .idle else { return }
        let servers = servers
        let limits = limits(of: servers[slot].poolName, servers[slot].pool)
        guard limits?.mode == .statement else { return }
        closeClient(
            clientSlot,
            .fatal(
                .featureNotSupported, "transaction blocks not allowed in statement pooling mode",
                hint: "Use pool_mode = transaction."))
    }

    /// A copy that the client has begun may only now wait for its data, or a failed batch for its
    /// Sync.
    private mutating func finishOrphan(_ slot: Int) {
        if servers[slot].session.copy == .fromClient || servers[slot].session.skipsUntilSync {
            servers[slot].session.finishForOrphan(&toServer)
            flushToServer(slot, RawSpan())
            guard servers.isTaken(slot) else { return }
        }
        tidy(slot)
    }

    private mutating func ownQuerySucceeded(_ slot: Int) -> Bool {
        if functionsRead(slot) { return true }
        if case .linked(let client) = servers[slot].phase {
            servers[slot].session.answered(
                client: &clients[Int(client.slot)].session, store: statements)
        }
        guard let wanted = servers[slot].wantedParameters else { return true }
        servers[slot].wantedParameters = nil
        let reported = servers[slot].session.parameters.reported
        let made = statements.canonical(
            ParameterState(reported: reported, extra: wanted.extra, isProven: true))
        servers[slot].session.parameters = made
        guard case .linked(let client) = servers[slot].phase else { return true }
        let clientSlot = Int(client.slot)
        if case .proving = clients[clientSlot].phase {
            if proved(clientSlot, on: slot, made) { useHeld(clientSlot) }
            return false
        }
        clients[clientSlot].session.parameters = made
        guard servers[slot].awaitsOwnQuery else { return true }
        servers[slot].awaitsOwnQuery = false
        useHeld(clientSlot)
        return isServer(slot, servers[slot].id.generation)
    }

    /// Returns whether the server is good for use all the same.
    private mutating func ownQueryFailed(_ slot: Int, _ fields: ErrorFields) -> Bool {
        if servers[slot].phase == .preparing {
            service.log(
                .warning, "\(name(ofServer: slot)): connect_query failed: \(fields.message)")
            return true
        }
        let wasParameters = servers[slot].wantedParameters != nil
        servers[slot].wantedParameters = nil
        guard case .linked(let client) = servers[slot].phase else {
            closeServer(slot, "a query of ours failed: \(fields.message)")
            return false
        }
        if functionsUnread(slot, fields.message) { return true }
        if servers[slot].session.isQuestioned {
            service.log(
                .warning,
                "\(name(ofServer: slot)): kept for its client, because it cannot be "
                    + "asked what the client has left: \(fields.message)")
            servers[slot].session.unanswered(client: &clients[Int(client.slot)].session)
            return true
        }
        if case .proving = clients[Int(client.slot)].phase {
            refuted(Int(client.slot), on: slot, fields)
            return false
        }
        if servers[slot].session.handover != .none {
            handoverFailed(slot, of: Int(client.slot), fields)
            return true
        }
        servers[slot].session.isTainted = true
        let reply = ErrorReply.fatal(
            SQLState(fields.state), fields.message,
            detail: wasParameters && !fields.isFatal
                ? "A startup parameter of this connection was refused by the server." : nil)
        closeClient(Int(client.slot), reply)
        return false
    }

    /// Sends what the sessions wrote for the server; `bytes` are what ranges refer to.
    mutating func flushToServer(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard !toServer.isEmpty else { return }
        if toServer.isPassedOnly {
            let range = toServer.passed
            toServer.removeAll()
            if servers[slot].session.recordsBatch {
                servers[slot].session.record(bytes.extracting(range))
            }
            return sendToServer(slot, bytes.extracting(range))
        }
        toServer.spill(bytes)
        var out = ByteBuffer()
        swap(&out, &toServer.buffer)
        toServer.removeAll()
        if servers[slot].session.recordsBatch { servers[slot].session.record(out.bytes) }
        sendToServer(slot, out.bytes)
        out.removeAll()
        swap(&out, &toServer.buffer)
    }

    mutating func sendToServer(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard servers[slot].tls != nil else { return sendRawToServer(slot, bytes) }
        cipher.removeAll()
        do throws(TLSError) {
            try servers[slot].tls?.send(bytes, toPeer: &cipher)
        } catch {
            return serverLost(slot, "TLS: \(error)")
        }
        sendCipherToServer(slot)
    }

    mutating func sendCipherToServer(_ slot: Int) {
        guard !cipher.isEmpty else { return }
        var out = ByteBuffer()
        swap(&out, &cipher)
        sendRawToServer(slot, out.bytes)
        swap(&out, &cipher)
    }

    mutating func sendRawToServer(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard bytes.byteCount > 0 else { return }
        if servers[slot].unsent.isEmpty {
            let sent = loop.send(bytes, on: servers[slot].socket)
            if sent == bytes.byteCount { return }
            // When the server is gone, its receive says so, after what it still had to say.
            if sent < 0, sent != -11 { return }
            servers[slot].unsent.append(bytes.extracting(max(0, sent)..<bytes.byteCount))
        } else {
            servers[slot].unsent.append(bytes)
        }
        guard !servers[slot].isPollingWritable else { return }
        servers[slot].isPollingWritable = true
        loop.pollWritable(servers[slot].socket, token: token(.serverWritable, ofServer: slot))
    }

    mutating func serverWritable(_ slot: Int) {
        var out = ByteBuffer()
        swap(&out, &servers[slot].unsent)
        sendRawToServer(slot, out.bytes)
        guard servers[slot].unsent.isEmpty, case .linked(let client) = servers[slot].phase else {
            return
        }
        let clientSlot = Int(client.slot)
        guard isClient(clientSlot, client.generation) else { return }
        if !clients[clientSlot].held.isEmpty { useHeld(clientSlot) }
        guard isClient(clientSlot, client.generation), !mustPause(clientSlot) else { return }
        armClientReceive(clientSlot)
    }
}
