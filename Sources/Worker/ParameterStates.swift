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

    private static let countMax = 10_000
    private let table = Guarded([Key: ParameterState]())

    func canonical(_ state: ParameterState) -> ParameterState {
        table.withLock { table in
            if let known = table[Key(state: state)] { return known }
            if table.count >= Self.countMax { table.removeAll() }
            table[Key(state: state)] = state
            return state
        }
    }
}
