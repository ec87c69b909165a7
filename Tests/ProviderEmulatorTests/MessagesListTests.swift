import Testing

@testable import ProviderEmulator

@Suite struct MessagesListTests {
    @Test func pagesComeNewestFirstAndHoldEveryMessageOnce() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.google.load(
                MailboxGenerator(seed: 7, address: EmulatorFixture.address, count: 250), into: EmulatorFixture.address)
            var seen: [String] = []
            var token: String?
            repeat {
                let query = "?maxResults=40&includeSpamTrash=true" + (token.map { "&pageToken=\($0)" } ?? "")
                let page = try await fixture.object("messages\(query)")
                let ids = fixture.ids(page)
                #expect(ids.count <= 40)
                seen += ids
                token = page["nextPageToken"] as? String
            } while token != nil
            #expect(seen == (try fixture.google.messageIDs(of: EmulatorFixture.address)).reversed())
            #expect(seen.count == 250)
        }
    }

    @Test func spamTrashAndChatsAreListedOnRequestOnly() async throws {
        try await EmulatorFixture.run { fixture in
            let plain = try fixture.deliver("plain")
            let hidden = try ["SPAM", "TRASH", "CHAT"].map { try fixture.deliver($0, labels: [$0]) }
            #expect(try await fixture.listed() == [plain])
            #expect(Set(try await fixture.listed("?includeSpamTrash=true")) == Set(hidden + [plain]))
        }
    }

    @Test func labelsAreANDed() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.deliver("a", labels: ["INBOX"])
            let both = try fixture.deliver("b", labels: ["INBOX", "STARRED"])
            #expect(try await fixture.listed("?labelIds=INBOX&labelIds=STARRED") == [both])
            #expect(try await fixture.gmail("messages?labelIds=NOPE").status == 400)
        }
    }

    @Test func anEmptyListingHasNoMessagesKey() async throws {
        try await EmulatorFixture.run { fixture in
            let page = try await fixture.object("messages")
            #expect(page.keys.sorted() == ["resultSizeEstimate"])
            #expect(page["resultSizeEstimate"] as? Int == 0)
        }
    }

    @Test func badPageTokensAre400AndExpire() async throws {
        try await EmulatorFixture.run { fixture in
            for name in ["a", "b", "c"] { try fixture.deliver(name) }
            let token = try #require(await fixture.object("messages?maxResults=1")["nextPageToken"] as? String)
            #expect(try await fixture.gmail("messages?pageToken=\(token)").status == 200)
            #expect(try await fixture.gmail("messages?pageToken=123").status == 400)
            let altered = token.dropLast() + (token.hasSuffix("9") ? "8" : "9")
            #expect(try await fixture.gmail("messages?pageToken=\(altered)").status == 400)
            #expect(try await fixture.gmail("history?startHistoryId=1&pageToken=\(token)").status != 200)
            try fixture.google.expirePageTokens(of: EmulatorFixture.address)
            #expect(try await fixture.gmail("messages?pageToken=\(token)").status == 400)
        }
    }

    @Test func aDeletedMessageDoesNotShiftThePages() async throws {
        try await EmulatorFixture.run { fixture in
            let ids = try (0..<6).map { try fixture.deliver("m\($0)") }
            let newestFirst = try fixture.google.messageIDs(of: EmulatorFixture.address).reversed() as [String]
            let page = try await fixture.object("messages?maxResults=3")
            try fixture.google.delete(newestFirst[0], in: EmulatorFixture.address)
            let token = try #require(page["nextPageToken"] as? String)
            #expect(try await fixture.listed("?pageToken=\(token)") == Array(newestFirst[3...]))
            #expect(ids.count == 6)
        }
    }

    @Test func sizesAreBoundedAndChecked() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.google.load(
                MailboxGenerator(seed: 1, address: EmulatorFixture.address, count: 700), into: EmulatorFixture.address)
            #expect(try await fixture.listed("?includeSpamTrash=true").count == 100)
            #expect(try await fixture.listed("?includeSpamTrash=true&maxResults=9999").count == 500)
            #expect(try await fixture.gmail("messages?maxResults=-1").status == 400)
            #expect(try await fixture.gmail("messages?maxResult=5").status == 400)
        }
    }

    @Test func datesInQueries() async throws {
        try await EmulatorFixture.run { fixture in
            let old = try fixture.deliver("old", extra: "Date: Mon, 1 Jan 2024 12:00:00 +0000\r\n")
            let new = try fixture.deliver("new", extra: "Date: Mon, 1 Dec 2025 12:00:00 +0000\r\n")
            #expect(try await fixture.listed("?q=after:2025/01/01") == [new])
            #expect(try await fixture.listed("?q=after:1735689600") == [new])
            #expect(try await fixture.listed("?q=before:2025/01/01") == [old])
            #expect(try await fixture.listed("?q=newer_than:60d") == [new])
            #expect(try await fixture.listed("?q=after:2020/01/01%20-in:inbox") == [])
        }
    }

    @Test(arguments: ["q=has:attachment", "q=hello", "q=after:yesterday", "q=in:"])
    func unknownSearchTermsAreRefused(_ query: String) async throws {
        try await EmulatorFixture.run { fixture in
            let response = try await fixture.gmail("messages?\(query)")
            #expect(response.status == 400)
        }
    }

    @Test func theMetadataScopeAllowsNoQuery() async throws {
        try await EmulatorFixture.run(scopes: [GmailScope.metadata, GmailScope.readonly]) { fixture in
            let response = try await fixture.gmail("messages?q=after:2025/01/01")
            #expect(response.status == 403)
            #expect(response.reason == "forbidden")
            #expect(try await fixture.gmail("messages").status == 200)
        }
    }
}
