// Messages from other threads to the one that turns a loop.

internal import Synchronization

/// Messages from any thread to one, in order of posting for each sender. Posting wakes the reader.
///
/// Has no limit of its own: who posts bounds how many of its messages can be under way.
@safe public final class Mailbox<Message: Sendable>: @unchecked Sendable {
    // Safe: `messages` is touched under `lock` only.
    private let lock = Lock()
    private var messages: [Message] = []
    private let hasMessages = Atomic<Bool>(false)
    private let waker: Waker

    /// `waker` is that of the loop whose thread drains this box.
    public init(waker: Waker) { self.waker = waker }

    public func post(_ message: Message) {
        lock.withLock {
            messages.append(message)
            hasMessages.store(true, ordering: .releasing)
        }
        waker.wake()
    }

    /// Appends all messages to `drained` and forgets them. An empty `drained` is swapped in, so
    /// two arrays go back and forth and nothing is allocated. Without the lock when there is none.
    public func drain(into drained: inout [Message]) {
        guard !isEmpty else { return }
        lock.withLock {
            if drained.isEmpty {
                swap(&messages, &drained)
            } else {
                drained.append(contentsOf: messages)
                messages.removeAll(keepingCapacity: true)
            }
            hasMessages.store(false, ordering: .releasing)
        }
    }

    /// Whether nothing waits. What was posted before a wake-up that ended a turn is seen after it.
    public var isEmpty: Bool { !hasMessages.load(ordering: .acquiring) }
}
