internal import Bytes
internal import EventLoop
internal import Wire
internal import Worker

/// A WAIT_CLOSE that is answered when no server is left that RECONNECT wants closed.
struct WaitingForClose {
    let client: ClientID
    let database: String?
    var desk: ReportDesk
    /// Rounds in a row that found none. A server on its way from one worker to another may be in
    /// neither's list, but not twice.
    var cleanRoundCount = 0
    /// Each round costs the workers a look at all their servers.
    var nextRoundAt: Instant
}

extension Steward {
    private static let roundsNeeded = 2
    private static let roundPause: Duration = .milliseconds(100)

    mutating func waitForClose(
        _ database: String?, for client: ClientID
    ) throws(ErrorReply) -> Answer? {
        if let database { try check(database, "wait in") }
        waitingForClose.append(
            WaitingForClose(
                client: client, database: database, desk: askWorkers(wantsClients: false),
                nextRoundAt: now))
        return nil
    }

    mutating func answerWaitingForClose() {
        for index in waitingForClose.indices.reversed() {
            guard now >= waitingForClose[index].nextRoundAt,
                let lists = waitingForClose[index].desk.take()
            else { continue }
            let database = waitingForClose[index].database
            let isLeft = lists.servers.contains {
                $0.isOutdated && (database == nil || $0.database == database)
            }
            waitingForClose[index].cleanRoundCount =
                isLeft ? 0 : waitingForClose[index].cleanRoundCount + 1
            if waitingForClose[index].cleanRoundCount == Steward.roundsNeeded {
                let client = waitingForClose.remove(at: index).client
                reply(Answer.done(Command.Verb.waitClose.rawValue).bytes, to: client)
                continue
            }
            waitingForClose[index].desk = askWorkers(wantsClients: false)
            waitingForClose[index].nextRoundAt = isLeft ? now + Steward.roundPause : now
        }
    }
}
