// Names to addresses, on threads of its own, because getaddrinfo(3) blocks.

public import Bytes
internal import CURing
internal import Glibc
internal import Synchronization

/// Why a name has no address.
public struct ResolverError: Error, Hashable, Sendable, CustomStringConvertible {
    public let host: String
    /// getaddrinfo(3)'s words: "Name or service not known".
    public let text: String

    public init(host: String, text: String) {
        self.host = host
        self.text = text
    }

    public var description: String { "\(host): \(text)" }
}

/// A host name as the resolver remembers it.
public struct ResolvedName: Sendable, Equatable {
    public let host: String
    /// Of the last look-up that did not fail; ports are 0.
    public let addresses: [SocketAddress]
    /// When it is looked up again, if somebody asks then.
    public let expires: Instant
    /// Whether a look-up is queued or under way.
    public let isPending: Bool
}

/// Looks up host names, each once at a time, and remembers the answers.
public final class Resolver: Sendable {
    public typealias Answer = Result<[SocketAddress], ResolverError>
    public typealias Lookup = @Sendable (_ host: String) -> Answer

    /// Names remembered at most; when there are more, all are forgotten.
    public static let namesMax = 4096

    private let desk: ResolverDesk

    /// Good answers count for `lifetime`, failures for `failureLifetime`. `lookup`: for tests.
    public init(
        lifetime: Duration, failureLifetime: Duration, threadCount: Int = 2,
        lookup: @escaping Lookup = { Resolver.lookUp($0) }
    ) {
        desk = ResolverDesk(
            lifetime: lifetime, failureLifetime: failureLifetime, lookup: lookup)
        for _ in 0..<threadCount {
            let desk = desk
            _ = Threads.start(name: "resolver") { desk.work() }
        }
    }

    deinit { desk.stop() }

    /// For answers that come from now on.
    public func setLifetimes(_ lifetime: Duration, failures: Duration) {
        desk.setLifetimes(lifetime, failures: failures)
    }

    /// What is remembered, by name.
    public var names: [ResolvedName] { desk.names }

    /// Calls `done` with at least one address, or why there is none.
    ///
    /// At once, on this thread, for numeric addresses, unix paths ("/…", "@…"; taken as they
    /// are), and names that are remembered; else later on a thread of the resolver's, where it
    /// must be short: post to a mailbox. Not at all when the resolver has ended before. A lookup
    /// that fails after one that did not keeps the old answer.
    public func resolve(
        _ host: String, port: UInt16, _ done: @Sendable @escaping (Answer) -> Void
    ) {
        if host.hasPrefix("/") || host.hasPrefix("@") {
            do {
                done(.success([try SocketAddress(unixPath: host)]))
            } catch {
                done(.failure(ResolverError(host: host, text: error.description)))
            }
            return
        }
        if let address = SocketAddress(numeric: host, port: port) {
            done(.success([address]))
            return
        }
        desk.ask(host) { answer in done(answer.map { $0.map { $0.with(port: port) } }) }
    }

    /// One lookup, now, on this thread. Ports are 0.
    public static func lookUp(_ host: String) -> Answer {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_family = AF_UNSPEC
        var first: UnsafeMutablePointer<addrinfo>?
        // Safe: getaddrinfo fills a list that freeaddrinfo frees; we copy out of it in between.
        let code = unsafe getaddrinfo(host, nil, &hints, &first)
        guard code == 0 else {
            let text = unsafe String(cString: gai_strerror(code))
            return .failure(ResolverError(host: host, text: text))
        }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next {
            unsafe next = entry.pointee.ai_next
            var storage = sockaddr_storage()
            let byteCount = unsafe entry.pointee.ai_addrlen
            guard let source = unsafe entry.pointee.ai_addr,
                Int(byteCount) <= MemoryLayout<sockaddr_storage>.size
            else { continue }
            unsafe withUnsafeMutableBytes(of: &storage) { target in
                unsafe target.copyMemory(
                    from: UnsafeRawBufferPointer(start: source, count: Int(byteCount)))
            }
            if let address = SocketAddress(storage, byteCount: byteCount),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
        }
        guard !addresses.isEmpty else {
            return .failure(ResolverError(host: host, text: "has no address"))
        }
        return .success(addresses)
    }
}

/// What the resolver and its threads share; it outlives the resolver until they have ended.
private final class ResolverDesk: Sendable {
    private typealias Done = @Sendable (Resolver.Answer) -> Void

    private struct Name {
        var answer: Resolver.Answer?
        var expires = Instant.zero
        /// Who waits for the lookup that is under way or queued; empty when none is.
        var waiting: [Done] = []
    }

    private struct State {
        var names: [String: Name] = [:]
        var queue: [String] = []
        var isStopped = false
        var lifetime: Duration
        var failureLifetime: Duration
    }

    private let state: Mutex<State>
    private let bell = Bell()
    private let lookup: Resolver.Lookup

    init(lifetime: Duration, failureLifetime: Duration, lookup: @escaping Resolver.Lookup) {
        state = Mutex(State(lifetime: lifetime, failureLifetime: failureLifetime))
        self.lookup = lookup
    }

    func setLifetimes(_ lifetime: Duration, failures: Duration) {
        state.withLock {
            $0.lifetime = lifetime
            $0.failureLifetime = failures
        }
    }

    var names: [ResolvedName] {
        let names = state.withLock { $0.names }
        return names.sorted { $0.key < $1.key }.map { host, name in
            var addresses: [SocketAddress] = []
            if case .success(let found)? = name.answer { addresses = found }
            return ResolvedName(
                host: host, addresses: addresses, expires: name.expires,
                isPending: !name.waiting.isEmpty)
        }
    }

    func ask(_ host: String, _ done: @Sendable @escaping (Resolver.Answer) -> Void) {
        let now = MonotonicClock.now()
        let remembered = state.withLock { state -> Resolver.Answer? in
            if state.names.count >= Resolver.namesMax {
                state.names = state.names.filter { !$0.value.waiting.isEmpty }
            }
            var name = state.names[host] ?? Name()
            if name.waiting.isEmpty, let answer = name.answer, now < name.expires { return answer }
            if name.waiting.isEmpty { state.queue.append(host) }
            name.waiting.append(done)
            state.names[host] = name
            return nil
        }
        if let remembered { done(remembered) } else { bell.ring() }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        bell.ring()
    }

    /// Looks names up until stopped.
    func work() {
        while true {
            let heard = bell.count
            let (host, isStopped) = state.withLock { state in
                (state.queue.isEmpty ? nil : state.queue.removeFirst(), state.isStopped)
            }
            if isStopped { return }
            guard let host else {
                bell.wait(after: heard)
                continue
            }
            finish(host, with: lookup(host))
        }
    }

    private func finish(_ host: String, with fresh: Resolver.Answer) {
        let now = MonotonicClock.now()
        let (answer, waiting) = state.withLock { state -> (Resolver.Answer, [Done]) in
            var name = state.names[host] ?? Name()
            let waiting = name.waiting
            name.waiting = []
            switch (fresh, name.answer) {
            case (.success, _):
                name.answer = fresh
                name.expires = now + state.lifetime
            case (.failure, .success?):
                name.expires = now + state.failureLifetime
            case (.failure, _):
                name.answer = fresh
                name.expires = now + state.failureLifetime
            }
            state.names[host] = name
            return (name.answer ?? fresh, waiting)
        }
        for done in waiting { done(answer) }
    }
}
