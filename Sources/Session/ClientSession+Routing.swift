public import Bytes
internal import SQL
public import Wire

// What somebody must know who decides where a client's statements go, and the answers that are not
// a server's.

extension ClientSession {
    /// `standard_conforming_strings` of the client's session.
    public var readsConformingStrings: Bool { hasConformingStrings }

    /// A statement under way may change how the next one is to be read.
    public var isReadingInDoubt: Bool {
        !traces.suspected.isDisjoint(with: [.parameters, .anyParameter])
    }

    /// The statement that the client calls `name`, as of everything that was sent; empty = the one
    /// without a name. nil = there is none, or nobody remembers its text.
    public func statement(named name: borrowing RawSpan) -> UInt64? {
        if name.byteCount == 0 { return unnamed.current == 0 ? nil : unnamed.current }
        return names.found(name)?.statement
    }

    /// What the client's session has for `name`, of all parameters that it has set or that its
    /// server reports; nil = not known, or about to change.
    public func parameter(_ name: String) -> String? {
        guard traces.touched[name] == nil, !traces.suspected.contains(.anyParameter) else {
            return nil
        }
        return parameters.extra[name] ?? parameters.reported[name]
    }

    /// Has the linked server fail in the place of the message with `tag`, which is a Query or, for
    /// any other, part of a batch: the client is told `reply`, and a transaction is aborted.
    public mutating func refuse(
        _ tag: UInt8, with reply: ErrorReply, server: inout ServerSession,
        toServer: inout Outgoing, bytes: borrowing RawSpan, store: any StatementStore
    ) {
        toServer.spill(bytes)
        let text = RenamedText(refusal: reply)
        if tag == ClientTag.query {
            server.setUnnamed(0, store)
            unnamed.change(to: 0)
            server.expect(.query, of: text, changesUnnamed: true)
            ClientMessages.query("pgweir refuses a statement", to: &toServer.buffer)
        } else {
            server.expect(.bind, of: text)
            ClientMessages.bindNothing(to: &toServer.buffer)
        }
    }
}

extension ServerSession {
    /// The transaction block that it is in, or is about to be, fails; nobody is told.
    public mutating func failTransaction(_ toServer: inout ByteBuffer) {
        ClientMessages.failingParse(to: &toServer)
        expect(Expectation(.parse, .swallow))
        ClientMessages.sync(to: &toServer)
        expectOwnSync()
    }
}

extension ClientSession {
    /// `client_encoding` is UTF8.
    public var isUTF8: Bool { parameters.isUTF8 }

    /// The first schema of the session's search path; nil = not known, or it depends on the user.
    public var firstSchema: String? {
        guard let path = parameter("search_path") else { return nil }
        let first = path.prefix { $0 != "," }.trimmingSpaces
        if first.hasPrefix("\""), first.hasSuffix("\""), first.count > 2 {
            let name = first.dropFirst().dropLast()
            return name.contains("\"") || name == "$user" ? nil : String(name)
        }
        return first.isEmpty || first.contains("\"") ? nil : first.lowercased()
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var rest = self
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return rest
    }
}
