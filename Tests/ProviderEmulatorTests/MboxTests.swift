import Crypto
import Foundation
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct MboxTests {
    private func messages(_ text: String, keptBytesMax: Int = 1 << 20) throws -> [MboxMessage] {
        try messages(Array(text.utf8), keptBytesMax: keptBytesMax)
    }

    private func messages(_ bytes: [UInt8], keptBytesMax: Int = 1 << 20) throws -> [MboxMessage] {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/test.mbox"
        try Data(bytes).write(to: URL(filePath: path))
        var found: [MboxMessage] = []
        let count = try MboxReader.read(path, keptBytesMax: keptBytesMax) { found.append($0) }
        #expect(count == found.count)
        return found
    }

    private func text(_ message: MboxMessage) -> String { String(decoding: message.bytes, as: UTF8.self) }

    @Test func messagesEndBeforeTheSeparatorsEmptyLine() throws {
        let found = try messages(
            "From a Thu Jan  1 00:00:00 2004\nA: 1\n\nbody\n\n\nFrom b\nB: 2\r\n\r\nx\r\n\nFrom c\nC: 3\n\n")
        #expect(found.map(text) == ["A: 1\n\nbody\n\n", "B: 2\r\n\r\nx\r\n", "C: 3\n"])
        #expect(found.map(\.separatorDate) == [1_072_915_200, nil, nil])
    }

    @Test func quotedSeparatorsAreUnquoted() throws {
        let found = try messages("From a\nA: 1\n\n>From x\n>>From y\nFrom z in a paragraph\n> From w\n")
        #expect(found.map(text) == ["A: 1\n\nFrom x\n>From y\nFrom z in a paragraph\n> From w\n"])
    }

    @Test func linesMayBeLongerThanTheBufferAndLackTheirEnd() throws {
        let long = String(repeating: "x", count: 700_000)
        let found = try messages("From a\nA: \(long)\n\nFrom b\nB: \(long)")
        #expect(found.map(text) == ["A: \(long)\n", "B: \(long)"])
    }

    @Test func longMessagesAreCut() throws {
        let found = try messages("From a\nA: 1\n\n0123456789\n0123456789\n\nFrom b\nB: 2\n", keptBytesMax: 20)
        #expect(found.map(text) == ["A: 1\n\n0123456789\n012", "B: 2\n"])
        #expect(found.map(\.sizeBytes) == [28, 5])
    }

    @Test(arguments: ["Subject: no separator\n\nx\n", "", "\u{1}\u{2}garbage"])
    func whatIsNoMboxIsRefusedByName(_ content: String) throws {
        let error = #expect(throws: EmulatorError.self) { try messages(content) }
        #expect(error?.description.contains("test.mbox") == true)
        #expect(error?.description.hasPrefix("cannot read ") == true)
    }

    @Test func aMissingFileAndADirectoryAreRefused() async throws {
        try await EmulatorFixture.run { fixture in
            let google = fixture.google
            for path in ["/nowhere/x.mbox", FileManager.default.temporaryDirectory.path] {
                let error = await #expect(throws: EmulatorError.self) {
                    try await google.load(mbox: path, into: EmulatorFixture.address)
                }
                #expect(error?.description.contains(path) == true)
            }
            try fixture.deliver("still works")
        }
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil)) func cutOrDamagedGzipIsRefused() throws {
        let whole = Array(try Data(contentsOf: URL(filePath: "\(SharedMaterial.corpus ?? "")/real-5k.mbox.gz")))
        var damaged = whole
        for index in 1_000_000..<1_000_100 { damaged[index] ^= 0xff }
        for bytes in [Array(whole.prefix(100_000)), damaged] {
            #expect(throws: EmulatorError.self) { try messages(bytes) }
        }
    }

    private struct Oracle: Decodable {
        let sha256: String
        let bytes: Int
    }

    /// The oracle's entries in order.
    private func oracle() throws -> [Oracle] {
        let file = try CompressedFile("\(SharedMaterial.corpus ?? "")/real-5k.oracle.jsonl.gz")
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = try file.read(into: &chunk), count > 0 { bytes += chunk[..<count] }
        return try bytes.split(separator: 0x0a).map { try JSONDecoder().decode(Oracle.self, from: Data($0)) }
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil)) func realMailIsReadByteForByte() throws {
        let oracle = try oracle()
        var wrong: [Int] = []
        var index = 0
        let count = try MboxReader.read("\(SharedMaterial.corpus ?? "")/real-5k.mbox.gz") { message in
            let hash = SHA256.hash(data: message.bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
            if index >= oracle.count || oracle[index].sha256 != hash.joined()
                || oracle[index].bytes != message.sizeBytes
            {
                wrong.append(index)
            }
            index += 1
        }
        #expect(count == 5000)
        #expect(oracle.count == 5000)
        #expect(wrong == [])
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil)) func realMailIsServed() async throws {
        let hashes = Set(try oracle().map(\.sha256))
        try await EmulatorFixture.run { fixture in
            let path = "\(SharedMaterial.corpus ?? "")/real-5k.mbox.gz"
            let result = try await fixture.google.load(mbox: path, into: EmulatorFixture.address)
            #expect(result.loaded == 5000)
            #expect(result.skipped == 0)
            let truth = try fixture.google.snapshot(EmulatorFixture.address)
            #expect(Set(truth.values.map(\.rawSHA256)) == hashes)
            #expect(truth.values.allSatisfy { $0.internalDate > 0 && $0.threadID <= $0.id })
            let document = SharedMaterial.specs == nil ? nil : try DiscoveryDocument()
            for id in truth.keys.sorted().prefix(300) {
                let message = try await fixture.object("messages/\(id)")
                #expect((document?.violations(message, schema: "Message") ?? []) == [], "\(id)")
            }
        }
    }
}
