import Bytes
import TestSupport
import Testing
import Wire

@Suite struct StartupPacketTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let packet: StartupPacket
        var testDescription: String { name }
    }

    private static let parameters = [
        StartupParameter(name: "user", value: "gül"),
        StartupParameter(name: "database", value: ""),
        StartupParameter(name: "options", value: "-c a=b"),
        StartupParameter(name: "user", value: "again"),
    ]
    private static let parameterBytes: [UInt8] =
        parameters.flatMap { cString($0.name) + cString($0.value) } + [0]
    private static let key32 = [UInt8](1...32)

    static let samples = [
        Sample(
            name: "3.0", bytes: packet(int32(0x3_0000), parameterBytes),
            packet: .startup(minor: 0, parameters: parameters)),
        Sample(
            name: "3.2", bytes: packet(int32(0x3_0002), parameterBytes),
            packet: .startup(minor: 2, parameters: parameters)),
        Sample(
            name: "3.9999, as libpq asks to keep negotiation working",
            bytes: packet(int32(0x3_0000 | 9999), parameterBytes),
            packet: .startup(minor: 9999, parameters: parameters)),
        Sample(
            name: "no parameters", bytes: packet(int32(0x3_0000), [0]),
            packet: .startup(minor: 0, parameters: [])),
        Sample(name: "SSLRequest", bytes: packet(int32(80_877_103)), packet: .sslRequest),
        Sample(
            name: "GSSENCRequest", bytes: packet(int32(80_877_104)),
            packet: .gssEncryptionRequest),
        Sample(
            name: "CancelRequest of 3.0",
            bytes: packet(int32(80_877_102), int32(0x8000_0001), [1, 2, 3, 4]),
            packet: .cancelRequest(processID: 0x8000_0001, key: [1, 2, 3, 4])),
        Sample(
            name: "CancelRequest of 3.2", bytes: packet(int32(80_877_102), int32(7), key32),
            packet: .cancelRequest(processID: 7, key: key32)),
        Sample(
            name: "CancelRequest with the longest key",
            bytes: packet(int32(80_877_102), int32(7), [UInt8](repeating: 9, count: 256)),
            packet: .cancelRequest(processID: 7, key: [UInt8](repeating: 9, count: 256))),
    ]

    /// A tuple is not Equatable.
    private struct Parsed: Equatable {
        let packet: StartupPacket
        let byteCount: Int
    }

    private func parse(_ bytes: [UInt8]) throws -> Parsed? {
        try bytes.withRawSpan { span throws(WireError) in
            try StartupPacket.parse(span).map { Parsed(packet: $0.packet, byteCount: $0.byteCount) }
        }
    }

    @Test(arguments: samples)
    func `a packet is read when it is all there, and not before`(_ sample: Sample) throws {
        for cut in 0..<sample.bytes.count {
            #expect(try parse(Array(sample.bytes.prefix(cut))) == nil, "cut at byte \(cut)")
        }
        let whole = Parsed(packet: sample.packet, byteCount: sample.bytes.count)
        #expect(try parse(sample.bytes) == whole)
        #expect(try parse(sample.bytes + message("Q", cString("select 1"))) == whole)
    }

    @Test(arguments: [0, 4, 7, 10_001, 0x7fff_ffff, 0xffff_ffff])
    func `a length that no startup packet has is an error at once`(_ length: Int) {
        #expect(throws: WireError.startupLength(UInt32(length))) { try parse(int32(length)) }
    }

    @Test func `the longest packet is taken`() throws {
        let value = String(repeating: "x", count: 10_000 - 8 - 5 - 1 - 1)
        let bytes = packet(int32(0x3_0000), cString("user"), cString(value), [0])
        #expect(bytes.count == StartupPacket.byteCountMax)
        #expect(try parse(bytes)?.byteCount == 10_000)
    }

    @Test(arguments: [80_877_103, 80_877_104])
    func `a request for encryption carries nothing else`(_ code: Int) {
        #expect(throws: WireError.startupLength(9)) { try parse(packet(int32(code), [0])) }
    }

    @Test(arguments: [0, 3, 257])
    func `a cancel key that nobody hands out is an error`(_ keyByteCount: Int) {
        let key = [UInt8](repeating: 1, count: keyByteCount)
        #expect(throws: WireError.startupLength(UInt32(12 + keyByteCount))) {
            try parse(packet(int32(80_877_102), int32(7), key))
        }
    }

    @Test func `a cancel request without a process is an error`() {
        #expect(throws: WireError.startupLength(8)) { try parse(packet(int32(80_877_102))) }
    }

    @Test(arguments: [(2, 0), (4, 0), (0, 0), (1234, 5682)])
    func `other versions are refused`(_ major: UInt16, _ minor: UInt16) {
        #expect(throws: WireError.unsupportedVersion(major: major, minor: minor)) {
            try parse(packet(int16(Int(major)), int16(Int(minor)), [0]))
        }
    }

    @Test(arguments: [
        [], utf8("user"), cString("user"), cString("user") + [0], cString("user") + utf8("x"),
        cString("user") + cString("x"), cString("user") + cString("x") + cString("database"),
        [0, 0], cString("user") + cString("x") + [0, 0],
    ])
    func `parameters that do not end as they should are an error`(_ body: [UInt8]) {
        #expect(throws: WireError.startupNotTerminated) {
            try parse(packet(int32(0x3_0000), body))
        }
    }

    @Test(arguments: Seeds.suite(200))
    func `no bytes stop the process`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<50 {
            var bytes = Self.samples.randomElement(using: &random)?.bytes ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let offset = Int.random(in: 0..<bytes.count, using: &random)
                bytes[offset] = UInt8.random(in: 0...255, using: &random)
            }
            do {
                let parsed = try parse(bytes)
                #expect((parsed?.byteCount ?? 0) <= bytes.count, "SEED=\(seed)")
            } catch is WireError {}
        }
    }
}
