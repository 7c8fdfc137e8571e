import Foundation
import Testing

@testable import Sharding

/// One key, and what PostgreSQL made of it: Tests/Integration/test_sharding_hash.py.
private struct Vector: Decodable {
    static let moduli = [2, 3, 8, 97, 1009]

    let types: [String]
    let texts: [String?]
    /// Hexadecimal.
    let binaries: [String?]
    /// One for each of `moduli`.
    let remainders: [Int]

    static func all() throws -> [Vector] {
        let path = #filePath.replacing("PartitionHashTests.swift", with: "Vectors/")
        let text = try String(contentsOfFile: path + "partition-hash.jsonl", encoding: .utf8)
        return try text.split(separator: "\n").map {
            try JSONDecoder().decode(Vector.self, from: Data($0.utf8))
        }
    }

    func remainders(
        _ read: (Int, KeyType) throws -> KeyValue?
    ) throws -> [Int] {
        var hash = PartitionHash()
        for (index, name) in types.enumerated() {
            hash.combine(try read(index, try #require(KeyType(name: name))))
        }
        return Self.moduli.map { hash.remainder(of: $0) }
    }
}

private func bytes(hexadecimal text: String) -> [UInt8] {
    let digits = text.utf8.map { UInt8($0 < 0x3a ? $0 - 0x30 : $0 - 0x61 + 10) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

@Suite struct PartitionHashTests {
    @Test func `the hashes that PostgreSQL publishes for integers`() {
        let expected: [Int64: Int64] = [
            0: -4_403_592_609_991_167_795, 1: 5_968_994_663_651_403_477,
            -1: -5_017_072_347_659_237_694, 42: 7_363_975_540_656_877_951,
            4_294_967_296: 5_968_994_663_651_403_477, .max: 4_938_542_303_000_433_043,
            .min: -6_050_265_599_104_649_060,
        ]
        for (number, hash) in expected {
            #expect(Int64(bitPattern: KeyValue.integer(number).partitionHash) == hash)
        }
    }

    @Test func `the hashes that PostgreSQL publishes for texts and uuids`() throws {
        let expected: [String: Int64] = [
            "": -5_700_645_584_453_517_373, "x": 862_710_693_865_977_740,
            "hello": -2_635_279_551_741_001_039, "héllo wörld": -145_319_379_157_667_650,
        ]
        for (text, hash) in expected {
            let value = KeyValue.bytes(Array(text.utf8))
            #expect(Int64(bitPattern: value.partitionHash) == hash)
        }
        let uuid = try KeyValue.read(
            text: Array("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".utf8), as: .uuid)
        #expect(uuid.partitionHash == 424_513_190_990_560_493)
    }

    @Test func `the hashes of whole rows`() {
        let x = KeyValue.bytes([0x78])
        #expect(PartitionHash.of([.integer(42)]) == 12_669_485_132_091_644_514)
        #expect(PartitionHash.of([.integer(42), x]) == 4_659_708_685_511_176_001)
        #expect(PartitionHash.of([nil, x]) == 6_168_220_285_300_744_303)
        #expect(PartitionHash.of([.integer(42), .integer(1)]) == 11_062_448_616_865_480_206)
        #expect(PartitionHash.of([.integer(7), .integer(999)]) == 18_435_676_830_060_938_028)
        #expect(PartitionHash.of([.integer(-5), .integer(7)]) == 8_592_046_512_590_124_605)
        #expect(PartitionHash.of([nil, nil]) == 0)
    }

    @Test func `keys of pgcat's tests land where pgcat has them`() {
        let shards = [
            [1, 4, 5, 14, 19, 39, 40, 46, 47, 53], [2, 3, 11, 17, 21, 23, 30, 49, 51, 54],
            [6, 7, 15, 16, 18, 20, 25, 28, 34, 35], [8, 12, 13, 22, 29, 31, 33, 36, 41, 43],
            [9, 10, 24, 26, 27, 32, 37, 38, 42, 45],
        ]
        for (shard, keys) in shards.enumerated() {
            for key in keys {
                var hash = PartitionHash()
                hash.combine(.integer(Int64(key)))
                #expect(hash.remainder(of: 5) == shard, "\(key)")
            }
        }
    }

    @Test func `keys as text land where PostgreSQL puts them`() throws {
        let vectors = try Vector.all()
        #expect(vectors.count > 500)
        for vector in vectors {
            let found = try vector.remainders { index, type in
                try vector.texts[index].map { try KeyValue.read(text: Array($0.utf8), as: type) }
            }
            #expect(found == vector.remainders, "\(vector)")
        }
    }

    @Test func `keys in binary land where PostgreSQL puts them`() throws {
        for vector in try Vector.all() {
            let found = try vector.remainders { index, type in
                try vector.binaries[index].map {
                    try KeyValue.read(binary: bytes(hexadecimal: $0), as: type)
                }
            }
            #expect(found == vector.remainders, "\(vector)")
        }
    }

    @Test func `text and binary are one value`() throws {
        for vector in try Vector.all() {
            for (index, name) in vector.types.enumerated() {
                guard let text = vector.texts[index], let binary = vector.binaries[index] else {
                    continue
                }
                let type = try #require(KeyType(name: name))
                let written = try KeyValue.read(text: Array(text.utf8), as: type)
                let sent = try KeyValue.read(binary: bytes(hexadecimal: binary), as: type)
                #expect(written == sent, "\(name) \(text)")
            }
        }
    }
}
