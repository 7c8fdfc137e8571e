internal import Bytes
internal import EventLoop
internal import SQL
internal import Session
internal import TLS
internal import Wire

// Clients of the virtual database: login, whole queries out to the console, answers back.

extension Worker where Loop: ~Copyable {
    mutating func enterConsole(_ slot: Int) -> Bool {
        let user = clients[slot].user
        let isAdmin = settings.adminUsers.contains(user)
        guard isAdmin || settings.statsUsers.contains(user) else {
            closeClient(
                slot,
                .fatal(
                    .invalidAuthorization, "not allowed",
                    hint: "Name the user in admin_users or stats_users."))
            return false
        }
        clients[slot].phase = .console(isAdmin: isAdmin)
        clients[slot].login = nil
        var reply = ByteBuffer()
        ServerMessages.authenticationOk(to: &reply)
        let parameters = [
            ("server_version", "15.0 (pgweir)"), ("client_encoding", "UTF8"),
            ("server_encoding", "UTF8"), ("DateStyle", "ISO"), ("TimeZone", "GMT"),
            ("standard_conforming_strings", "on"), ("is_superuser", "on"),
            ("integer_datetimes", "on"),
        ]
        for (name, value) in parameters {
            ServerMessages.parameterStatus(name: name, value: value, to: &reply)
        }
        ServerMessages.backendKeyData(
            processID: clients[slot].id.processID, key: [0, 0, 0, 0], to: &reply)
        ServerMessages.readyForQuery(.idle, to: &reply)
        send(slot, reply.bytes)
        return clients.isTaken(slot)
    }

    /// Hands one whole query to the console; the next one waits for its answer.
    mutating func useConsole(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) {
        guard case .console(let isAdmin) = clients[slot].phase, !clients[slot].isStalled else {
            return
        }
        var scanner = FrameScanner(lengthMax: 65_536)
        let start = offset
        let piece: FramePiece?
        do throws(WireError) {
            piece = try scanner.next(in: bytes, from: &offset)
        } catch {
            return closeClient(slot, .fatal(.protocolViolation, error.text))
        }
        guard let piece else { return }
        guard piece.closes else {
            offset = start
            return
        }
        switch piece.opens {
        case ClientTag.terminate:
            closeClient(slot, nil)
        case ClientTag.query:
            guard let console = service.console, !piece.body.isEmpty else {
                return closeClient(slot, .fatal(.cannotConnectNow, "the console is not ready"))
            }
            clients[slot].isStalled = true
            let text = bytes.string(in: piece.body.lowerBound..<piece.body.upperBound - 1)
            console.execute(
                text, for: clients[slot].id, user: clients[slot].user, isAdmin: isAdmin)
        default:
            closeClient(
                slot,
                .fatal(
                    .featureNotSupported,
                    "extended query protocol not supported by admin console",
                    hint: "Use simple queries, as psql does."))
        }
    }

    mutating func consoleReplied(_ client: ClientID, _ bytes: [UInt8]?) {
        let slot = Int(client.slot)
        guard isClient(slot, client.generation) else { return }
        guard let bytes else { return closeClient(slot, nil) }
        clients[slot].isStalled = false
        bytes.withRawSpan { send(slot, $0) }
        if isClient(slot, client.generation) { useHeld(slot) }
    }

    func clientReports() -> [ClientReport] {
        var reports: [ClientReport] = []
        for slot in 0..<clientSlots.highestCount where clients.isTaken(slot) {
            reports.append(report(ofClient: slot))
        }
        return reports
    }

    private func report(ofClient slot: Int) -> ClientReport {
        let peer = Sockets.peerAddress(clients[slot].socket)
        let local = Sockets.localAddress(clients[slot].socket)
        var waitingSince: Instant?
        var link: ServerID?
        var linkedProcessID: UInt32 = 0
        var pins = clients[slot].session.traces.pins
        let state: String
        switch clients[slot].phase {
        case .login, .proving: state = "login"
        case .greeting(_, let since), .waiting(_, let since), .asking(let since):
            state = "waiting"
            waitingSince = since
        case .idle: state = "idle"
        case .linked(let server):
            state = "active"
            link = server
            linkedProcessID = servers[Int(server.slot)].welcome.processID
            if !servers[Int(server.slot)].session.hears.isEmpty { pins.insert(.channels) }
        case .console: state = "active"
        case .closing: state = "closing"
        }
        let tls = clients[slot].tls?.protocolVersion ?? ""
        return ClientReport(
            id: clients[slot].id, user: clients[slot].user, database: clients[slot].database,
            state: state, address: clients[slot].isUnix ? "unix" : peer?.host ?? "",
            port: peer?.port ?? 0, localAddress: clients[slot].isUnix ? "unix" : local?.host ?? "",
            localPort: local?.port ?? 0, connectedAt: clients[slot].connectedAt,
            requestedAt: clients[slot].requestedAt, waitingSince: waitingSince, link: link,
            tls: tls,
            applicationName: clients[slot].session.parameters.reported["application_name"] ?? "",
            statementCount: clients[slot].session.names.count,
            pinnedBy: "\(pins)", linkedProcessID: linkedProcessID,
            heldByteCount: clients[slot].held.count, unsentByteCount: clients[slot].unsent.count)
    }

    /// The pooler ends: who has no server is told now.
    mutating func drain(_ reply: ErrorReply) {
        for slot in 0..<clientSlots.highestCount where clients.isTaken(slot) {
            switch clients[slot].phase {
            case .linked, .console, .closing: break
            case .login, .greeting, .proving, .idle, .asking, .waiting:
                closeClient(slot, reply)
            }
        }
    }
}
