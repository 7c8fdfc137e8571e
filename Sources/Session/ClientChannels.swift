public import Bytes
internal import SQL
internal import Wire

/// What one client listens to, and the notifications that wait for it. Performs no I/O.
///
/// Who delivers a channel's notifications:
///
///     LISTEN committed ──▶ the client's server ──▶ both have seen the marker ──▶ the listener
///                              joining                      owned, active
///
/// Exists only for clients that listen, or did.
public final class ClientChannels {
    /// What the client listens to, as of its last transaction.
    public private(set) var wanted: Set<String> = []
    /// The same, in the order in which it began to.
    private(set) var inOrder: [String] = []
    /// Those that the pool's listener delivers, or will from the marker on.
    public private(set) var owned: Set<String> = []
    /// Those that the pool's listener delivers now.
    private var active: Set<String> = []
    /// What the worker has registered.
    public var registered: Set<String> = []
    /// Markers that the listener has not seen yet, and the channels that it will deliver then.
    private var marked: [UInt32: Set<String>] = [:]
    private var markLast: UInt32 = 0

    /// Before an UNLISTEN the server was made to listen to all of `wanted`, so that what it hears
    /// afterwards is the truth.
    var isLent = false
    /// UNLISTEN in a transaction on a server that does not listen to what they name.
    private var removals: [(removal: ChannelRemoval, witness: Witness?)] = []
    /// What the last Parse was accompanied by.
    private var announced: Witness?
    private var witnessLast = 0

    /// A ReadyForQuery waits until the listener was asked whether it has heard more.
    public private(set) var isReadyHeld = false
    private var mustAskListener = false

    private var queue: [Notification] = []
    /// Bytes of the notifications that wait.
    public private(set) var queuedByteCount = 0

    /// A parameter that a transaction sets beside an UNLISTEN; it has the value afterwards if, and
    /// only if, the UNLISTEN was committed.
    struct Witness: Equatable {
        let name: String
        let value: String
    }

    init() {}

    /// Channels that only the client's server delivers.
    public var joining: Set<String> { wanted.subtracting(owned) }

    /// Whether something is or was to come from the listener, so that its loss matters.
    public var dependsOnListener: Bool { !owned.isEmpty || !marked.isEmpty }

    // MARK: UNLISTEN

    /// Beside an UNLISTEN of `client` that is on its way in a transaction block.
    func witness(client: UInt64) -> Witness {
        witnessLast += 1
        let witness = Witness(
            name: "pgweir.unlisten_\(removals.count)", value: "\(client).\(witnessLast)")
        announced = witness
        return witness
    }

    /// The client runs a text that takes channels away. Without a witness it is taken for
    /// committed.
    func note(_ taken: [ChannelRemoval]) {
        guard !isLent else { return }
        removals += taken.map { ($0, announced) }
        announced = nil
    }

    var witnesses: [Witness] { removals.compactMap(\.witness) }

    /// The transaction is over: its server listens to `heard`.
    func settle(serverHears heard: [String], committed: [Witness]) {
        var left = isLent ? [] : wanted
        for (removal, witness) in removals where witness.map(committed.contains) ?? true {
            switch removal {
            case .one(let name): left.remove(name)
            case .all: left.removeAll()
            }
        }
        removals.removeAll()
        announced = nil
        isLent = false
        inOrder = inOrder.filter { left.contains($0) } + heard.filter { !left.contains($0) }
        wanted = Set(inOrder)
        owned.formIntersection(wanted)
        active.formIntersection(wanted)
        for mark in marked.keys { marked[mark]?.formIntersection(wanted) }
        queue.removeAll { !active.contains($0.channel) }
        queuedByteCount = queue.reduce(0) { $0 + $1.byteCount }
    }

    /// Nobody knows what the transaction has done.
    func questionFailed() {
        removals.removeAll()
        announced = nil
        isLent = false
    }

    // MARK: Handing over

    /// A marker is on its way to the listener: behind it, the listener delivers all of `wanted`.
    public func beginMark() -> UInt32 {
        markLast &+= 1
        marked[markLast] = joining
        return markLast
    }

    /// The marker was not sent after all.
    public func endMark() { marked[markLast] = nil }

    /// What the listener would deliver behind markers is the server's after all.
    func forgetMarks() { marked.removeAll() }

    /// The client's server has come to the marker: what it says of them from now on is not
    /// delivered.
    func serverSawMark() { owned.formUnion(joining) }

    /// The pool's listener has come to marker `number`.
    public func listenerSawMark(_ number: UInt32) {
        guard let channels = marked.removeValue(forKey: number) else { return }
        active.formUnion(channels)
    }

    // MARK: Notifications

    public var hasQueued: Bool { !queue.isEmpty }

    /// The pool's listener has heard it. Returns whether not more than `byteCountMax` wait.
    public func enqueue(_ notification: Notification, byteCountMax: Int) -> Bool {
        guard active.contains(notification.channel) else { return true }
        queue.append(notification)
        queuedByteCount += notification.byteCount
        return queuedByteCount <= byteCountMax
    }

    /// A transaction is over, and what the listener has heard until now goes ahead of the
    /// ReadyForQuery.
    func holdReady() {
        isReadyHeld = true
        mustAskListener = true
    }

    /// Whether the worker has to ask the listener; it is told so once.
    public func takeMustAskListener() -> Bool {
        defer { mustAskListener = false }
        return mustAskListener
    }

    /// The listener has said all. Writes it, and the ReadyForQuery.
    public func writeHeldReady(to buffer: inout ByteBuffer) {
        isReadyHeld = false
        writeQueued(to: &buffer)
        ServerMessages.readyForQuery(.idle, to: &buffer)
    }

    public func writeQueued(to buffer: inout ByteBuffer) {
        for notification in queue { notification.write(to: &buffer) }
        queue.removeAll(keepingCapacity: queue.count <= 64)
        queuedByteCount = 0
    }
}
