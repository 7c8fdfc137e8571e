internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import TLS
internal import Wire

// Cancel requests: from a client's key to its own query, and to nothing else.

/// One connection that carries a CancelRequest to a server and waits until the server closes it:
/// from then on the signal cannot meet another query.
struct CancelErrand: ~Copyable {
    let server: ServerID
    let socket: Int32
    let generation: UInt32
    var request: ByteBuffer
    var asksTLS: Bool
    var tls: TLSConnection?
    let host: String
    let deadline: Instant
}

extension Worker where Loop: ~Copyable {
    /// Somebody sent the key of one of this worker's clients, or a wrong one. Never answered.
    mutating func cancelAsked(processID: UInt32, key: [UInt8]) {
        let place = Int(processID & 0xff_ffff)
        guard place > 0, place <= clients.capacity, clients.isTaken(place - 1) else { return }
        let slot = place - 1
        guard !clients[slot].cancelKey.isEmpty, Digest.areEqual(clients[slot].cancelKey, key) else {
            return
        }
        switch clients[slot].phase {
        case .waiting(let ticket, _):
            cancelWaiting(slot, ticket)
        case .asking:
            clients[slot].phase = .idle
            dropHeld(slot)
        case .linked(let server):
            // What is ours is not the client's to cancel.
            guard !servers[Int(server.slot)].session.ledger.isOursOnly,
                !servers[Int(server.slot)].awaitsOwnQuery
            else { return }
            sendCancel(toServer: Int(server.slot))
        case .login, .greeting, .proving, .idle, .console, .closing:
            break
        }
    }

    /// The query has not reached a server yet: it never will.
    private mutating func cancelWaiting(_ slot: Int, _ ticket: UInt64) {
        guard leaveQueue(slot, ticket) else { return }
        clients[slot].phase = .idle
        dropHeld(slot)
    }

    private mutating func dropHeld(_ slot: Int) {
        let id = clients[slot].id
        var work = ByteBuffer()
        swap(&work, &clients[slot].held)
        failTransaction(ofUnlinked: slot)
        let rest = clients[slot].session.cancelHeld(&work, toClient: &toClient)
        swap(&work, &clients[slot].held)
        flushToClient(slot, RawSpan())
        guard rest, isClient(slot, id.generation) else { return }
        useHeld(slot)
        if isClient(slot, id.generation), !mustPause(slot) { armClientReceive(slot) }
    }

    /// Opens a connection of its own to the server and sends it the server's key.
    mutating func sendCancel(toServer slot: Int) {
        guard servers[slot].cancelCount == 0, let address = servers[slot].address,
            !servers[slot].welcome.cancelKey.isEmpty,
            let (errandSlot, generation) = cancelSlots.take()
        else { return }
        let socket: Int32
        do throws(SocketError) {
            socket = try Sockets.socket(for: address)
        } catch {
            service.log(.warning, "cancel request to \(address): \(error)")
            return cancelSlots.give(back: errandSlot)
        }
        var request = ByteBuffer()
        ClientMessages.cancelRequest(
            processID: servers[slot].welcome.processID, key: servers[slot].welcome.cancelKey,
            to: &request)
        servers[slot].cancelCount += 1
        let deadline = Limit(settings.cancelWaitTimeout).end(from: now)
        cancels.fill(
            errandSlot,
            with: CancelErrand(
                server: servers[slot].id, socket: socket, generation: generation,
                request: request, asksTLS: servers[slot].tls != nil, tls: nil,
                host: servers[slot].host, deadline: deadline))
        loop.connect(
            socket, to: address,
            token: Token(
                kind: Kind.cancelConnect.rawValue, slot: UInt32(errandSlot),
                generation: generation))
        addTimer(.cancel(errandSlot, generation), at: deadline)
    }

    mutating func cancelProgressed(_ slot: Int, _ completion: Completion) {
        guard cancels.isTaken(slot) else {
            if let buffer = completion.buffer { loop.recycle(buffer) }
            return
        }
        let isConnected = completion.token.kind == Kind.cancelConnect.rawValue
        if isConnected {
            guard completion.result == 0 else { return endCancel(slot) }
            if cancels[slot].asksTLS {
                var ask = ByteBuffer()
                ClientMessages.sslRequest(to: &ask)
                _ = loop.send(ask.bytes, on: cancels[slot].socket)
            } else {
                let cancels = cancels
                let socket = cancels[slot].socket
                _ = loop.send(cancels[slot].request.bytes, on: socket)
            }
            return armCancelReceive(slot)
        }
        guard let buffer = completion.buffer, completion.result > 0 else {
            return endCancel(slot)
        }
        let bytes = loop.bytes(in: buffer)
        let goesOn = cancelAnswered(slot, bytes)
        loop.recycle(buffer)
        if goesOn { armCancelReceive(slot) } else { endCancel(slot) }
    }

    private mutating func armCancelReceive(_ slot: Int) {
        loop.receive(
            on: cancels[slot].socket,
            token: Token(
                kind: Kind.cancelReceive.rawValue, slot: UInt32(slot),
                generation: cancels[slot].generation),
            isMultishot: false)
    }

    /// The cancel connection is encrypted as its session is. Returns whether more is to come.
    private mutating func cancelAnswered(_ slot: Int, _ bytes: borrowing RawSpan) -> Bool {
        guard cancels[slot].asksTLS else { return true }
        var secret = ByteBuffer()
        do throws(TLSError) {
            if cancels[slot].tls == nil {
                guard bytes.byteCount == 1, bytes.uint8(at: 0) == UInt8(ascii: "S"),
                    let context = service.serverTLS.withLock({ $0 })
                else { return false }
                cancels[slot].tls = try TLSConnection(
                    context: context, serverName: cancels[slot].host)
                try cancels[slot].tls?.start(toPeer: &secret)
            } else {
                plain.removeAll()
                let progress = try cancels[slot].tls?.receive(
                    bytes, plaintext: &plain, toPeer: &secret)
                plain.removeAll()
                guard progress == .open else { return false }
                if cancels[slot].tls?.isEstablished == true, !cancels[slot].request.isEmpty {
                    try cancels[slot].tls?.send(cancels[slot].request.bytes, toPeer: &secret)
                    cancels[slot].request.removeAll()
                }
            }
        } catch { return false }
        if !secret.isEmpty { _ = loop.send(secret.bytes, on: cancels[slot].socket) }
        return true
    }

    /// The cancel has reached its server or never will: the server may be handed on again.
    mutating func endCancel(_ slot: Int) {
        let errand = cancels.empty(slot)
        Sockets.shutdown(errand.socket)
        loop.close(errand.socket)
        cancelSlots.give(back: slot)
        let serverSlot = Int(errand.server.slot)
        guard isServer(serverSlot, errand.server.generation) else { return }
        servers[serverSlot].cancelCount -= 1
        guard servers[serverSlot].cancelCount == 0, servers[serverSlot].phase == .held else {
            return
        }
        checkin(serverSlot)
    }
}
