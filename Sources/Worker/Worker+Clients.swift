internal import Bytes
internal import EventLoop
internal import Session
internal import TLS
internal import Wire

// A client's bytes: received, decrypted, understood; and its answers sent.

extension Worker where Loop: ~Copyable {
    func token(_ kind: Kind, ofClient slot: Int) -> Token {
        let id = clients[slot].id
        return Token(kind: kind.rawValue, slot: id.slot, generation: id.generation)
    }

    mutating func armClientReceive(_ slot: Int) {
        guard !clients[slot].isReceiving, clients[slot].phase != .closing else { return }
        clients[slot].isReceiving = true
        let token = token(.clientReceive, ofClient: slot)
        loop.receive(on: clients[slot].socket, token: token, isMultishot: true)
    }

    /// Reads nothing more for now; only its hang-up is noticed. What the kernel has received
    /// already still comes; the receive is armed again only after its last completion, so that
    /// there are never two.
    mutating func pauseClient(_ slot: Int) {
        guard clients[slot].isReceiving, !clients[slot].isPausing else { return }
        clients[slot].isPausing = true
        loop.cancel(token(.clientReceive, ofClient: slot))
        guard !clients[slot].isPollingHangUp else { return }
        clients[slot].isPollingHangUp = true
        loop.pollHangUp(clients[slot].socket, token: token(.clientHangUp, ofClient: slot))
    }

    mutating func clientReceived(_ slot: Int, _ completion: Completion) {
        if !completion.hasMore {
            clients[slot].isReceiving = false
            clients[slot].isPausing = false
        }
        let id = clients[slot].id
        guard let buffer = completion.buffer, completion.result > 0 else {
            switch completion.result {
            case -105:  // ENOBUFS: others hold all buffers; armed again after this turn.
                starvedClients.append(id)
            case -125:  // ECANCELED: paused, and perhaps to go on by now.
                if !mustPause(slot) { armClientReceive(slot) }
            default:
                closeClient(slot, nil)
            }
            return
        }
        let bytes = loop.bytes(in: buffer)
        if clients[slot].tls == nil {
            take(slot, bytes)
        } else {
            takeEncrypted(slot, bytes)
        }
        loop.recycle(buffer)
        guard isClient(slot, id.generation), clients[slot].phase != .closing else { return }
        if !mustPause(slot) { armClientReceive(slot) }
    }

    /// Whether reading on would only pile up bytes.
    func mustPause(_ slot: Int) -> Bool {
        switch clients[slot].phase {
        case .asking, .waiting, .greeting, .proving:
            return clients[slot].held.count > heldByteCountMax
        case .linked(let server):
            return clients[slot].isStalled || !servers[Int(server.slot)].unsent.isEmpty
                || (clients[slot].held.count > heldByteCountMax
                    && mustWait(slot, Int(server.slot)))
        case .closing: return true
        case .login, .idle, .console: return !clients[slot].unsent.isEmpty
        }
    }

    /// Whether something of ours has to be answered before the client's next message is looked at.
    private func mustWait(_ slot: Int, _ serverSlot: Int) -> Bool {
        servers[serverSlot].awaitsOwnQuery || clients[slot].session.channels?.isReadyHeld ?? false
    }

    private mutating func takeEncrypted(_ slot: Int, _ bytes: borrowing RawSpan) {
        plain.removeAll()
        cipher.removeAll()
        var isOpen = true
        do throws(TLSError) {
            let progress = try clients[slot].tls?.receive(
                bytes, plaintext: &plain, toPeer: &cipher)
            isOpen = progress == .open
        } catch {
            service.log(.info, "\(name(ofClient: slot)) TLS: \(error)")
            isOpen = false
        }
        sendCipher(slot)
        guard isOpen || !plain.isEmpty else { return closeClient(slot, nil) }
        guard !plain.isEmpty else { return }
        var clear = ByteBuffer()
        swap(&clear, &plain)
        let id = clients[slot].id
        take(slot, clear.bytes)
        swap(&clear, &plain)
        if !isOpen, isClient(slot, id.generation) { closeClient(slot, nil) }
    }

