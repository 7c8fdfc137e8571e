public import Bytes
internal import SQL
internal import Wire

// Before a server leaves its client it is asked what the client has left in its session.

extension ServerSession {
    /// Whether a question is under way.
    public var isQuestioned: Bool { question != nil || listing != nil }

    /// Asks which names of its database leave something; what was listed has `mark`.
    public mutating func askForFunctions(
        mark: String, toServer: inout ByteBuffer, store: any StatementStore
    ) {
        listing = FunctionListing()
        expectOwnQuery(store)
        let version = parameters.reported["server_version"] ?? ""
        ClientMessages.query(FunctionListing.sql(mark: mark, version: version), to: &toServer)
    }

    /// What it has said, or nil if it was not asked; ends the asking.
    public mutating func takeListing() -> FunctionListing? {
        let taken = listing
        listing = nil
        return taken
    }

    /// Asks what `client` may have left, if there is a doubt. Returns whether an answer is to come;
    /// otherwise the client's traces are settled.
    public mutating func ask(
        about client: inout ClientSession, isAudit: Bool = false, toServer: inout ByteBuffer,
        store: any StatementStore
    ) -> Bool {
        guard isAudit || !client.traces.suspected.isEmpty || client.traces.wasReset else {
            return false
        }
        let question = StateQuestion(
            client.traces, reported: parameters.reported, extra: parameters.extra,
            asksAll: isAudit, witnesses: client.channels?.witnesses ?? [])
        client.traces.asked()
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
        if question?.traces.mayListen ?? false { client.traces.pins.insert(.channels) }
        question = nil
        client.traces.answered()
        client.traces.pins.insert(.anyParameter)
        client.channels?.questionFailed()
    }

    private mutating func settle(
        _ question: StateQuestion, client: inout ClientSession, _ store: any StatementStore
    ) {
        let traces = question.traces
        let extra = extraParameters(question, traces)
        noteSurprises(question, traces, extra)
        var wanted = (reported: parameters.reported, extra: extra)
        // What was reset goes back to what the client began with, not to what the server did.
        for (name, value) in client.startup.extra where extra[name] == nil {
            wanted.extra[name] = value
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
        client.traces.answered()
        let asked = question.kinds.reduce(into: Suspicions()) { $0.formUnion($1) }
        client.traces.pins = client.traces.pins.subtracting(asked).union(question.found)
            .union(traces.suspected.intersection([.libraries, .seed]))
        if let heard = question.channels { settleChannels(heard, question, client: &client) }
    }

    /// An audit has found what no text showed.
    private mutating func noteSurprises(
        _ question: StateQuestion, _ traces: SessionTraces, _ extra: [String: String]
    ) {
        guard question.isAudit else { return }
        var found: [String] = []
        var kinds = question.found.subtracting(traces.suspected.union(traces.pins))
        let isHeardOf = traces.mayListen || question.channels?.allSatisfy(hears.contains) ?? true
        if !isHeardOf { kinds.insert(.channels) }
        if !kinds.isEmpty { found.append("\(kinds)") }
        if !traces.suspected.contains(.anyParameter) {
            let before = parameters.extra
            for name in Set(extra.keys).union(before.keys).sorted()
            where extra[name] != before[name] && traces.touched[name] == nil {
                found.append("parameter \(name)")
            }
        }
        surprise = found.isEmpty ? nil : found.joined(separator: ", ")
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
            let isListed = name != "role" && !name.contains(".")
            if isListed, question.allParameters != nil { continue }
            let wasReset = traces.touched[name] ?? traces.wasReset
            let isUnset =
                value == nil || (name == "role" && value == "none") || (wasReset && value == "")
            extra[name] = isUnset ? nil : value
        }
        return extra
    }
}
