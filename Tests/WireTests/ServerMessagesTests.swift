import Bytes
import TestSupport
import Testing
import Wire

@Suite struct ServerMessagesTests {
    @Test(arguments: [
        (TransactionStatus.idle, UInt8(ascii: "I")), (.inTransaction, UInt8(ascii: "T")),
        (.failed, UInt8(ascii: "E")),
    ])
    func `ReadyForQuery`(_ status: TransactionStatus, _ byte: UInt8) {
        #expect(
            written { ServerMessages.readyForQuery(status, to: &$0) } == message("Z", [byte]))
    }

    @Test func `what a login ends with`() {
        #expect(
            written { ServerMessages.parameterStatus(name: "TimeZone", value: "UTC", to: &$0) }
                == message("S", cString("TimeZone"), cString("UTC")))
        #expect(
            written { ServerMessages.backendKeyData(processID: 0x8000_0002, key: [5, 6], to: &$0) }
                == message("K", int32(0x8000_0002), [5, 6]))
    }

    @Test func `requests for authentication`() {
        #expect(written(ServerMessages.authenticationOk) == message("R", int32(0)))
        #expect(written(ServerMessages.authenticationCleartext) == message("R", int32(3)))
        #expect(
            written { ServerMessages.authenticationMD5(salt: [1, 2, 3, 4], to: &$0) }
                == message("R", int32(5), [1, 2, 3, 4]))
        #expect(
            written { ServerMessages.authenticationSASL(mechanisms: ["A", "BC"], to: &$0) }
                == message("R", int32(10), cString("A"), cString("BC"), [0]))
        #expect(
            written { ServerMessages.authenticationSASLContinue([7, 8], to: &$0) }
                == message("R", int32(11), [7, 8]))
        #expect(
            written { ServerMessages.authenticationSASLFinal([9], to: &$0) }
                == message("R", int32(12), [9]))
    }

    @Test func `NegotiateProtocolVersion`() {
        #expect(
            written {
                ServerMessages.negotiateProtocolVersion(
                    minor: 2, unknownOptions: ["_pq_.a", "_pq_.b"], to: &$0)
            }
                == message(
                    "v", int32(0x3_0002), int32(2), cString("_pq_.a"), cString("_pq_.b")))
        #expect(
            written {
                ServerMessages.negotiateProtocolVersion(minor: 0, unknownOptions: [], to: &$0)
            } == message("v", int32(0x3_0000), int32(0)))
    }

    @Test func `results`() {
        let columns: [(name: String, type: UInt32)] = [("name", 25), ("count", 20)]
        #expect(
            written { ServerMessages.rowDescription(columns, to: &$0) }
                == message(
                    "T", int16(2),
                    cString("name"), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0),
                    cString("count"), int32(0), int16(0), int32(20), int16(8), int32(-1), int16(0)))
        #expect(
            written { ServerMessages.dataRow(["ü", nil, ""], to: &$0) }
                == message("D", int16(3), int32(2), utf8("ü"), int32(-1), int32(0)))
        #expect(
            written { ServerMessages.commandComplete("SHOW", to: &$0) }
                == message("C", cString("SHOW")))
    }
}
