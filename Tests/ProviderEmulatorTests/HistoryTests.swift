import Testing

@testable import ProviderEmulator

@Suite struct HistoryTests {
    private let address = EmulatorFixture.address

    private func records(_ page: [String: Any]) -> [[String: Any]] { page["history"] as? [[String: Any]] ?? [] }

    /// `kind:message` of every record of every page.
    private func all(_ fixture: EmulatorFixture, since start: UInt64, _ query: String = "") async throws -> [String] {
        var found: [String] = []
        var token: String?
        repeat {
            let more = token.map { "&pageToken=\($0)" } ?? ""
            let page = try await fixture.object("history?startHistoryId=\(start)\(query)\(more)")
            for record in records(page) {
                for kind in ["messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved"] {
                    for entry in record[kind] as? [[String: Any]] ?? [] {
                        let id = (entry["message"] as? [String: Any])?["id"] as? String ?? ""
                        found.append("\(kind):\(id)")
                    }
                }
            }
            token = page["nextPageToken"] as? String
        } while token != nil
        return found
    }

    @Test func everyChangeIsARecordInAscendingOrder() async throws {
        try await EmulatorFixture.run { fixture in
            let google = fixture.google
            let start = try google.historyID(of: address)
            let id = try fixture.deliver("a")
            try google.modify(id, in: address, add: ["STARRED"], remove: ["UNREAD"])
            try google.trash(id, in: address)
            try google.untrash(id, in: address)
            try google.delete(id, in: address)
            #expect(
                try await all(fixture, since: start) == [
                    "messagesAdded:\(id)", "labelsAdded:\(id)", "labelsRemoved:\(id)", "labelsAdded:\(id)",
                    "labelsRemoved:\(id)", "labelsRemoved:\(id)", "messagesDeleted:\(id)",
                ])
            let page = try await fixture.object("history?startHistoryId=\(start)")
            let ids = records(page).compactMap { ($0["id"] as? String).flatMap { UInt64($0) } }
            #expect(ids == ids.sorted() && Set(ids).count == 7)
            #expect(ids.allSatisfy { $0 > start })
            #expect(page["historyId"] as? String == String(try google.historyID(of: address)))
            #expect(ids.last == (try google.historyID(of: address)))
        }
    }

    @Test func labelRecordsShowTheChangedLabelsAndTheStateAfterThem() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            let start = try fixture.google.historyID(of: address)
            try fixture.google.modify(id, in: address, remove: ["UNREAD"])
            try fixture.google.modify(id, in: address, add: ["STARRED"])
            let page = try await fixture.object("history?startHistoryId=\(start)")
            let removed = try #require((records(page)[0]["labelsRemoved"] as? [[String: Any]])?.first)
            #expect(removed["labelIds"] as? [String] == ["UNREAD"])
            #expect((removed["message"] as? [String: Any])?["labelIds"] as? [String] == ["INBOX"])
            let message = try await fixture.object("messages/\(id)?format=minimal")
            #expect(message["historyId"] as? String == page["historyId"] as? String)
        }
    }

    @Test func currentLabelsAreShownWhenConfigured() async throws {
        try await EmulatorFixture.run {
            $0.historyShowsCurrentLabels = true
        } _: { fixture in
            let start = try fixture.google.historyID(of: address)
            let id = try fixture.deliver("a")
            try fixture.google.modify(id, in: address, add: ["STARRED"], remove: ["UNREAD", "INBOX"])
            let added = try #require(
                records(await fixture.object("history?startHistoryId=\(start)"))[0]["messagesAdded"] as? [[String: Any]]
            )
            #expect((added[0]["message"] as? [String: Any])?["labelIds"] as? [String] == ["STARRED"])
        }
    }

    @Test func pagesAndFilters() async throws {
        try await EmulatorFixture.run { fixture in
            let start = try fixture.google.historyID(of: address)
            let ids = try (0..<7).map { try fixture.deliver("m\($0)", labels: $0 == 3 ? ["SENT"] : ["INBOX"]) }
            try fixture.google.modify(ids[0], in: address, remove: ["INBOX"])
            #expect(try await all(fixture, since: start, "&maxResults=3").count == 8)
            #expect(try await all(fixture, since: start, "&labelId=SENT") == ["messagesAdded:\(ids[3])"])
            let types = "&historyTypes=labelRemoved&historyTypes=messageDeleted"
            #expect(try await all(fixture, since: start, types) == ["labelsRemoved:\(ids[0])"])
            #expect(try await fixture.gmail("history?startHistoryId=\(start)&historyTypes=other").status == 400)
        }
    }

    @Test func anOldOrImpossibleStartIs404() async throws {
        try await EmulatorFixture.run { fixture in
            let start = try fixture.google.historyID(of: address)
            try fixture.deliver("a")
            let middle = try fixture.google.historyID(of: address)
            try fixture.deliver("b")
            #expect(try await fixture.gmail("history?startHistoryId=\(start)").status == 200)
            try fixture.google.expireHistory(of: address, upTo: middle)
            #expect(try await fixture.gmail("history?startHistoryId=\(start)").status == 404)
            #expect(try await all(fixture, since: middle).count == 1)
            let now = try fixture.google.historyID(of: address)
            try fixture.google.expireHistory(of: address)
            #expect(try await fixture.gmail("history?startHistoryId=\(now)").status == 404)
            let fresh = try fixture.google.historyID(of: address)
            #expect(try await fixture.gmail("history?startHistoryId=\(fresh)").status == 200)
            #expect(try await fixture.gmail("history?startHistoryId=\(fresh + 1)").status == 404)
            #expect(try await fixture.gmail("history?startHistoryId=x").status == 400)
        }
    }

    @Test func whatHappensWhilePagingIsInTheHistorySinceTheProfile() async throws {
        try await EmulatorFixture.run { fixture in
            let old = try (0..<4).map { try fixture.deliver("m\($0)") }
            let profile = try await fixture.object("profile")
            let cursor = try #require((profile["historyId"] as? String).flatMap { UInt64($0) })
            let order = try fixture.google.messageIDs(of: address).reversed() as [String]
            let first = try await fixture.object("messages?maxResults=2")
            // Between the pages: one arrives, one of the second page is deleted.
            let new = try fixture.deliver("new")
            try fixture.google.delete(order[2], in: address)
            let token = try #require(first["nextPageToken"] as? String)
            let listed = try await fixture.ids(first) + fixture.listed("?pageToken=\(token)")
            #expect(listed == [order[0], order[1], order[3]])
            #expect(
                try await all(fixture, since: cursor) == ["messagesAdded:\(new)", "messagesDeleted:\(order[2])"])
            #expect(old.count == 4)
        }
    }

    @Test func deletingALabelTellsOfEveryMessageThatLosesIt() async throws {
        try await EmulatorFixture.run { fixture in
            let label = try fixture.google.createLabel("Work", in: address)
            let id = try fixture.deliver("a", labels: ["INBOX", label])
            let start = try fixture.google.historyID(of: address)
            try fixture.google.renameLabel(label, to: "Job", in: address)
            #expect(try await all(fixture, since: start) == [])
            try fixture.google.deleteLabel(label, in: address)
            #expect(try await all(fixture, since: start) == ["labelsRemoved:\(id)"])
            #expect(try await fixture.gmail("labels/\(label)").status == 404)
            #expect(throws: EmulatorError.self) { try fixture.google.deleteLabel("INBOX", in: address) }
        }
    }
}
