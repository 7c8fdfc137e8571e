internal import Authentication
internal import Sharding
internal import TLS
internal import Worker

/// What can only be checked when every key is known.
extension Interpreter {
    mutating func finish() {
        for name in databases.keys.sorted() { finishDatabase(name) }
        draft.settings.databases = databases
        draft.settings.wildcardDatabase = draft.settings.databases.removeValue(forKey: "*")
        draft.settings.users = users
        finishSharding()
        checkListening()
        refuseWhatIsNotThere()
        checkTLS()
        readAuthFile()
        sort()
    }

    private mutating func fail(
        _ section: Section, owner: String = "", _ key: String, _ message: String
    ) {
        problems.append(position(section, owner: owner, key).problem(key, message))
    }

    private mutating func finishDatabase(_ name: String) {
        guard var database = databases[name] else { return }
        // A sharded database is on its shards.
        let isSharded =
            written.destinations[name] != nil || draft.sharding.databases[name] != nil
        if database.hosts.isEmpty, !isSharded { database.hosts = ["/var/run/postgresql"] }
        databases[name] = database
        let portCount = database.ports.count
        if !isSharded, portCount != 1, portCount != database.hosts.count {
            fail(
                .database, owner: name, "port",
                "\(portCount) ports for \(database.hosts.count) hosts; write one, or one per host")
        }
        if database.forcedUser == nil {
            if draft.settings.authentication.method == .any {
                fail(.database, owner: name, "user", "required here because auth_type is any")
            } else if database.forcedPassword != nil {
                let position = position(.database, owner: name, "password")
                warnings.append(position.problem("password", "ignored; it has no user beside it"))
            }
        }
    }

    private mutating func checkListening() {
        let listen = draft.settings.listen
        guard listen.addresses.isEmpty, listen.unixSocketDirectory == nil else { return }
        fail(.service, "listen_addr", "nowhere to listen: no address, and no unix_socket_dir")
    }

    /// Keys that a later version will know how to follow; until then they are not ignored.
    private mutating func refuseWhatIsNotThere() {
        if draft.settings.io == .epoll {
            fail(
                .service, "io",
                "epoll is not available in this version, only io_uring; leave the key out")
        }
        if draft.http != nil {
            fail(
                .http, "listen",
                "metrics and health checks are not available in this version; leave the key out, "
                    + "and use SHOW STATS and SHOW POOLS on the console")
        }
    }

    private mutating func checkTLS() {
        let client = draft.settings.clientTLS
        if client.mode != .disable {
            for (key, file) in [
                ("client_tls_cert_file", client.certificateFile),
                ("client_tls_key_file", client.keyFile),
            ] where file == nil && !isSet(key, in: .service) {
                fail(
                    .service, "client_tls_sslmode", "\(client.mode.rawValue) requires \(key)")
            }
        }
        let verifies = client.mode == .verifyCA || client.mode == .verifyFull
        if verifies, client.authorityFile == nil, !isSet("client_tls_ca_file", in: .service) {
            fail(
                .service, "client_tls_sslmode",
                "\(client.mode.rawValue) requires client_tls_ca_file; nobody could log in")
        }
        let server = draft.settings.serverTLS
        if (server.certificateFile == nil) != (server.keyFile == nil),
            !(isSet("server_tls_cert_file", in: .service)
                && isSet("server_tls_key_file", in: .service))
        {
            fail(
                .service,
                server.keyFile == nil ? "server_tls_cert_file" : "server_tls_key_file",
                "server_tls_cert_file and server_tls_key_file need each other")
        }
    }

    private mutating func readAuthFile() {
        let method = draft.settings.authentication.method
        guard let path = draft.authFile else {
            // A file that cannot be read has been reported already.
            if method == .any || isSet("auth_file", in: .service) && hasProblem("auth_file") {
                return
            }
            let isEmpty = isSet("auth_file", in: .service)
            let position = position(.service, isEmpty ? "auth_file" : "auth_type")
            problems.append(
                position.problem(
                    "auth_file", "required because auth_type is \(method.rawValue)"))
            return
        }
        switch readText(path) {
        case .failure(let complaint): fail(.service, "auth_file", complaint.message)
        case .success(let text):
            do throws(AuthFileError) {
                draft.settings.authentication.secrets = try AuthFile.parse(text)
            } catch {
                let position = Position(file: path, line: error.line)
                let message = error.description.replacing("line \(error.line): ", with: "")
                problems.append(position.problem(nil, message))
            }
        }
    }

    private func hasProblem(_ key: String) -> Bool {
        problems.contains { $0.key == key }
    }

    /// By file, in the order in which they turned up, then by line.
    private mutating func sort() {
        var files: [String: Int] = [file: 0]
        for problem in problems + warnings where files[problem.file] == nil {
            files[problem.file] = files.count
        }
        func isEarlier(_ one: ConfigurationProblem, _ other: ConfigurationProblem) -> Bool {
            (files[one.file] ?? 0, one.line) < (files[other.file] ?? 0, other.line)
        }
        problems.sort(by: isEarlier)
        warnings.sort(by: isEarlier)
    }
}
