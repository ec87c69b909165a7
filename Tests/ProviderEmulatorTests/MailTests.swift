import Foundation
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct MailTests {
    @Test(
        arguments: [
            ("Wed, 31 Dec 2025 23:00:00 -0100", 1_767_225_600), ("1 Jan 2026 00:00 GMT", 1_767_225_600),
            ("Thu,  1 Jan 2026 00:00:00 +0000 (UTC)", 1_767_225_600), ("Thu Jan  1 00:00:00 2026", 1_767_225_600),
            ("31 Dec 2025 19:00:00 EST", 1_767_225_600), ("29 Feb 24 12:00:00 +0530", 1_709_188_200),
            ("Sun, 09 Sep 2001 01:46:40 +0000", 1_000_000_000), ("Mon, 1 Jan 99 00:00:00 +0000", 915_148_800),
            ("Wed, 31 Jul 102 00:00:00 +0000", 1_028_073_600), ("Thu, 1 Jan 2026 00:00:00 -3100", 1_767_225_600),
        ] as [(String, Int64)])
    func datesAreRead(_ text: String, _ seconds: Int64) {
        #expect(MailDate.parse(text) == seconds)
    }

    @Test(arguments: [
        "", "nonsense", "32 Jan 2026 00:00:00 +0000", "1 Foo 2026 00:00:00 +0000",
        "1 Jan 2026 25:00:00 +0000", "1 Jan 1969 00:00:00 +0000", "1 Jan 9999 00:00:00 +0000", "::::", "1 Jan 2026",
    ])
    func impossibleDatesAreNone(_ text: String) {
        #expect(MailDate.parse(text) == nil)
    }

    @Test func datesAreWrittenAsTheyAreRead() {
        for seconds in stride(from: Int64(40_000_000), to: 4_000_000_000, by: 12_345_677) {
            #expect(MailDate.parse(MailDate.text(seconds)) == seconds)
        }
        #expect(MailDate.text(1_767_225_600) == "Thu, 1 Jan 2026 00:00:00 +0000")
        #expect(MailDate.timestamp(milliseconds: 1_769_000_271_196) == "2026-01-21T12:57:51.196Z")
    }

    @Test func headersAreReadTolerantly() {
        let raw = RawMessage(
            Array("A: 1\nno field\n: empty\nB :2\r\n\tmore \r\nbad name: 3\nC:\n\nbody: no\n".utf8))
        #expect(raw.fields.map { "\($0.name)=\($0.value)" } == ["A=1", "B=2\tmore", "C="])
        #expect(String(decoding: raw.body, as: UTF8.self) == "body: no\n")
        #expect(RawMessage([]).fields.isEmpty)
        #expect(RawMessage(Array(" folded from nothing".utf8)).fields.isEmpty)
    }

    @Test(arguments: [
        ("Content-Type: text/html\n\n<p>a<br>b</p> &lt;c&gt;", "a b &lt;c&gt;"),
        (
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nna=EFve=",
            "naïve"
        ),
        ("Content-Transfer-Encoding: base64\n\naGVs\nbG8=\n", "hello"), ("A: 1\n\n  a \n\n b\t", "a b"),
        ("Content-Type: image/png\n\nxxxx", ""), ("Content-Type: multipart/mixed\n\nno boundary", ""),
        ("A: 1", ""),
    ])
    func snippets(_ message: String, _ snippet: String) {
        #expect(Snippet.text(MIMEPart(RawMessage(Array(message.utf8)))) == snippet)
    }

    @Test func snippetsAreShort() {
        let message = "A: 1\n\n" + String(repeating: "wörd ", count: 500)
        #expect(Snippet.text(MIMEPart(RawMessage(Array(message.utf8)))).count <= 200)
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil)) func nastyMessagesAreReadToo() async throws {
        let folder = "\(SharedMaterial.corpus ?? "")/nasty"
        let document = SharedMaterial.specs == nil ? nil : try DiscoveryDocument()
        try await EmulatorFixture.run { fixture in
            for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            where name.hasSuffix(".eml") {
                let raw = Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
                guard !RawMessage(raw).fields.isEmpty else { continue }
                let id = try fixture.google.deliver(raw, to: EmulatorFixture.address)
                let message = try await fixture.object("messages/\(id)")
                #expect((document?.violations(message, schema: "Message") ?? []) == [], "\(name)")
            }
            #expect(try fixture.google.messageIDs(of: EmulatorFixture.address).count > 100)
        }
    }

    @Test func aMessageWithoutHeaderIsRefused() async throws {
        try await EmulatorFixture.run { fixture in
            #expect(throws: EmulatorError.self) {
                try fixture.google.deliver(Array("\n\nbody".utf8), to: EmulatorFixture.address)
            }
            try fixture.deliver("good")
        }
    }
}

@Suite struct MailboxGeneratorTests {
    private let generator = MailboxGenerator(seed: 11, address: "ann@example.net", count: 3000)

    @Test func theSameSeedMakesTheSameMail() {
        let same = MailboxGenerator(seed: 11, address: "ann@example.net", count: 3000)
        let other = MailboxGenerator(seed: 12, address: "ann@example.net", count: 3000)
        for index in [0, 7, 2999, 5000] {
            #expect(generator.bytes(at: index) == same.bytes(at: index))
            #expect(generator.labels(at: index) == same.labels(at: index))
            #expect(generator.bytes(at: index) != other.bytes(at: index))
        }
    }

    @Test func datesGrowAndMatchTheHeader() {
        for index in 1..<500 {
            #expect(generator.date(at: index) >= generator.date(at: index - 1))
            let fields = RawMessage(generator.bytes(at: index)).fields
            let date = fields.first { $0.name == "Date" }.flatMap { MailDate.parse($0.value) }
            #expect(date == generator.date(at: index))
        }
        #expect(generator.date(at: 2999) <= generator.lastDate)
    }

    @Test func mailIsAsVariedAsItShouldBe() {
        var seen: [String: Int] = [:]
        var labels: Set<String> = []
        for index in 0..<2000 {
            let text = String(decoding: generator.bytes(at: index), as: UTF8.self)
            for mark in [
                "=?UTF-8?B?", "=?utf-8?Q?", "undisclosed-recipients:;", "To: Team ", "In-Reply-To:", "List-Id:",
                "multipart/alternative", "X-Long:", "Cc: ", "From: \"", "\\\"", "base64", "text/html",
            ] where text.contains(mark) {
                seen[mark, default: 0] += 1
            }
            labels.formUnion(generator.labels(at: index))
        }
        #expect(seen.count == 13, "\(seen)")
        #expect(labels.isSuperset(of: ["INBOX", "SENT", "TRASH", "SPAM", "DRAFT", "STARRED", "UNREAD", "Label_1"]))
    }

    @Test func aGeneratedMailboxHasThreadsAndKnowsItsLabels() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.google.load(generator, into: EmulatorFixture.address)
            let truth = try fixture.google.snapshot(EmulatorFixture.address)
            let threads = Set(truth.values.map(\.threadID)).count
            #expect((1000...2500).contains(threads))
            #expect(truth.values.allSatisfy { $0.threadID <= $0.id })
            let known = Set(try fixture.google.labels(of: EmulatorFixture.address).map(\.id))
            #expect(truth.values.allSatisfy { known.isSuperset(of: $0.labels) })
            _ = try fixture.google.createLabel("new one", in: EmulatorFixture.address)
            #expect(try fixture.google.labels(of: EmulatorFixture.address).count == known.count + 1)
        }
    }
}