    /// New bytes in clear: used at once, or held behind what is held already.
    private mutating func take(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard clients[slot].held.isEmpty else {
            clients[slot].held.append(bytes)
            return useHeld(slot)
        }
        var offset = 0
        let id = clients[slot].id
        use(slot, bytes, from: &offset)
        guard offset < bytes.byteCount, isClient(slot, id.generation) else { return }
        clients[slot].held.append(bytes.extracting(offset..<bytes.byteCount))
        if mustPause(slot) { pauseClient(slot) }
        // Only now, because what follows goes on with what is held.
        if clients[slot].isStalled, case .linked(let server) = clients[slot].phase,
            servers[Int(server.slot)].session.isReleasable
        {
            linkProgressed(Int(server.slot), id)
        }
    }

    /// Goes on with the bytes that were held.
    mutating func useHeld(_ slot: Int) {
        guard !clients[slot].held.isEmpty else { return }
        var work = ByteBuffer()
        swap(&work, &clients[slot].held)
        var offset = 0
        let id = clients[slot].id
        use(slot, work.bytes, from: &offset)
        guard isClient(slot, id.generation) else { return }
        if offset < work.count {
            work.consume(offset)
            swap(&work, &clients[slot].held)
        }
        if mustPause(slot) { pauseClient(slot) } else { armClientReceive(slot) }
    }

    /// The bytes from `offset` on are what the client says next.
    private mutating func use(_ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int) {
        let id = clients[slot].id
        while isClient(slot, id.generation) {
            switch clients[slot].phase {
            case .login:
                guard clientLogin(slot, bytes, from: &offset) else { return }
            case .greeting, .proving, .asking, .waiting, .closing:
                if clients[slot].phase == .closing { offset = bytes.byteCount }
                return
            case .console:
                return useConsole(slot, bytes, from: &offset)
            case .idle:
                guard useIdle(slot, bytes, from: &offset) else { return }
            case .linked(let server):
                guard !mustWait(slot, Int(server.slot)) else { return }
                guard useLinked(slot, Int(server.slot), bytes, from: &offset) else { return }
            }
        }
    }

    /// Returns whether the client has a server now, so that its bytes can go on.
    private mutating func useIdle(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) -> Bool {
        clients[slot].requestedAt = now
        var step = ClientStep.consumed
        do throws(SessionError) {
            step = try clients[slot].session.receivedUnlinked(
                bytes, from: &offset, toClient: &toClient, store: statements)
        } catch {
            flushToClient(slot, bytes)
            closeClient(slot, error.reply)
            return false
        }
        flushToClient(slot, bytes)
        guard clients[slot].phase == .idle else { return false }
        switch step {
        case .consumed, .stalled: return false
        case .terminated:
            closeClient(slot, nil)
            return false
        case .needsServer:
            if hasMoved(slot), !isInTransactionNowhere(slot), !place(slot) { return false }
            guard clients[slot].shards != nil else { return checkout(slot) }
            return routeIdle(slot, bytes, from: &offset)
        }
    }

    /// Returns whether the rest of the bytes is for another server, or for none.
    private mutating func useLinked(
        _ slot: Int, _ serverSlot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) -> Bool {
        var step = ClientStep.consumed
        let start = offset
        if servers[serverSlot].session.isReleasable {
            clients[slot].transactionAt = now
            if hasMoved(slot), !staysLinked(slot, servers[serverSlot].id) { return false }
        }
        do throws(SessionError) {
            if let shards = clients[slot].shards {
                step = try useRouted(slot, serverSlot, shards, bytes, from: &offset)
            } else {
                step = try clients[slot].session.receivedLinked(
                    bytes, from: &offset, server: &servers[serverSlot].session,
                    toServer: &toServer, toClient: &toClient, store: statements)
            }
        } catch {
            flushToServer(serverSlot, bytes)
            closeClient(slot, error.reply)
            return false
        }
        servers[serverSlot].tally.receivedByteCount += offset - start
        clients[slot].isStalled = step == .stalled
        let id = clients[slot].id
        if clients[slot].session.traces.definesFunctions { noteDefinition(serverSlot, slot) }
        flushToServer(serverSlot, bytes)
        guard isClient(slot, id.generation) else { return false }
        flushToClient(slot, bytes)
        guard isClient(slot, id.generation) else { return false }
        guard step != .terminated else {
            closeClient(slot, nil)
            return false
        }
        guard case .linked = clients[slot].phase else { return false }
        if clients[slot].shards?.value.isMoving ?? false {
            leaveShard(slot, serverSlot)
            return true
        }
        if !clients[slot].session.databasesToVacate.isEmpty { vacateDatabases(slot, serverSlot) }
        if servers[serverSlot].session.isReleasable {
            // What it waits for is on its way to the server, or to be held first.
            if step != .stalled { settle(serverSlot) }
            return false
        }
        servers[serverSlot].requestedAt = now
        servers[serverSlot].isAudited = false
        if servers[serverSlot].busySince == .zero { servers[serverSlot].busySince = now }
        armServerReceive(serverSlot)
        if mustPause(slot) { pauseClient(slot) }
        updateTimer(ofClient: slot)
        return false
    }

