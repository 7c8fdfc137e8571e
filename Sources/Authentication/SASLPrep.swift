/// How a password becomes bytes. Source: RFC 4013; PostgreSQL's `pg_saslprep`.
///
/// ASCII stays as it is. Of the rest we do what needs no Unicode tables: spaces become U+0020,
/// and characters that RFC 3454 table B.1 maps to nothing are dropped. Normalisation (NFKC) is
/// not done, because the standard library has none. So a password with compatibility characters,
/// such as "ﬁ" or a decomposed "é", makes other keys here than in libpq, and needs a stored SCRAM
/// secret.
enum SASLPrep {
    static func prepare(_ password: String) -> [UInt8] {
        guard !password.utf8.allSatisfy({ $0 < 128 }) else { return Array(password.utf8) }
        var prepared = String.UnicodeScalarView()
        for scalar in password.unicodeScalars {
            switch scalar.value {
            case 0xA0, 0x1680, 0x2000...0x200B, 0x202F, 0x205F, 0x3000:
                prepared.append(" ")
            case 0xAD, 0x34F, 0x1806, 0x180B...0x180D, 0x200C, 0x200D, 0x2060, 0xFE00...0xFE0F,
                0xFEFF:
                break
            default:
                prepared.append(scalar)
            }
        }
        // PostgreSQL keeps a password as it is when nothing would be left of it.
        return prepared.isEmpty ? Array(password.utf8) : Array(String(prepared).utf8)
    }
}
