/// The place in some settings that a key fills.
struct Slot<Target: Sendable>: Sendable {
    let read: @Sendable (WrittenValue, Place, inout Target) throws(Complaint) -> Void
    /// nil = not set, so something else decides.
    let show: @Sendable (Target) -> ShownValue?

    static func always<Stored>(
        _ path: any WritableKeyPath<Target, Stored> & Sendable, _ kind: Kind<Stored>
    ) -> Slot {
        Slot(
            read: { (value, place, target) throws(Complaint) in
                target[keyPath: path] = try kind.read(value, place)
            },
            show: { kind.show($0[keyPath: path]) })
    }

    /// A setting that may be left to the database or the service.
    static func override<Stored>(
        _ path: any WritableKeyPath<Target, Stored?> & Sendable, _ kind: Kind<Stored>,
        unsetBy inherits: Inherits
    ) -> Slot {
        Slot(
            read: { (value, place, target) throws(Complaint) in
                let isUnset = inherits.matches(value)
                target[keyPath: path] = isUnset ? nil : try kind.read(value, place)
            },
            show: { target in target[keyPath: path].map { kind.show($0) } })
    }
}

/// Which written values mean "as if the key were not there". Source: PgBouncer's precedence.
enum Inherits: Sendable {
    case never
    case negative
    case zeroAndNegative

    func matches(_ value: WrittenValue) -> Bool {
        let number: Double? =
            switch value {
            case .bare(let text): Double(text)
            case .integer(let number): Double(number)
            case .number(let number): number
            case .string, .boolean, .list, .table, .unfitting: nil
            }
        guard let number else { return false }
        return switch self {
        case .never: false
        case .negative: number == -1
        case .zeroAndNegative: number == -1 || number == 0
        }
    }
}
