internal import Bytes
internal import SQL
internal import Wire

// A client whose channels are the pool's listener's, and a text that takes some of them away: its
// server hears none of them, and would not tell whether the UNLISTEN was committed.

extension ClientSession {
    /// Whether a text that looks at the client's channels, or takes some away, must wait because
    /// they are being handed over, and the server has our own among them.
    func mustAwaitHandover(
        _ facts: StatementFacts, _ server: borrowing ServerSession
    ) -> Bool {
        server.handover != .none && server.status == .idle && server.isBetweenCommands
            && channels != nil && facts.suspicions.isSuperset(of: [.channels, .removals])
    }

    /// Sends ahead of the text what will tell how it ends: outside of a transaction block, LISTEN
    /// to all that the client listens to; inside, a parameter that is set only if it is committed.
    /// Of a text that is not there whole, the rest may take channels away as well.
    mutating func announceRemovals(
        _ facts: StatementFacts, isWhole: Bool = true, server: inout ServerSession,
        toServer: inout Outgoing, _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        guard let channels, !channels.wanted.isEmpty, !channels.isLent,
            !isWhole || facts.suspicions.isSuperset(of: [.channels, .removals]),
            server.isBetweenCommands
        else { return }
        switch server.status {
        case .idle:
            // In one transaction: nothing that is notified meanwhile is missed.
            let listens = channels.inOrder.map { "; LISTEN \(Channel.quoted($0))" }
            channels.isLent = true
            traces.suspected.insert(.channels)
            send("UNLISTEN *" + listens.joined(), to: &server, &toServer, bytes, store)
        case .inTransaction:
            guard !facts.channelRemovals.isEmpty else { return }
            let witness = channels.witness(client: identity)
            send(
                "SET \(witness.name) = '\(witness.value)'", to: &server, &toServer, bytes, store)
        case .failed:
            break
        }
    }

    /// A text with these facts is executed.
    mutating func noteRemovals(_ facts: StatementFacts) {
        guard let channels, !facts.channelRemovals.isEmpty else { return }
        channels.note(facts.channelRemovals)
    }

    private func send(
        _ query: String, to server: inout ServerSession, _ toServer: inout Outgoing,
        _ bytes: borrowing RawSpan, _ store: any StatementStore
    ) {
        server.expectOwnQuery(store)
        toServer.spill(bytes)
        ClientMessages.query(query, to: &toServer.buffer)
    }
}

/// Names of channels.
public enum Channel {
    /// `name` as an identifier in SQL.
    public static func quoted(_ name: String) -> String {
        "\""
            + name.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }
}
