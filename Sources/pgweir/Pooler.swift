// The pooler as a whole: workers on their threads, listening sockets, signals.

internal import Admin
internal import ArgumentParser
internal import Configuration
internal import EventLoop
internal import Foundation
internal import Session
internal import TLS
internal import Wire
internal import Worker

/// One running pooler.
final class Pooler: Sendable {
    private let path: String
    private let loaded: Guarded<LoadedConfiguration>
    private let log: LogWriter
    private let isEnding = Guarded(false)
    /// RELOAD, SIGHUP and SET one after the other.
    private let changing = Guarded(())

    init(loaded: LoadedConfiguration, path: String) throws {
        self.loaded = Guarded(loaded)
        self.path = path
        do throws(SocketError) {
            log = try LogWriter(settings: loaded.log)
        } catch {
            printError(
                "the log file cannot be opened: \(error). Change logfile (in TOML: file in [log]), "
                    + "or make its directory writable.")
            throw ExitCode.failure
        }
    }

    /// Runs until a signal or the console ends it.
    func run() throws {
        Signals.blockAll()
        let files = Threads.raiseFileLimit()
        let settings = loaded.withLock { $0.settings }
        let log = log
        let service: Service
        do throws(TLSError) {
            service = try Service(settings: settings) { log.write($0, $1) }
        } catch {
            printError("TLS: \(error)")
            throw ExitCode.failure
        }
        let sockets = try listen(settings.listen, settings.tcp)
        let threads = try startWorkers(service, sockets)
        let console = Console(
            service: service,
            shown: { [self] in loaded.withLock { $0.shown } },
            reload: { [self] in changing.withLock { _ in reload(service) } },
            set: { [self] key, value in changing.withLock { _ in set(key, value, service) } },
            shutdown: { [self] in end(service, $0) })
        service.console = console
        log.write(
            .info,
            "\(pgweirVersion): \(service.workerCount) workers, "
                + "\(settings.databases.count) databases, at most \(settings.clientsMax) clients, "
                + "\(files) files")
        watchSignals(service)
        for thread in threads { thread.join() }
        if let directory = settings.listen.unixSocketDirectory {
            Sockets.removeUnixFile(unixPath(directory, settings.listen.port))
        }
        log.write(.info, "ended")
    }

    private func unixPath(_ directory: String, _ port: UInt16) -> String {
        "\(directory)/.s.PGSQL.\(port)"
    }

    private func listen(
        _ settings: ListenSettings, _ tcp: TCPSettings
    ) throws -> [(socket: Int32, isUnix: Bool)] {
        let deferAccept = Int32(clamping: tcp.deferAccept.components.seconds)
        var sockets: [(socket: Int32, isUnix: Bool)] = []
        do throws(SocketError) {
            for address in addresses(settings) {
                let socket = try Sockets.listenTCP(
                    address, backlog: settings.backlog, deferAcceptSeconds: deferAccept)
                sockets.append((socket, false))
                let name = Sockets.localAddress(socket) ?? address
                log.write(.info, "listening on \(name)")
            }
            if let directory = settings.unixSocketDirectory {
                let path = unixPath(directory, settings.port)
                let socket = try Sockets.listenUnix(
                    path: path, mode: settings.unixSocketMode, group: settings.unixSocketGroup,
                    backlog: settings.backlog)
                sockets.append((socket, true))
                log.write(.info, "listening on unix socket \(path)")
            }
        } catch {
            printError(
                "cannot listen on port \(settings.port): \(error). Is another pooler running? "
                    + "See listen_addr, listen_port and unix_socket_dir.")
            throw ExitCode.failure
        }
        guard !sockets.isEmpty else {
            printError("nothing to listen on: set listen_addr or unix_socket_dir")
            throw ExitCode.failure
        }
        return sockets
    }

    private func addresses(_ settings: ListenSettings) -> [SocketAddress] {
        settings.addresses.flatMap { name -> [SocketAddress] in
            if name == "*" {
                return ["0.0.0.0", "::"].compactMap {
                    SocketAddress(numeric: $0, port: settings.port)
                }
            }
            if let address = SocketAddress(numeric: name, port: settings.port) { return [address] }
            switch Resolver.lookUp(name) {
            case .success(let found): return found.map { $0.with(port: settings.port) }
            case .failure(let error):
                printError("listen_addr: \(error)")
                return []
            }
        }
    }

