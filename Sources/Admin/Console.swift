// The virtual database's console. Workers hand queries over; one thread of its own answers them.

public import Bytes
public import Configuration
internal import Dispatch
internal import EventLoop
public import Worker

/// How the process is to end.
public enum ShutdownMode: Sendable {
    /// At once.
    case immediate
    /// When no server is in use; waiting clients are told.
    case waitForServers
    /// When the last client has left.
    case waitForClients
}

/// Answers the queries to the virtual database, one after the other, on its own thread. Ends with
/// the process.
public final class Console: ConsoleService {
    struct Request: Sendable {
        let query: String
        let client: ClientID
        let user: String
        let isAdmin: Bool
    }

    private let requests = Guarded<[Request]>([])
    private let bell = DispatchSemaphore(value: 0)

    /// `shown`: the rows of SHOW CONFIG. `reload`: reads the configuration again; nil = it holds
    /// now, else why not. `set`: changes one key until the next reload. All are called on the
    /// console's thread.
    public init(
        service: Service, shown: @escaping @Sendable () -> [ShownSetting],
        reload: @escaping @Sendable () -> String?,
        set: @escaping @Sendable (_ key: String, _ value: String) -> SettingRefusal?,
        shutdown: @escaping @Sendable (ShutdownMode) -> Void
    ) {
        _ = Threads.start(name: "console") { [self] in
            run(
                Steward(
                    service: service, shown: shown, reload: reload, set: set, shutdown: shutdown))
        }
    }

    public func execute(
        _ query: String, for client: ClientID, user: String, isAdmin: Bool
    ) {
        requests.withLock {
            $0.append(Request(query: query, client: client, user: user, isAdmin: isAdmin))
        }
        bell.signal()
    }

    /// A short sleep of the console's thread.
    static func nap() {
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .microseconds(500))
    }

    private func run(_ steward: consuming Steward) -> Never {
        while true {
            _ = bell.wait(timeout: .now() + .milliseconds(steward.pauseMilliseconds))
            let requests = requests.withLock { requests in
                defer { requests.removeAll() }
                return requests
            }
            steward.tick()
            for request in requests { steward.answer(request) }
        }
    }
}
