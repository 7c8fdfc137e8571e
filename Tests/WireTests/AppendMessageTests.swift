import Bytes
import TestSupport
import Testing
import Wire

@Suite struct AppendMessageTests {
    @Test func `the length counts itself and the body, not the tag`() {
        #expect(written { $0.appendMessage(0x41) } == [0x41, 0, 0, 0, 4])
        #expect(
            written { $0.appendMessage(0x41) { $0.append([1, 2]) } } == [0x41, 0, 0, 0, 6, 1, 2])
        #expect(written { $0.appendMessage(0x41) { _ in } } == [0x41, 0, 0, 0, 4])
    }

    @Test func `the length is right behind other messages and when the buffer grows`() {
        let body = [UInt8](repeating: 3, count: 70_000)
        let bytes = written {
            $0.append([9, 9])
            $0.consume(1)
            $0.appendMessage(0x41)
            $0.appendMessage(0x42) { $0.append(body) }
        }
        #expect(bytes == [9] + message("A") + message("B", body))
    }

    @Test func `a C string ends at its first NUL`() {
        #expect(written { $0.append(cString: "ab\0c") } == [0x61, 0x62, 0])
        #expect(written { $0.append(cString: "") } == [0])
    }
}