    /// Each worker makes its ring on its own thread, because the kernel ties it to that thread.
    private func startWorkers(
        _ service: Service, _ sockets: [(socket: Int32, isUnix: Bool)]
    ) throws -> [ThreadHandle] {
        let started = Guarded<[Int: Result<Mailbox<Mail>, EventLoopError>]>([:])
        let go = DispatchSemaphore(value: 0)
        let ready = DispatchSemaphore(value: 0)
        var threads: [ThreadHandle] = []
        for index in 0..<service.workerCount {
            threads.append(
                Threads.start(name: "worker \(index)") {
                    do throws(EventLoopError) {
                        let loop = try IOUringLoop(settings: IOUringSettings())
                        let mailbox = Mailbox<Mail>(waker: loop.waker)
                        started.withLock { $0[index] = .success(mailbox) }
                        ready.signal()
                        go.wait()
                        service.runWorker(
                            UInt8(index), loop: loop, mailbox: mailbox,
                            listeningOn: index == 0 ? sockets : [])
                    } catch {
                        started.withLock { $0[index] = .failure(error) }
                        ready.signal()
                    }
                })
        }
        for _ in 0..<service.workerCount { ready.wait() }
        var boxes: [Mailbox<Mail>] = []
        for index in 0..<service.workerCount {
            switch started.withLock({ $0[index] }) {
            case .success(let box): boxes.append(box)
            case .failure(let error):
                printError("\(error)")
                throw ExitCode.failure
            case nil: throw ExitCode.failure
            }
        }
        service.attach(boxes)
        for _ in 0..<service.workerCount { go.signal() }
        return threads
    }

    /// Reads the configuration again. nil = it holds now; else why the old one stays.
    private func reload(_ service: Service) -> String? {
        let fresh: LoadedConfiguration
        do throws(ConfigurationErrors) {
            fresh = try ConfigurationFile.load(path: path)
        } catch {
            // The log may have been rotated all the same.
            reopenLog()
            for problem in error.problems { log.write(.error, "RELOAD: \(problem)") }
            return error.problems.map { "\($0)" }.joined(separator: "; ")
        }
        if let reason = use(fresh, service) {
            log.write(.error, "RELOAD: \(reason)")
            return reason
        }
        log.write(.info, "RELOAD: done")
        return nil
    }

    /// Changes one key until the next RELOAD. nil = done; else why it stays.
    private func set(_ key: String, _ value: String, _ service: Service) -> SettingRefusal? {
        let fresh: LoadedConfiguration
        do throws(SettingRefusal) {
            fresh = try loaded.withLock { $0 }.setting(key, to: value)
        } catch {
            return error
        }
        if let reason = use(fresh, service) { return SettingRefusal(reason: reason) }
        log.write(.info, "SET \(key) = \(value)")
        return nil
    }

    /// nil = `fresh` holds now; else why nothing has changed.
    private func use(_ fresh: LoadedConfiguration, _ service: Service) -> String? {
        if let reason = fresh.unavailable { return reason }
        let file: AppendedFile
        do throws(SocketError) {
            file = try LogWriter.open(fresh.log)
        } catch {
            return "the log file cannot be opened: \(error)"
        }
        do throws(TLSError) {
            try service.reload(fresh.settings)
        } catch {
            return "TLS: \(error)"
        }
        log.use(file, fresh.log)
        loaded.withLock { $0 = fresh }
        return nil
    }

    private func reopenLog() {
        let settings = loaded.withLock { $0.log }
        do throws(SocketError) {
            log.use(try LogWriter.open(settings), settings)
        } catch {
            log.write(.error, "the log file cannot be opened: \(error); the old one stays in use")
        }
    }

    /// HUP reloads, INT waits for servers, TERM waits for clients; a second one ends at once.
    private func watchSignals(_ service: Service) {
        _ = Threads.start(name: "signals") { [self] in
            while true {
                switch Signals.wait(for: [SIGHUP, SIGINT, SIGTERM, SIGQUIT]) {
                case SIGHUP: changing.withLock { _ in _ = reload(service) }
                case SIGINT: end(service, .waitForServers)
                case SIGTERM: end(service, .waitForClients)
                case SIGQUIT: end(service, .immediate)
                default: break
                }
            }
        }
    }

    private func end(_ service: Service, _ mode: ShutdownMode) {
        let isSecond = isEnding.withLock { ending in
            defer { ending = true }
            return ending
        }
        service.isStopping = true
        service.postToAll { _ in .stopListening }
        guard mode != .immediate, !isSecond else {
            log.write(.info, "shutting down at once")
            return service.postToAll { _ in .stop }
        }
        if mode == .waitForServers {
            log.write(.info, "shutting down: waiting for servers")
            let reply = ErrorReply.fatal(.adminShutdown, "server shutting down")
            service.postToAll { _ in .drain(reply) }
        } else {
            log.write(.info, "shutting down: waiting for clients to leave")
        }
        _ = Threads.start(name: "drain") {
            while service.clientCount > 0 { usleep(20_000) }
            service.postToAll { _ in .stop }
        }
    }
}
