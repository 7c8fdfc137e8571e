public import Bytes

/// Messages of a client, as we write them towards servers.
public enum ClientMessages {
    public static let sslRequestCode: UInt32 = 80_877_103

    public static func sslRequest(to buffer: inout ByteBuffer) {
        buffer.append(bigEndian: UInt32(8))
        buffer.append(bigEndian: sslRequestCode)
    }

    public static func cancelRequest(
        processID: UInt32, key: [UInt8], to buffer: inout ByteBuffer
    ) {
        buffer.append(bigEndian: UInt32(12 + key.count))
        buffer.append(bigEndian: UInt32(80_877_102))
        buffer.append(bigEndian: processID)
        buffer.append(key)
    }

    public static func startup(
        minor: UInt16, parameters: [StartupParameter], to buffer: inout ByteBuffer
    ) {
        let lengthOffset = buffer.count
        buffer.append(bigEndian: UInt32(0))
        buffer.append(bigEndian: UInt32(3) << 16 | UInt32(minor))
        for parameter in parameters {
            buffer.append(cString: parameter.name)
            buffer.append(cString: parameter.value)
        }
        buffer.append(UInt8(0))
        buffer.replace(at: lengthOffset, bigEndian: UInt32(buffer.count - lengthOffset))
    }

    public static func query(_ text: String, to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.query) { $0.append(cString: text) }
    }

    public static func password(_ text: String, to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.password) { $0.append(cString: text) }
    }

    public static func saslInitialResponse(
        mechanism: String, _ data: [UInt8], to buffer: inout ByteBuffer
    ) {
        buffer.appendMessage(ClientTag.password) {
            $0.append(cString: mechanism)
            $0.append(bigEndian: UInt32(data.count))
            $0.append(data)
        }
    }

    public static func saslResponse(_ data: [UInt8], to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.password) { $0.append(data) }
    }

    /// A Parse that no server can understand: it ends a batch in error.
    public static func failingParse(to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.parse) {
            $0.append(UInt8(0))
            $0.append(cString: "client disconnected")
            $0.append(bigEndian: UInt16(0))
        }
    }

    /// A Bind of a statement that is not there: it ends a batch in error and changes nothing.
    public static func bindNothing(to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.bind) {
            $0.append(UInt8(0))
            $0.append(cString: "pgweir refuses a statement")
            for _ in 0..<3 { $0.append(bigEndian: UInt16(0)) }
        }
    }

    public static func flush(to buffer: inout ByteBuffer) { buffer.appendMessage(ClientTag.flush) }

    public static func sync(to buffer: inout ByteBuffer) { buffer.appendMessage(ClientTag.sync) }

    public static func terminate(to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.terminate)
    }

    public static func copyFail(_ reason: String, to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.copyFail) { $0.append(cString: reason) }
    }

    /// Runs one statement by messages of the extended protocol: Parse, Bind and Execute under
    /// `name`, which is free again behind it, and two Closes. `text` appends the statement, NUL
    /// included.
    public static func run(
        named name: String, to buffer: inout ByteBuffer, text: (inout ByteBuffer) -> Void
    ) {
        buffer.appendMessage(ClientTag.parse) {
            $0.append(cString: name)
            text(&$0)
            $0.append(bigEndian: UInt16(0))
        }
        buffer.appendMessage(ClientTag.bind) {
            $0.append(cString: name)
            $0.append(cString: name)
            for _ in 0..<3 { $0.append(bigEndian: UInt16(0)) }
        }
        buffer.appendMessage(ClientTag.execute) {
            $0.append(cString: name)
            $0.append(bigEndian: UInt32(0))
        }
        buffer.appendMessage(ClientTag.close) {
            $0.append(UInt8(ascii: "P"))
            $0.append(cString: name)
        }
        closeStatement(name, to: &buffer)
    }

    /// Closes the prepared statement `name`.
    public static func closeStatement(_ name: String, to buffer: inout ByteBuffer) {
        buffer.appendMessage(ClientTag.close) {
            $0.append(UInt8(ascii: "S"))
            $0.append(cString: name)
        }
    }
}
