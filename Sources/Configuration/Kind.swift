internal import Foundation

/// Where relative file names start.
struct Place: Sendable {
    let directory: String

    func resolve(_ path: String) -> String {
        path.hasPrefix("/") ? path : directory + "/" + path
    }
}

/// How one kind of value is read from a file and shown again. Reading what was shown gives the
/// same value.
struct Kind<Stored: Sendable>: Sendable {
    let read: @Sendable (WrittenValue, Place) throws(Complaint) -> Stored
    let show: @Sendable (Stored) -> ShownValue
}

extension Kind where Stored: FixedWidthInteger {
    static func count(_ range: ClosedRange<Int>) -> Kind {
        Kind(
            read: { (value, _) throws(Complaint) in Stored(try value.integer(in: range)) },
            show: { .integer(Int($0)) })
    }
}

extension Kind<UInt32> {
    /// Permission bits. Text only: a TOML 400 would be read as decimal, to nobody's liking.
    static var octal: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                guard let text = try? value.text(), let bits = UInt32(text, radix: 8), bits <= 0o777
                else {
                    throw Complaint(
                        "expected octal digits from 0000 to 0777 (in TOML in quotes), "
                            + "found \(value.quoted)")
                }
                return bits
            },
            show: {
                let digits = String($0, radix: 8)
                return .text(String(repeating: "0", count: 4 - digits.count) + digits)
            })
    }
}

extension Kind<Bool> {
    static var flag: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in try value.boolean() },
            show: { .boolean($0) })
    }

    /// Two words instead of true and false.
    static func words(true trueWord: String, false falseWord: String) -> Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                let text = try value.text()
                if text == trueWord { return true }
                if text == falseWord { return false }
                throw Complaint("\(value.quoted) is not one of \(trueWord), \(falseWord)")
            },
            show: { .text($0 ? trueWord : falseWord) })
    }
}

extension Kind<Duration> {
    static var duration: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in try value.duration() },
            show: { .duration($0) })
    }

    /// Above zero: where zero would make no sense.
    static var positiveDuration: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                let duration = try value.duration()
                guard duration > .zero else { throw Complaint("must be more than 0") }
                return duration
            },
            show: { .duration($0) })
    }

    /// PgBouncer counts this one in milliseconds. So that nobody mistakes them for seconds, TOML
    /// wants a unit.
    static var milliseconds: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                switch value {
                case .bare: .milliseconds(try value.integer(in: 0...1_000_000_000))
                case .integer(0): .zero
                case .string: try value.duration()
                case .integer, .number, .boolean, .list, .table, .unfitting:
                    throw Complaint("expected a duration with its unit, such as \"30s\"")
                }
            },
            show: { .milliseconds($0) })
    }

    /// 1 stands for 45 seconds. Source: PgBouncer's `tcp_defer_accept` on Linux.
    static var deferAccept: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                if case .boolean(let isOn) = value { return isOn ? .seconds(45) : .zero }
                let duration = try value.duration()
                return duration == .seconds(1) ? .seconds(45) : duration
            },
            show: { .duration($0) })
    }
}

extension Kind<String> {
    static var text: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in try value.text() },
            show: { .text($0) })
    }
}

extension Kind<String?> {
    /// "" = none.
    static var textOrNone: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                let text = try value.text()
                return text.isEmpty ? nil : text
            },
            show: { .text($0 ?? "") })
    }

    /// "" = never, "<empty>" = the empty query. Source: PgBouncer's `server_check_query`.
    static var checkQuery: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                let text = try value.text()
                if text.isEmpty { return nil }
                return text == "<empty>" ? "" : text
            },
            show: { query in
                guard let query else { return .text("") }
                return .text(query.isEmpty ? "<empty>" : query)
            })
    }

    /// A file that may not exist yet; "" = none.
    static var path: Kind {
        Kind(
            read: { (value, place) throws(Complaint) in
                let text = try value.text()
                return text.isEmpty ? nil : place.resolve(text)
            },
            show: { .path($0 ?? "") })
    }

    /// A file that must be readable; "" = none.
    static var readableFile: Kind {
        Kind(
            read: { (value, place) throws(Complaint) in
                let text = try value.text()
                guard !text.isEmpty else { return nil }
                let path = place.resolve(text)
                guard FileManager.default.isReadableFile(atPath: path) else {
                    throw Complaint("\(path) does not exist or cannot be read")
                }
                return path
            },
            show: { .path($0 ?? "") })
    }
}

extension Kind<[String]> {
    static var list: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in try value.list() },
            show: { .list($0) })
    }
}

extension Kind<Set<String>> {
    static var lowercaseNames: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                Set(try value.list().map { $0.lowercased() })
            },
            show: { .list($0.sorted()) })
    }
}

extension Kind<[UInt16]> {
    static var ports: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                var written = [value]
                if case .list(let items) = value { written = items }
                if case .bare(let text) = value {
                    written = text.split(separator: ",").map {
                        .bare($0.trimmingCharacters(in: .whitespaces))
                    }
                }
                guard !written.isEmpty else { throw Complaint("expected a port") }
                var ports: [UInt16] = []
                for one in written { ports.append(UInt16(try one.integer(in: 1...65535))) }
                return ports
            },
            show: { .integers($0.map { Int($0) }) })
    }
}

extension Kind where Stored: RawRepresentable<String>, Stored: CaseIterable {
    static var choice: Kind {
        Kind(
            read: { (value, _) throws(Complaint) in
                guard let text = try? value.text(), let choice = Stored(rawValue: text) else {
                    let allowed = Stored.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Complaint("\(value.quoted) is not one of \(allowed)")
                }
                return choice
            },
            show: { .text($0.rawValue) })
    }
}
