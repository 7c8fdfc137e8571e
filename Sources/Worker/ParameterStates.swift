internal import EventLoop
internal import Session

/// One object for each set of parameter values that is about, so that whether a server fits a
/// client is one comparison of references. Forgets all when it has become large: what is asked for
/// afterwards gets a new object, which costs a comparison of values and changes nothing else.
final class ParameterStates: Sendable {
    private struct Key: Hashable, Sendable {
        let state: ParameterState

        static func == (left: Key, right: Key) -> Bool {
            left.state.reported == right.state.reported && left.state.extra == right.state.extra
                && left.state.isProven == right.state.isProven
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(state.reported)
            hasher.combine(state.extra)
        }
    }

    private struct Tables: Sendable {
        var states: [Key: ParameterState] = [:]
        /// What a server made of what a client named at its login.
        var proofs: [Key: ParameterState] = [:]
    }

    private static let countMax = 10_000
    private let tables = Guarded(Tables())

    func canonical(_ state: ParameterState) -> ParameterState {
        tables.withLock { tables in
            if let known = tables.states[Key(state: state)] { return known }
            if tables.states.count >= Self.countMax { tables.states.removeAll() }
            tables.states[Key(state: state)] = state
            return state
        }
    }

    /// A server has accepted `wanted`, and reports `made`.
    func prove(_ wanted: ParameterState, as made: ParameterState) {
        tables.withLock { tables in
            if tables.proofs.count >= Self.countMax { tables.proofs.removeAll() }
            tables.proofs[Key(state: wanted)] = made
        }
    }

    /// What a server made of `wanted` when it was asked before; nil = it was not.
    func proof(of wanted: ParameterState) -> ParameterState? {
        tables.withLock { $0.proofs[Key(state: wanted)] }
    }
}
