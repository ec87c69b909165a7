import MailModel
import MailStore
import ProviderEmulator
import Testing

@testable import OutlookProvider

/// Links that are no longer good, and cursors that cannot be read.
@Suite struct ExpiryTests {
    private static let forms: [GraphError] = [
        .syncStateNotFound, .syncStateNotFoundWithLocation, .resyncRequired, .invalidSyncState,
    ]

    /// 410 and 400 in every form: the folder is compared with the store, and only the differences are told.
    @Test(arguments: forms) func anExpiredLinkEmitsExactlyTheDifferences(form: GraphError) async throws {
        try await OutlookFixture.run({ $0.messages = 40 }) { outlook in
            try await outlook.pass()
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            outlook.fault(.messagesDelta, times: 1, .graphError(form))
            outlook.fault(.foldersDelta, times: 1, .graphError(form))
            var new = ""
            let seq = try await outlook.lastSeq()
            let lines = try await outlook.news {
                new = try outlook.deliver()
                try outlook.delete(ids[5])
                try outlook.graph.setFlag(ids[6], .flagged, in: OutlookFixture.address)
                try outlook.move(ids[7], to: "archive")
            }
            #expect(
                lines.sorted()
                    == [
                        "received \(new)", "deleted \(ids[5])", "updated \(ids[6]) +STARRED -",
                        "updated \(ids[7]) +ARCHIVE -INBOX",
                    ].sorted())
            try await outlook.expectInStep()
            let repaired = try await outlook.events(after: seq).filter { $0.origin == .repair }.compactMap(\.line)
            #expect(repaired.contains("deleted \(ids[5])"))
            #expect(try await outlook.news().isEmpty)
        }
    }

    /// The chain breaks in the middle of a round.
    @Test func aLinkThatExpiresWithinARound() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 60
            options.outlook.fullPageSize = 10
            options.outlook.lightPageSize = 10
        }) { outlook in
            try await outlook.pass()
            for index in 0..<30 { try outlook.deliver("new \(index)") }
            outlook.fault(.messagesDelta, match: "skiptoken", skip: 1, times: 1, .graphError(.syncStateNotFound))
            let lines = try await outlook.news()
            #expect(lines.count == 30)
            try await outlook.expectInStep()
        }
    }

    @Test func everythingExpiredTwice() async throws {
        try await OutlookFixture.run({ $0.messages = 50 }) { outlook in
            try await outlook.pass()
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            try outlook.graph.expireDelta(of: OutlookFixture.address)
            let lines = try await outlook.news {
                try outlook.delete(ids[0])
                try outlook.move(ids[1], to: "deleteditems")
            }
            #expect(lines.sorted() == ["deleted \(ids[0])", "updated \(ids[1]) +TRASH -INBOX"].sorted())
            try outlook.graph.expireDelta(of: OutlookFixture.address)
            #expect(try await outlook.news().isEmpty)
            try await outlook.expectInStep()
        }
    }

    /// A folder of M messages with new, gone and changed ones costs its light pages, one part for each new message and one
    /// for each that is gone: 100,000 messages with 50 differences are 200 pages and at most 50 parts.
    @Test func whatAComparisonCosts() async throws {
        let messages = 400
        try await OutlookFixture.run({ options in
            options.messages = messages
            options.outlook.lightPageSize = 50
        }) { outlook in
            try await outlook.pass()
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            for index in 0..<10 { try outlook.deliver("new \(index)") }
            for id in ids.prefix(7) { try outlook.delete(id) }
            for id in ids.suffix(5) { try outlook.graph.setFlag(id, .flagged, in: OutlookFixture.address) }
            let folders = try await outlook.position().tree.inOrder.count
            try outlook.graph.expireDelta(of: OutlookFixture.address, folder: "inbox")
            _ = outlook.budget.takeUnits()
            try await outlook.pass()
            try await outlook.expectInStep()
            let pages = (messages + 10 - 7 + 49) / 50
            // The tree, the other folders, the link that expired.
            let others = 1 + (folders - 1) + 1
            #expect(outlook.budget.takeUnits() == others + pages + 10 + 7)
        }
    }

    @Test func anUnreadableCursorComparesEverything() async throws {
        try await OutlookFixture.run({ $0.messages = 60 }) { outlook in
            try outlook.graph.createFolder("Empty", in: OutlookFixture.address)
            try await outlook.pass()
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            for garbage in ["", "{}", "{\"v\":2}", "not JSON"] {
                try await outlook.setCursor(garbage)
                #expect(try await outlook.news().isEmpty, "\(garbage)")
            }
            try await outlook.setCursor("x")
            var new = ""
            let lines = try await outlook.news {
                new = try outlook.deliver("new", to: "Empty")
                try outlook.delete(ids[3])
                try outlook.graph.setRead(ids[4], false, in: OutlookFixture.address)
            }
            #expect(lines.sorted() == ["received \(new)", "deleted \(ids[3])", "updated \(ids[4]) +UNREAD -"].sorted())
            #expect(try await outlook.state().phase == .live)
            try await outlook.expectInStep()
            let after = try await outlook.news { try outlook.delete(ids[8]) }
            #expect(after == ["deleted \(ids[8])"])
        }
    }

    /// A folder whose link is refused again and again does not keep a pass busy for ever.
    @Test func aFolderThatAlwaysExpiresEndsThePass() async throws {
        try await OutlookFixture.run({ $0.messages = 5 }) { outlook in
            try await outlook.pass()
            outlook.fault(.messagesDelta, times: nil, .graphError(.syncStateNotFound))
            let failure = try await outlook.failure()
            #expect(failure?.decision == .retry(after: nil, scope: .account))
            #expect(failure?.code == OutlookFailure.Code.linkExpired)
            outlook.graph.faults.removeAll()
            try await outlook.settle()
            try await outlook.expectInStep()
        }
    }

    @Test func pagesWithoutEndEndThePass() async throws {
        for fault in [FaultResponse.page(.endlessLink), .page(.noLink), .emptyPage] {
            try await OutlookFixture.run({ $0.messages = 5 }) { outlook in
                outlook.fault(.messagesDelta, times: nil, fault)
                guard case .retry? = try await outlook.failure()?.decision else {
                    Issue.record("\(fault) is not tried again")
                    return
                }
                outlook.graph.faults.removeAll()
                try await outlook.settle()
                try await outlook.expectInStep()
            }
        }
    }

    /// A token goes to Graph's own address and nowhere else.
    @Test func aLinkToAnotherAddressIsNotFollowed() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 30
            options.outlook.fullPageSize = 10
        }) { outlook in
            outlook.fault(.messagesDelta, .page(.foreignLink("http://127.0.0.1:9")))
            let failure = try await outlook.failure()
            #expect(failure == OutlookFailure.foreignLink)
            try await outlook.settle()
            try await outlook.expectInStep()
        }
    }

    @Test func linksFromAnotherAddressAreReplaced() async throws {
        try await OutlookFixture.run({ $0.messages = 30 }) { outlook in
            try await outlook.pass()
            let cursor = try await outlook.state().cursor.document
            let host = outlook.emulator.baseURL
            try await outlook.setCursor(cursor.replacing(host, with: "http://127.0.0.1:9"))
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            let lines = try await outlook.news { try outlook.delete(ids[0]) }
            #expect(lines == ["deleted \(ids[0])"])
            #expect(try await outlook.position().tree.inOrder.allSatisfy { $0.link?.hasPrefix(host) == true })
        }
    }

    @Test func aTreeWithoutTheInboxIsNotBelieved() async throws {
        try await OutlookFixture.run({ $0.messages = 5 }) { outlook in
            try await outlook.pass()
            outlook.fault(.foldersDelta, times: 1, .graphError(.syncStateNotFound))
            outlook.fault(.foldersDelta, times: nil, .page(.missingID))
            let failure = try await outlook.failure()
            #expect(failure?.code == "unreadable_answer")
            outlook.graph.faults.removeAll()
            #expect(try await outlook.news().isEmpty)
        }
    }

    @Test func withoutDeltaTheTreeIsWalked() async throws {
        try await OutlookFixture.run({ $0.messages = 5 }) { outlook in
            outlook.fault(.foldersDelta, times: nil, .graphError(.badRequest("Change tracking is not supported")))
            let folder = try outlook.graph.createFolder("A", in: OutlookFixture.address)
            let child = try outlook.graph.createFolder("B", in: OutlookFixture.address, parent: folder)
            let id = try outlook.deliver("nested", to: child)
            try await outlook.pass()
            try await outlook.expectInStep()
            let lines = try await outlook.news { try outlook.graph.deleteFolder(folder, in: OutlookFixture.address) }
            #expect(lines == ["deleted \(id)"])
        }
    }
}

extension OutlookFixture {
    func setCursor(_ document: String) async throws {
        let phase = try await state().phase
        try await stores.use(key.user) { [key, now = time.now()] store in
            try await store.write { transaction in
                let batch = ChangeBatch(origin: .incremental, cursor: Cursor(document), phase: phase)
                _ = try transaction.apply(batch, to: key, at: now)
            }
        }
    }
}
