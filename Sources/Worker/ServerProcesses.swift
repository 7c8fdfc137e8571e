public import Bytes
internal import EventLoop
internal import Session
internal import Synchronization

extension ClientID {
    /// What the client is told at its login, for cancel requests and in its own notifications.
    ///
    /// Worker and one in the high byte, place in the low three, from 1 on; never negative. Larger
    /// than any process of Linux. Source: proc(5), pid_max.
    public var processID: UInt32 { UInt32(worker &+ 1) << 24 | (slot + 1) }

    /// The worker of the client that was told `processID`.
    static func worker(of processID: UInt32) -> UInt8 {
        UInt8(truncatingIfNeeded: processID >> 24) &- 1
    }
}

/// Which client has a server, or had it last. Any thread may ask; who has the server tells.
final class ServerHolder: Sendable {
    private let client = Atomic<UInt32>(0)

    /// As the client was told at its login; 0 = it was told nothing yet.
    func hold(_ processID: UInt32) { client.store(processID, ordering: .relaxed) }

    var processID: UInt32? {
        let processID = client.load(ordering: .relaxed)
        return processID == 0 ? nil : processID
    }
}

/// The processes of one host and port that are servers of ours.
final class ServerProcesses: ProcessNames, Sendable {
    private let holders = Guarded([UInt32: ServerHolder]())

    /// A server has logged in.
    func add(_ process: UInt32) -> ServerHolder {
        let holder = ServerHolder()
        holders.withLock { $0[process] = holder }
        return holder
    }

    /// The server of `holder` is gone. Its number may be another's by now.
    func remove(_ process: UInt32, _ holder: ServerHolder) {
        holders.withLock { holders in
            if holders[process] === holder { holders[process] = nil }
        }
    }

    func told(for process: UInt32) -> UInt32? {
        holders.withLock { $0[process] }?.processID
    }
}

extension Service {
    func processes(host: String, port: UInt16) -> ServerProcesses {
        serverProcesses.withLock { all in
            let key = Budget.Key.host(host, port)
            if let known = all[key] { return known }
            let made = ServerProcesses()
            all[key] = made
            return made
        }
    }
}
