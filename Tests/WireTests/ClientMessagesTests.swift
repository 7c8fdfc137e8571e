import Bytes
import TestSupport
import Testing
import Wire

@Suite struct ClientMessagesTests {
    @Test func `packets without a tag`() {
        #expect(written(ClientMessages.sslRequest) == packet(int32(80_877_103)))
        #expect(
            written {
                ClientMessages.cancelRequest(processID: 0xfedc_ba98, key: [1, 2, 3], to: &$0)
            }
                == packet(int32(80_877_102), int32(0xfedc_ba98), [1, 2, 3]))
        let parameters = [
            StartupParameter(name: "user", value: "u"),
            StartupParameter(name: "database", value: ""),
        ]
        #expect(
            written { ClientMessages.startup(minor: 2, parameters: parameters, to: &$0) }
                == packet(
                    int32(0x3_0002), cString("user"), cString("u"), cString("database"),
                    cString(""), [0]))
    }

    @Test func `a StartupMessage is written behind what is there, and read as it was written`() {
        var buffer = ByteBuffer()
        buffer.append(UInt8(9))
        let parameters = [StartupParameter(name: "user", value: "ü")]
        ClientMessages.startup(minor: 0, parameters: parameters, to: &buffer)
        buffer.consume(1)
        let read = try? StartupPacket.parse(buffer.bytes)
        #expect(read?.packet == .startup(minor: 0, parameters: parameters))
        let (byteCount, count) = (read?.byteCount, buffer.count)
        #expect(byteCount == count)
    }

    @Test func `queries and the ends of things`() {
        #expect(
            written { ClientMessages.query("select 'ü'", to: &$0) }
                == message("Q", cString("select 'ü'")))
        #expect(written(ClientMessages.sync) == [0x53, 0, 0, 0, 4])
        #expect(written(ClientMessages.terminate) == [0x58, 0, 0, 0, 4])
        #expect(
            written { ClientMessages.copyFail("gone", to: &$0) } == message("f", cString("gone")))
        #expect(
            written { ClientMessages.closeStatement("s1", to: &$0) }
                == message("C", utf8("S"), cString("s1")))
    }

    @Test func `passwords`() {
        #expect(
            written { ClientMessages.password("secret", to: &$0) }
                == message("p", cString("secret")))
        #expect(
            written {
                ClientMessages.saslInitialResponse(
                    mechanism: "SCRAM-SHA-256", utf8("n,,n=,r=x"), to: &$0)
            } == message("p", cString("SCRAM-SHA-256"), int32(9), utf8("n,,n=,r=x")))
        #expect(
            written { ClientMessages.saslResponse(utf8("c=biws"), to: &$0) }
                == message("p", utf8("c=biws")))
    }

    @Test func `a text ends at its first NUL, so that nothing can follow it`() {
        #expect(
            written { ClientMessages.query("a\0Q", to: &$0) } == message("Q", cString("a")))
    }
}
