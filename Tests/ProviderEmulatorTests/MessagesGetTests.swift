import Foundation
import Testing

@testable import ProviderEmulator

@Suite struct MessagesGetTests {
    private static let raw = """
        Received: by a.example;\r
                Thu, 1 Jan 2026 00:00:00 +0000\r
        received: from b.example\r
        FROM: =?utf-8?Q?Zo=C3=AB?= <zoe@example.org>\r
        Subject: two\r
         lines\r
        Message-Id: <m1@example.org>\r
        Date: Wed, 31 Dec 2025 23:00:00 -0100\r
        Content-Type: multipart/mixed; boundary="b1"\r
        \r
        preamble\r
        --b1\r
        Content-Type: text/plain; charset=utf-8\r
        Content-Transfer-Encoding: quoted-printable\r
        \r
        Tom & "Zo=C3=AB" isn't <=\r
        here>\r
        --b1\r
        Content-Type: application/pdf; name="a.pdf"\r
        Content-Transfer-Encoding: base64\r
        \r
        aGVsbG8=\r
        --b1--\r

        """

    private func deliver(_ fixture: EmulatorFixture) throws -> String {
        try fixture.google.deliver(Array(Self.raw.utf8), to: EmulatorFixture.address, labels: ["INBOX"])
    }

    private func headers(_ message: [String: Any]) -> [String] {
        let payload = message["payload"] as? [String: Any]
        return (payload?["headers"] as? [[String: String]] ?? []).map { "\($0["name"] ?? ""): \($0["value"] ?? "")" }
    }

    @Test func metadataHasEveryHeaderUnfoldedButNotDecoded() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try deliver(fixture)
            let message = try await fixture.object("messages/\(id)?format=metadata")
            #expect(
                headers(message) == [
                    "Received: by a.example;        Thu, 1 Jan 2026 00:00:00 +0000", "received: from b.example",
                    "FROM: =?utf-8?Q?Zo=C3=AB?= <zoe@example.org>", "Subject: two lines",
                    "Message-Id: <m1@example.org>", "Date: Wed, 31 Dec 2025 23:00:00 -0100",
                    "Content-Type: multipart/mixed; boundary=\"b1\"",
                ])
            #expect((message["payload"] as? [String: Any])?.keys.sorted() == ["headers", "mimeType"])
            #expect(message["internalDate"] as? String == "1767225600000")
            #expect(message["labelIds"] as? [String] == ["INBOX"])
            #expect(message["snippet"] as? String == "Tom &amp; &quot;Zoë&quot; isn&#39;t &lt;here&gt;")
            #expect(message["sizeEstimate"] as? Int == Self.raw.utf8.count)
            #expect(id.count == 16)
            #expect(UInt64(id, radix: 16).map { ($0 >> 20) / 1000 } == 1_767_225_600)
        }
    }

    @Test func metadataHeadersSelectWithoutRegardToCase() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try deliver(fixture)
            let path = "messages/\(id)?format=metadata&metadataHeaders=from&metadataHeaders=RECEIVED"
            let message = try await fixture.object(path)
            #expect(headers(message).map { $0.prefix(while: { $0 != ":" }) } == ["Received", "received", "FROM"])
        }
    }

    @Test func minimalHasNoPayloadAndRawIsTheBytes() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try deliver(fixture)
            let minimal = try await fixture.object("messages/\(id)?format=minimal")
            #expect(minimal["payload"] == nil)
            #expect(minimal["raw"] == nil)
            let raw = try #require(await fixture.object("messages/\(id)?format=raw")["raw"] as? String)
            let plain = raw.replacing("-", with: "+").replacing("_", with: "/")
            #expect(Data(base64Encoded: plain) == Data(Self.raw.utf8))
        }
    }

    @Test func fullHasThePartsWithContentOrAttachment() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try deliver(fixture)
            let payload = try #require(await fixture.object("messages/\(id)")["payload"] as? [String: Any])
            let parts = try #require(payload["parts"] as? [[String: Any]])
            #expect(payload["partId"] as? String == "")
            #expect((payload["body"] as? [String: Any])?["size"] as? Int == 0)
            #expect(parts.map { $0["partId"] as? String } == ["0", "1"])
            let text = try #require(parts[0]["body"] as? [String: Any])
            #expect(text.keys.sorted() == ["data", "size"])
            let file = try #require(parts[1]["body"] as? [String: Any])
            #expect(file.keys.sorted() == ["attachmentId", "size"])
            #expect(file["size"] as? Int == 5)
            #expect(parts[1]["filename"] as? String == "a.pdf")
            let again = try await fixture.gmail("messages/\(id)?fields=payload/parts/body/attachmentId")
            #expect(!again.text.contains(try #require(file["attachmentId"] as? String)))
        }
    }

    @Test func partialAnswersHoldWhatWasSelected() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try deliver(fixture)
            let fields = "id,payload(headers(name),mimeType)"
            let message = try await fixture.object("messages/\(id)?format=metadata&fields=\(fields)")
            #expect(message.keys.sorted() == ["id", "payload"])
            let first = try #require(((message["payload"] as? [String: Any])?["headers"] as? [[String: Any]])?.first)
            #expect(first.keys.sorted() == ["name"])
            for bad in ["nope", "id,", "payload(headers", "messages/id", ""] {
                #expect(try await fixture.gmail("messages/\(id)?fields=\(bad)").status == 400, "\(bad)")
            }
        }
    }

    @Test func raw8BitHeadersBecomeText() async throws {
        try await EmulatorFixture.run { fixture in
            let latin = Array("Subject: caf".utf8) + [0xe9, 0x0d, 0x0a] + Array("X-A: na\u{ef}ve\r\n\r\n".utf8)
            let id = try fixture.google.deliver(latin, to: EmulatorFixture.address)
            let message = try await fixture.object("messages/\(id)?format=metadata")
            #expect(headers(message) == ["Subject: café", "X-A: naïve"])
        }
    }

    @Test func wrongIDsAndFormats() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try deliver(fixture)
            #expect(try await fixture.gmail("messages/not-an-id").status == 400)
            #expect(try await fixture.gmail("messages/00000000000000ff").status == 404)
            #expect(try await fixture.gmail("messages/\(id)?format=other").status == 400)
        }
    }

    @Test func repliesJoinTheirThread() async throws {
        try await EmulatorFixture.run { fixture in
            let first = try fixture.deliver("one")
            let reply = try fixture.deliver("two", extra: "In-Reply-To: <one@example.org>\r\n")
            let later = try fixture.deliver(
                "three", extra: "References: <unknown@x>\r\n <one@example.org> <two@example.org>\r\n")
            let other = try fixture.deliver("four")
            let threads = try fixture.google.snapshot(EmulatorFixture.address).mapValues(\.threadID)
            #expect([first, reply, later, other].map { threads[$0] } == [first, first, first, other])
            #expect(try await fixture.object("profile")["threadsTotal"] as? Int == 2)
        }
    }

    @Test func anotherUsersMailboxIsOutOfReach() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.google.createMailbox("bob@example.net")
            let headers = [("authorization", "Bearer \(fixture.grant.accessToken)")]
            let bob = try await fixture.send(.get, "/gmail/v1/users/bob@example.net/profile", headers: headers)
            #expect(bob.status == 403)
            let own = try await fixture.send(.get, "/gmail/v1/users/Ann%40example.net/profile", headers: headers)
            #expect(own.status == 200)
        }
    }
}
