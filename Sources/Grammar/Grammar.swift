internal import CPgQuery

/// Why a text has no parse tree.
public enum GrammarError: Error, Equatable, Sendable {
    /// In PostgreSQL's words; `offset` in bytes from the start of the text.
    case syntax(String, offset: Int)
    /// The tree is too deep, or the text is not such as a server would take.
    case unreadable
}

/// PostgreSQL's own parser, by libpg_query: the grammar of PostgreSQL 15.
///
/// Costs 10 to 100 µs and recurses with the nesting of the text: callers bound its length, and
/// call it from threads with 8 MiB of stack. Thread-safe.
public enum Grammar {
    /// The statements of `text`, which is UTF-8.
    ///
    /// Read as with `standard_conforming_strings` on.
    public static func parse(_ text: [UInt8]) throws(GrammarError) -> [ParseNode] {
        guard !text.contains(0), String(validating: text, as: UTF8.self) != nil else {
            throw .unreadable
        }
        var terminated = text.map { CChar(bitPattern: $0) }
        terminated.append(0)
        // Safe: the array outlives the call, ends with a zero, and the parser only reads it.
        let result = unsafe terminated.withUnsafeBufferPointer {
            unsafe pg_query_parse($0.baseAddress)
        }
        // Safe: the result is freed once, after everything was copied out of it.
        defer { unsafe pg_query_free_parse_result(result) }
        if let error = unsafe result.error {
            let message = unsafe error.pointee.message.map { unsafe String(cString: $0) }
            throw .syntax(
                message ?? "syntax error", offset: max(0, Int(unsafe error.pointee.cursorpos) - 1))
        }
        guard let json = unsafe result.parse_tree,
            let tree = JSONReader.read(Array(unsafe String(cString: json).utf8)),
            case .array(let statements)? = tree["stmts"] ?? .array([])
        else { throw .unreadable }
        return statements.compactMap { $0["stmt"] }
    }
}
