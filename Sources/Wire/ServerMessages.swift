public import Bytes

/// Messages of a server, as we write them towards clients.
public enum ServerMessages {
    public static func readyForQuery(_ status: TransactionStatus, to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.readyForQuery) { $0.append(status.rawValue) }
    }

    public static func parameterStatus(
        name: String, value: String, to buffer: inout ByteBuffer
    ) {
        buffer.appendMessage(ServerTag.parameterStatus) {
            $0.append(cString: name)
            $0.append(cString: value)
        }
    }

    public static func backendKeyData(
        processID: UInt32, key: [UInt8], to buffer: inout ByteBuffer
    ) {
        buffer.appendMessage(ServerTag.backendKeyData) {
            $0.append(bigEndian: processID)
            $0.append(key)
        }
    }

    public static func authenticationOk(to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.authentication) { $0.append(bigEndian: UInt32(0)) }
    }

    public static func authenticationCleartext(to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.authentication) { $0.append(bigEndian: UInt32(3)) }
    }

    /// `salt`: four bytes.
    public static func authenticationMD5(salt: [UInt8], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.authentication) {
            $0.append(bigEndian: UInt32(5))
            $0.append(salt)
        }
    }

    public static func authenticationSASL(mechanisms: [String], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.authentication) { body in
            body.append(bigEndian: UInt32(10))
            for mechanism in mechanisms { body.append(cString: mechanism) }
            body.append(UInt8(0))
        }
    }

    public static func authenticationSASLContinue(_ data: [UInt8], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.authentication) {
            $0.append(bigEndian: UInt32(11))
            $0.append(data)
        }
    }

    public static func authenticationSASLFinal(_ data: [UInt8], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.authentication) {
            $0.append(bigEndian: UInt32(12))
            $0.append(data)
        }
    }

    public static func negotiateProtocolVersion(
        minor: UInt16, unknownOptions: [String], to buffer: inout ByteBuffer
    ) {
        buffer.appendMessage(ServerTag.negotiateProtocolVersion) { body in
            body.append(bigEndian: UInt32(3) << 16 | UInt32(minor))
            body.append(bigEndian: UInt32(unknownOptions.count))
            for option in unknownOptions { body.append(cString: option) }
        }
    }

    public static func commandComplete(_ tag: String, to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.commandComplete) { $0.append(cString: tag) }
    }

    /// `type`: the object id of the column's type, as in pg_type.
    public static func rowDescription(
        _ columns: [(name: String, type: UInt32)], to buffer: inout ByteBuffer
    ) {
        buffer.appendMessage(ServerTag.rowDescription) { body in
            body.append(bigEndian: UInt16(columns.count))
            for column in columns {
                body.append(cString: column.name)
                body.append(bigEndian: UInt32(0))
                body.append(bigEndian: UInt16(0))
                body.append(bigEndian: column.type)
                body.append(bigEndian: UInt16(bitPattern: column.type == 25 ? -1 : 8))
                body.append(bigEndian: UInt32.max)
                body.append(bigEndian: UInt16(0))
            }
        }
    }

    /// A row in text format; nil is NULL.
    public static func dataRow(_ values: [String?], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ServerTag.dataRow) { body in
            body.append(bigEndian: UInt16(values.count))
            for value in values {
                guard let value else {
                    body.append(bigEndian: UInt32.max)
                    continue
                }
                body.append(bigEndian: UInt32(value.utf8.count))
                body.append(utf8: value)
            }
        }
    }
}
