internal import Bytes
internal import EventLoop
internal import Session
internal import Wire

// New connections: taken from the listening sockets, given to the worker with the fewest clients.

extension Worker where Loop: ~Copyable {
    mutating func armAccept(_ listener: Int) {
        loop.accept(
            on: listeners[listener].socket,
            token: Token(kind: Kind.accept.rawValue, slot: UInt32(listener), generation: 0))
    }

    mutating func accepted(_ completion: Completion, on listener: Int) {
        guard listener < listeners.count else { return }
        if completion.result < 0 {
            // Out of files or memory, or a client that has gone already: others must go on, so
            // wait a little instead of spinning.
            service.log(
                .warning, "accept failed: \(SocketError.text(of: -completion.result))")
            if !completion.hasMore { addTimer(.accept(listener), at: now + .milliseconds(100)) }
            return
        }
        let socket = completion.result
        let isUnix = listeners[listener].isUnix
        if !completion.hasMore { armAccept(listener) }
        let chosen = service.clientCounts.withLock { counts -> Int in
            var best = Int(index)
            for worker in counts.indices where counts[worker] < counts[best] { best = worker }
            counts[best] += 1
            return best
        }
        if chosen == Int(index) {
            addClient(socket: socket, isUnix: isUnix)
        } else {
            service.post(.accepted(socket: socket, isUnix: isUnix), to: UInt8(chosen))
        }
    }

    mutating func stopListening() {
        for listener in listeners.indices {
            loop.cancel(
                Token(kind: Kind.accept.rawValue, slot: UInt32(listener), generation: 0))
            Sockets.shutdown(listeners[listener].socket)
            loop.close(listeners[listener].socket)
        }
        listeners.removeAll()
    }

    /// `asks`: the other end is this worker's own, and is who it says it is.
    mutating func addClient(
        socket: Int32, isUnix: Bool, asks: (database: String, user: String)? = nil
    ) {
        guard let (slot, generation) = clientSlots.take() else {
            service.log(.error, "no room for another client on worker \(index)")
            service.clientCounts.withLock { $0[Int(index)] -= 1 }
            return loop.close(socket)
        }
        if !isUnix { apply(settings.tcp, to: socket) }
        let id = ClientID(worker: index, slot: UInt32(slot), generation: generation)
        clients.fill(
            slot,
            with: Client(
                id: id, socket: socket, isUnix: isUnix,
                session: ClientSession(
                    lengthMax: settings.messageLengthMax, parameters: .empty, sharesServers: true),
                at: now))
        armClientReceive(slot)
        updateTimer(ofClient: slot)
        guard let asks else { return }
        clients[slot].isOurs = true
        clients[slot].user = asks.user
        clients[slot].database = asks.database
        let login = ClientLogin(trusting: asks.user, database: asks.database)
        clients[slot].login = login
        _ = authenticated(slot, login)
    }

    func apply(_ tcp: TCPSettings, to socket: Int32) {
        Sockets.setNoDelay(socket)
        if tcp.isKeepaliveOn {
            Sockets.setKeepalive(
                socket, idle: Int32(clamping: tcp.keepaliveIdle.components.seconds),
                interval: Int32(clamping: tcp.keepaliveInterval.components.seconds),
                count: Int32(clamping: tcp.keepaliveCount))
        }
        if tcp.userTimeout > .zero {
            Sockets.setUserTimeout(
                socket, milliseconds: Int32(clamping: tcp.userTimeout.nanoseconds / 1_000_000))
        }
        if tcp.socketBufferByteCount > 0 {
            Sockets.setBufferSizes(socket, byteCount: Int32(clamping: tcp.socketBufferByteCount))
        }
    }
}
