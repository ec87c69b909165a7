import Testing

@testable import ProviderEmulator

@Suite struct MessageChangesTests {
    private let address = EmulatorFixture.address

    @Test func theAPIChangesLabels() async throws {
        try await EmulatorFixture.run { fixture in
            let ids = try (0..<3).map { try fixture.deliver("m\($0)") }
            let list = ids.map { "\"\($0)\"" }.joined(separator: ",")
            let batch = try await fixture.gmail(
                "messages/batchModify", .post, json: "{\"ids\":[\(list)],\"removeLabelIds\":[\"UNREAD\"]}")
            #expect(batch.status == 204)
            let modified = try await fixture.gmail(
                "messages/\(ids[0])/modify", .post, json: "{\"addLabelIds\":[\"STARRED\"]}")
            #expect(try modified.object()["labelIds"] as? [String] == ["INBOX", "STARRED"])
            #expect(try await fixture.gmail("messages/\(ids[1])/trash", .post).status == 200)
            #expect(try await fixture.gmail("messages/\(ids[2])", .delete).status == 204)
            let labels = try fixture.google.snapshot(address).mapValues(\.labels)
            #expect(labels == [ids[0]: ["INBOX", "STARRED"], ids[1]: ["TRASH"]])
        }
    }

    @Test func wrongChangesAreRefusedWhole() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            let before = try fixture.google.historyID(of: address)
            for body in [
                "{\"ids\":[\"\(id)\",\"00000000000000ff\"],\"removeLabelIds\":[\"UNREAD\"]}",
                "{\"ids\":[\"\(id)\"],\"addLabelIds\":[\"Nope\"]}", "{\"ids\":[]}", "not json",
            ] {
                let response = try await fixture.gmail("messages/batchModify", .post, json: body)
                #expect([400, 404].contains(response.status))
            }
            #expect(try fixture.google.historyID(of: address) == before)
        }
    }

    @Test func changingTakesTheScopesForIt() async throws {
        try await EmulatorFixture.run(scopes: [GmailScope.modify]) { fixture in
            let id = try fixture.deliver("a")
            let deletion = try await fixture.gmail("messages/\(id)", .delete)
            #expect(deletion.status == 403)
            #expect(deletion.reason == "insufficientPermissions")
            #expect(deletion.text.contains("DeleteMessage"))
            #expect(try await fixture.gmail("messages/\(id)/trash", .post).status == 200)
        }
    }

    @Test func aChangeThatChangesNothingLeavesNoTrace() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            let before = try fixture.google.historyID(of: address)
            try fixture.google.modify(id, in: address, add: ["INBOX"], remove: ["STARRED"])
            #expect(try fixture.google.historyID(of: address) == before)
            #expect(throws: EmulatorError.noLabel("Nope")) {
                try fixture.google.modify(id, in: address, add: ["Nope"])
            }
        }
    }

    @Test func labelsHaveCounts() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.deliver("a")
            try fixture.deliver("b", labels: ["INBOX"])
            let inbox = try await fixture.object("labels/INBOX")
            #expect(inbox["messagesTotal"] as? Int == 2)
            #expect(inbox["messagesUnread"] as? Int == 1)
            let list = try await fixture.object("labels?fields=labels(id)")
            let ids = (list["labels"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
            #expect(ids.contains("CATEGORY_PROMOTIONS") && ids.contains("INBOX"))
        }
    }
}