    /// Sends what the sessions wrote for the client; `bytes` are what ranges refer to.
    mutating func flushToClient(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard !toClient.isEmpty else { return }
        if toClient.isPassedOnly {
            let range = toClient.passed
            toClient.removeAll()
            return send(slot, bytes.extracting(range))
        }
        toClient.spill(bytes)
        var out = ByteBuffer()
        swap(&out, &toClient.buffer)
        toClient.removeAll()
        send(slot, out.bytes)
        out.removeAll()
        swap(&out, &toClient.buffer)
    }

    /// Sends bytes in clear, through TLS if there is some.
    mutating func send(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard clients[slot].tls != nil else { return sendRaw(slot, bytes) }
        cipher.removeAll()
        do throws(TLSError) {
            try clients[slot].tls?.send(bytes, toPeer: &cipher)
        } catch {
            return closeClient(slot, nil)
        }
        sendCipher(slot)
    }

    private mutating func sendCipher(_ slot: Int) {
        guard !cipher.isEmpty else { return }
        var out = ByteBuffer()
        swap(&out, &cipher)
        sendRaw(slot, out.bytes)
        swap(&out, &cipher)
    }

    /// Sends bytes as they are; keeps what the socket does not take.
    mutating func sendRaw(_ slot: Int, _ bytes: borrowing RawSpan) {
        guard bytes.byteCount > 0 else { return }
        if clients[slot].unsent.isEmpty {
            let sent = loop.send(bytes, on: clients[slot].socket)
            if sent == bytes.byteCount { return }
            if sent < 0, sent != -11 {
                // The peer is gone; its receive will say so.
                return
            }
            clients[slot].unsent.append(bytes.extracting(max(0, sent)..<bytes.byteCount))
        } else {
            clients[slot].unsent.append(bytes)
        }
        guard !clients[slot].isPollingWritable else { return }
        clients[slot].isPollingWritable = true
        loop.pollWritable(clients[slot].socket, token: token(.clientWritable, ofClient: slot))
    }

    mutating func clientWritable(_ slot: Int) {
        var out = ByteBuffer()
        swap(&out, &clients[slot].unsent)
        sendRaw(slot, out.bytes)
        guard clients[slot].unsent.isEmpty else { return }
        switch clients[slot].phase {
        case .closing:
            removeClient(slot)
        case .linked(let server):
            armServerReceive(Int(server.slot))
        case .login, .greeting, .proving, .idle, .asking, .waiting, .console:
            armClientReceive(slot)
        }
        if clients.isTaken(slot) { notifyClient(slot) }
    }

    func name(ofClient slot: Int) -> String {
        let peer = Sockets.peerAddress(clients[slot].socket).map { "\($0)" } ?? "unknown"
        let user = clients[slot].user.isEmpty ? "(no login)" : clients[slot].user
        let database = clients[slot].database.isEmpty ? "" : "@" + clients[slot].database
        return "client \(user)\(database) from \(isUnixName(slot) ?? peer):"
    }

    private func isUnixName(_ slot: Int) -> String? {
        clients[slot].isUnix ? "unix socket" : nil
    }
}
