public import Bytes
internal import SQL
internal import Wire

// Before a server leaves its client it is asked what the client has left in its session.

extension ServerSession {
    /// Whether a question is under way.
    public var isQuestioned: Bool { question != nil }

    /// Asks what `client` may have left, if there is a doubt. Returns whether an answer is to come;
    /// otherwise the client's traces are settled.
    public mutating func ask(
        about client: inout ClientSession, toServer: inout ByteBuffer, store: any StatementStore
    ) -> Bool {
        guard !client.traces.suspected.isEmpty || client.traces.wasReset else { return false }
        let question = StateQuestion(
            client.traces, reported: parameters.reported, extra: parameters.extra,
            witnesses: client.channels?.witnesses ?? [])
        guard !question.isEmpty else {
            settle(question, client: &client, store)
            return false
        }
        self.question = question
        expectOwnQuery(store)
        ClientMessages.query(question.sql, to: &toServer)
        return true
    }

    /// The question was answered: what is there is the client's, or pins the server to it.
    public mutating func answered(client: inout ClientSession, store: any StatementStore) {
        guard let question else { return }
        self.question = nil
        guard question.answer != nil else { return unanswered(client: &client) }
        settle(question, client: &client, store)
    }

    /// The question failed: nobody knows what is there, so the server stays with its client.
    public mutating func unanswered(client: inout ClientSession) {
        question = nil
        client.traces.answered()
        client.traces.pins.insert(.anyParameter)
        client.channels?.questionFailed()
    }

    private mutating func settle(
        _ question: StateQuestion, client: inout ClientSession, _ store: any StatementStore
    ) {
        let traces = client.traces
        let extra = extraParameters(question, traces)
        var wanted = (reported: parameters.reported, extra: extra)
        // What was reset goes back to what the client began with, not to what the server did.
        for (name, value) in client.startup.extra where extra[name] == nil {
            if traces.wasReset || traces.touched[name] == true { wanted.extra[name] = value }
        }
        for (name, value) in client.startup.reported
        where !ParameterState.fixed.contains(name)
            && parameters.reported[name] == base.reported[name]
        {
            if traces.wasReset || traces.touched[name] == true { wanted.reported[name] = value }
        }
        parameters = store.canonical(
            ParameterState(reported: parameters.reported, extra: extra, isProven: true))
        client.parameters = store.canonical(
            ParameterState(reported: wanted.reported, extra: wanted.extra, isProven: true))
        let asked = question.kinds.reduce(into: Suspicions()) { $0.formUnion($1) }
        client.traces.pins = client.traces.pins.subtracting(asked).union(question.found)
            .union(traces.suspected.intersection([.libraries, .seed]))
        client.traces.answered()
        if let heard = question.channels {
            hears = heard.subtracting([marker])
            if client.channels == nil, !hears.isEmpty { client.channels = ClientChannels() }
            client.channels?.settle(serverHears: hears, committed: question.committedWitnesses)
        }
    }

    /// What the session has set and does not report.
    private func extraParameters(
        _ question: StateQuestion, _ traces: SessionTraces
    ) -> [String: String] {
        var extra = parameters.extra
        if let all = question.allParameters {
            extra = all.filter { parameters.reported[$0.key] == nil }
        }
        for (name, value) in question.named {
            let old = parameters.extra[name]
            let isGone = value == nil || (name == "role" && value == "none")
            let wasReset = (traces.touched[name] ?? traces.wasReset) && value != old
            if isGone || wasReset && question.allParameters?[name] == nil {
                extra[name] = nil
            } else if question.allParameters == nil || name == "role" || name.contains(".") {
                extra[name] = value
            }
        }
        return extra
    }
}
