internal import Authentication
internal import Bytes
internal import EventLoop
internal import Pooling
internal import Session
internal import TLS
internal import Wire

// A new server connection's way in: TLS, startup packet, proofs, and what it says of itself.

extension Worker where Loop: ~Copyable {
    mutating func sendStartup(_ slot: Int) {
        let (profile, clientKey, minor) = servers[slot].pool.state.withLock {
            ($0.profile, $0.learnedClientKey, $0.protocolMinor)
        }
        var parameters = [
            StartupParameter(name: "user", value: profile.serverUser),
            StartupParameter(name: "database", value: profile.serverDatabase),
        ]
        for (name, value) in profile.startupParameters.sorted(by: { $0.key < $1.key }) {
            parameters.append(StartupParameter(name: name, value: value))
        }
        servers[slot].phase = .loggingIn
        servers[slot].login = ServerLogin(
            user: profile.serverUser, credential: credential(profile.secret, clientKey),
            nonce: nonce())
        ClientMessages.startup(minor: minor, parameters: parameters, to: &toServer.buffer)
        flushToServer(slot, RawSpan())
        armServerReceive(slot)
    }

    private func credential(_ secret: Secret?, _ clientKey: [UInt8]?) -> ServerCredential {
        switch secret {
        case .plain(let password): return .plain(password)
        case .md5(let hex): return .md5(hex: hex)
        case .scram(let secret):
            guard let clientKey else { return .none }
            return .scramKeys(clientKey: clientKey, serverKey: secret.serverKey)
        case nil: return .none
        }
    }

    mutating func serverLogin(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) {
        if servers[slot].phase == .askingTLS {
            return answeredTLS(slot, bytes, from: &offset)
        }
        guard var login = servers[slot].login else { return }
        let step = login.received(bytes, from: &offset, reply: &toServer.buffer)
        servers[slot].login = login
        flushToServer(slot, bytes)
        guard servers.isTaken(slot) else { return }
        switch step {
        case .needsMore: break
        case .done: loggedIn(slot, login.welcome)
        case .refused(let fields):
            openingRefused(slot, fields)
        case .failed(let text):
            openingFailed(slot, text)
        }
    }

    private mutating func answeredTLS(
        _ slot: Int, _ bytes: borrowing RawSpan, from offset: inout Int
    ) {
        guard offset < bytes.byteCount else { return }
        let answer = bytes.uint8(at: offset)
        offset += 1
        // Anything behind the answer was sent in clear: CVE-2021-23222.
        guard offset == bytes.byteCount else {
            return openingFailed(slot, "the server sent unencrypted data behind its TLS answer")
        }
        if answer == UInt8(ascii: "N"), settings.serverTLS.mode == .prefer {
            return sendStartup(slot)
        }
        guard answer == UInt8(ascii: "S"), let context = service.serverTLS.withLock({ $0 }) else {
            return openingFailed(
                slot, "the server does not offer TLS, and server_tls_sslmode asks for it")
        }
        servers[slot].phase = .handshake
        cipher.removeAll()
        do throws(TLSError) {
            servers[slot].tls = try TLSConnection(
                context: context, serverName: servers[slot].host)
            try servers[slot].tls?.start(toPeer: &cipher)
        } catch {
            return openingFailed(slot, "TLS: \(error)")
        }
        sendCipherToServer(slot)
    }

    mutating func handshakeProgressed(_ slot: Int) {
        guard servers[slot].tls?.isEstablished == true else { return }
        sendStartup(slot)
    }

    private mutating func loggedIn(_ slot: Int, _ welcome: ServerWelcome) {
        servers[slot].login = nil
        servers[slot].welcome = welcome
        servers[slot].openedAt = servers[slot].begunAt
        servers[slot].deadline = .never
        var reported: [String: String] = [:]
        for parameter in welcome.parameters {
            reported[parameter.name.lowercased()] = parameter.value
        }
        let (shared, connectQuery) = servers[slot].pool.state.withLock {
            state -> (ParameterState, String?) in
            state.lastFailure = nil
            state.failureCount = 0
            if state.welcome?.parameters != welcome.parameters { state.greeting = nil }
            state.welcome = welcome
            if state.welcomeParameters.reported != reported {
                state.welcomeParameters = statements.canonical(
                    ParameterState(reported: reported, extra: [:], isProven: true))
            }
            return (state.welcomeParameters, state.profile.session.connectQuery)
        }
        servers[slot].session.parameters = shared
        servers[slot].session.base = shared
        let processes = service.processes(host: servers[slot].host, port: servers[slot].port)
        servers[slot].holder = processes.add(welcome.processID)
        servers[slot].session.processes = processes
        // Watched for its death as long as it lives; whoever closes it shuts it down first.
        loop.pollHangUp(servers[slot].socket, token: token(.serverHangUp, ofServer: slot))
        if let connectQuery, !connectQuery.isEmpty {
            servers[slot].phase = .preparing
            return runOwnQuery(slot, connectQuery, sendsNow: true)
        }
        servers[slot].phase = .preparing
    }
}
