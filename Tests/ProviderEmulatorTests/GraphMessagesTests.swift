import Foundation
import HTTPTransport
import ProviderEmulator
import Testing

@Suite struct GraphMessagesTests {
    private let address = GraphFixture.address

    @Test func aMessageAsGraphShowsIt() async throws {
        try await GraphFixture.run { fixture in
            let raw = """
                From: =?utf-8?Q?J=C3=BCrgen?= Ek <je@example.org>\r
                To: "Doe, John" <john@example.org>, mia@example.com\r
                Cc: Team: a@x.example, b@x.example;\r
                Subject: =?utf-8?B?R3LDvMOfZQ==?=\r
                Date: Mon, 3 Mar 2025 10:00:00 +0100\r
                Message-ID: <1@example.org>\r
                X-Twice: one\r
                X-Twice: two\r
                Content-Type: text/plain; charset=utf-8\r
                \r
                Tom & <you>\r

                """
            let id = try fixture.microsoft.deliver(
                Array(raw.utf8), to: address,
                OutlookProperties(flag: .flagged, importance: .high, categories: ["Blue category"]))
            let message = try await fixture.object("/me/messages/\(id)")
            #expect(message["subject"] as? String == "Grüße")
            #expect(message["bodyPreview"] as? String == "Tom & <you>")
            #expect(message["internetMessageId"] as? String == "<1@example.org>")
            #expect(message["receivedDateTime"] as? String == "2025-03-03T09:00:00Z")
            #expect(message["isRead"] as? Bool == false && message["importance"] as? String == "high")
            #expect(message["categories"] as? [String] == ["Blue category"])
            #expect((message["flag"] as? [String: Any])?["flagStatus"] as? String == "flagged")
            #expect(Self.addresses(message["from"]) == ["Jürgen Ek|je@example.org"])
            #expect(
                Self.addresses(message["toRecipients"])
                    == ["Doe, John|john@example.org", "mia@example.com|mia@example.com"])
            #expect(Self.addresses(message["ccRecipients"]).count == 2)
            #expect(message["internetMessageHeaders"] == nil && message["uniqueBody"] == nil)
            let headers = try await fixture.object("/me/messages/\(id)?$select=internetMessageHeaders")
            #expect(headers.keys.sorted() == ["@odata.context", "@odata.etag", "id", "internetMessageHeaders"])
            let twice = (headers["internetMessageHeaders"] as? [[String: String]] ?? []).filter {
                $0["name"] == "X-Twice"
            }
            #expect(twice.map { $0["value"] } == ["one", "two"])
        }
    }

    private static func addresses(_ value: Any?) -> [String] {
        let list = value as? [[String: Any]] ?? [value as? [String: Any] ?? [:]]
        return list.compactMap { $0["emailAddress"] as? [String: String] }.map {
            "\($0["name"] ?? "?")|\($0["address"] ?? "?")"
        }
    }

    @Test func whatIsWrittenHereHasNoInternetHeaders() async throws {
        try await GraphFixture.run { fixture in
            for folder in ["drafts", "sentitems"] {
                let id = try fixture.deliver("x", folder: folder)
                let message = try await fixture.object("/me/messages/\(id)?$select=internetMessageHeaders,isDraft")
                #expect(message["internetMessageHeaders"] == nil)
                #expect(message["isDraft"] as? Bool == (folder == "drafts"))
            }
        }
    }

    @Test func inlineFilesAreNoAttachments() async throws {
        try await GraphFixture.run { fixture in
            func deliver(_ disposition: String) throws -> String {
                let body =
                    "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: image/png; name=x.png\r\n"
                    + "Content-Disposition: \(disposition)\r\n\r\nxx\r\n--b--\r\n"
                let raw = "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + body
                return try fixture.microsoft.deliver(Array(raw.utf8), to: address)
            }
            for (disposition, expected) in [("attachment; filename=x.png", true), ("inline", false)] {
                let message = try await fixture.object(
                    "/me/messages/\(try deliver(disposition))?$select=hasAttachments")
                #expect(message["hasAttachments"] as? Bool == expected)
            }
        }
    }

    @Test func listsNewestFirstByOffset() async throws {
        try await GraphFixture.run { fixture in
            var ids: [String] = []
            for day in 1...12 {
                ids.append(try fixture.deliver("d\(day)", extra: "Date: \(day) Mar 2025 10:00:00 +0000\r\n"))
            }
            let first = try await fixture.object("/me/mailFolders/inbox/messages?$select=subject&$count=true")
            #expect((first["value"] as? [[String: Any]])?.ids == Array(ids.reversed().prefix(10)))
            #expect(first["@odata.count"] as? Int == 12)
            let second = try await fixture.object(try #require(first["@odata.nextLink"] as? String))
            #expect((second["value"] as? [[String: Any]])?.ids == [ids[1], ids[0]])
            #expect(second["@odata.nextLink"] == nil)
            let path = "/me/messages?$filter=receivedDateTime%20ge%202025-03-03T00:00:00Z%20and%20receivedDateTime"
            let some = try await fixture.object("\(path)%20lt%202025-03-05T00:00:00Z&$orderby=receivedDateTime")
            #expect((some["value"] as? [[String: Any]])?.ids == [ids[2], ids[3]])
            #expect(try await fixture.get("/me/messages?$orderby=subject").code == "InefficientFilter")
            #expect(try await fixture.get("/me/messages?$top=0").status == 400)
            #expect(try await fixture.get("/me/messages?$top=1001").status == 400)
        }
    }

    @Test func idsAreLongAndDifferInCase() async throws {
        try await GraphFixture.run { fixture in
            let ids = try (0..<50).map { try fixture.deliver("m\($0)") }
            #expect(Set(ids).count == 50)
            #expect(Set(ids.map { $0.lowercased() }).count < 50)
            #expect(ids.allSatisfy { $0.hasSuffix("=") && $0.contains("-") && $0.count > 40 })
            #expect(try await fixture.get("/me/messages/\(ids[0].lowercased())").status == 400)
            for id in ids.prefix(4) { #expect(try await fixture.object("/me/messages/\(id)")["id"] as? String == id) }
            let changing = try await fixture.object("/me/messages/\(ids[0])", prefer: [])["id"] as? String
            #expect(changing != ids[0])
            #expect(try await fixture.get("/me/messages/\(ids[0])", prefer: []).header("preference-applied") == nil)
            try fixture.microsoft.delete(ids[0], in: address)
            #expect(try await fixture.get("/me/messages/\(ids[0])").code == "ErrorItemNotFound")
        }
    }

    @Test func conversationsHoldRepliesTogether() async throws {
        try await GraphFixture.run { fixture in
            let first = try fixture.deliver("a")
            let reply = try fixture.deliver("b", extra: "In-Reply-To: <a@example.org>\r\n")
            let other = try fixture.deliver("c")
            let truth = try fixture.microsoft.snapshot(address)
            #expect(truth[first]?.conversationID == truth[reply]?.conversationID)
            #expect(truth[first]?.conversationID != truth[other]?.conversationID)
            let message = try await fixture.object("/me/messages/\(reply)?$select=conversationId")
            #expect(message["conversationId"] as? String == truth[first]?.conversationID)
        }
    }

    @Test func whoMayAsk() async throws {
        try await GraphFixture.run { fixture in
            let me = try await fixture.object("/me")
            #expect(me["mail"] as? String == address && me["userPrincipalName"] as? String == address)
            #expect((me["id"] as? String)?.count == 36)
            #expect(try await fixture.get("/me", token: "nonsense").code == "InvalidAuthenticationToken")
            #expect(try await fixture.get("/users/other@example.com/messages").code == "ErrorAccessDenied")
            let narrow = try fixture.microsoft.grant(address, scopes: ["User.Read"])
            #expect(try await fixture.get("/me", token: narrow.accessToken).status == 200)
            #expect(try await fixture.get("/me/messages", token: narrow.accessToken).status == 403)
            fixture.base.time.advance(by: .seconds(3600))
            #expect(try await fixture.get("/me").code == "InvalidAuthenticationToken")
            for path in ["/me/nothing", "/me/mailFolders/inbox/nothing", "/nothing", "/me/messages/x/y/z"] {
                #expect(try await fixture.get(path).status == 404, "\(path)")
            }
        }
    }

    @Test func generatedMailIsSpreadOverFolders() async throws {
        try await GraphFixture.run { fixture in
            try fixture.microsoft.load(MailboxGenerator(seed: 3, address: address, count: 600), into: address)
            let truth = try fixture.microsoft.snapshot(address)
            #expect(truth.count == 600)
            let folders = Set(truth.values.map(\.folder))
            #expect(folders.isSuperset(of: ["INBOX", "SENT", "ARCHIVE", "TRASH", "SPAM", "DRAFT", "Clients/Acme"]))
            let labels = Set(truth.values.flatMap(\.labels))
            #expect(labels.isSuperset(of: ["UNREAD", "STARRED", "IMPORTANT", "Receipts"]))
            var told: [String] = []
            for folder in try fixture.microsoft.folders(of: address) where !folder.isSearch {
                let path = "/me/mailFolders/\(folder.id)/messages/delta?$select=id"
                told += try await fixture.round(path, prefer: [GraphFixture.immutable, "odata.maxpagesize=200"])
                    .entries.ids
            }
            #expect(told.count == 600 && Set(told) == Set(truth.keys))
        }
    }

    @Test func anMboxFileFillsAFolder() async throws {
        try await GraphFixture.run { fixture in
            let path = FileManager.default.temporaryDirectory.appending(path: "graph-\(UUID().uuidString).mbox").path
            let text = "From a Thu Jan  1 00:00:00 2004\nSubject: one\n\nx\n\nFrom b\nSubject: two\n\ny\n"
            try Data(text.utf8).write(to: URL(filePath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }  // A file left in the temporary directory.
            let result = try await fixture.microsoft.load(mbox: path, into: address, folder: "archive")
            #expect(result.loaded == 2 && result.skipped == 0)
            #expect(try fixture.microsoft.snapshot(address).values.allSatisfy { $0.folder == "ARCHIVE" })
        }
    }
}
