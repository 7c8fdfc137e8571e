internal import Bytes

// Statements that PostgreSQL runs only while nobody else is connected to a database. Source:
// PostgreSQL's callers of CountOtherDBBackends (src/backend/commands/dbcommands.c).

extension StatementScanner {
    /// DROP DATABASE [ IF EXISTS ] name …
    mutating func dropDatabase(_ text: borrowing RawSpan) {
        if take("if", text) { _ = take("exists", text) }
        if let name = databaseName(text) { claim(name) }
    }

    /// ALTER DATABASE name { RENAME TO name | SET TABLESPACE name }
    mutating func alterDatabase(_ text: borrowing RawSpan) {
        guard let name = databaseName(text) else { return }
        if take("rename", text) || (take("set", text) && take("tablespace", text)) { claim(name) }
    }

    /// CREATE DATABASE name [ WITH ] { option [ = ] value } …, one of which may be the TEMPLATE.
    mutating func createDatabase(_ text: borrowing RawSpan) {
        guard databaseName(text) != nil else { return }
        _ = take("with", text)
        var template: String? = "template1"
        while let option = peek(text), option.kind == .word {
            _ = next(text)
            if isWord(option, "connection", text) { _ = take("limit", text) }
            // The equals sign, and that of a negative number.
            while let token = peek(text), token.kind == .symbol { _ = next(text) }
            guard isWord(option, "template", text) else {
                guard let value = peek(text), value.kind != .semicolon else { break }
                _ = next(text)
                continue
            }
            guard !take("default", text) else { continue }
            template = databaseName(text)
        }
        if let template { claim(template) }
    }

    /// A name as PostgreSQL folds it, or in single quotes as it stands; nil = it cannot be read.
    private mutating func databaseName(_ text: borrowing RawSpan) -> String? {
        guard let token = peek(text), token.kind != .semicolon else { return nil }
        _ = next(text)
        return token.kind == .string ? plainLiteral(token, text) : statementName(token, text)
    }
}
