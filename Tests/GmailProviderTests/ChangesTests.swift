import MailModel
import ProviderEmulator
import Testing

@testable import GmailProvider

@Suite struct ChangesTests {
    /// A mailbox that is live, with nothing noted yet.
    private func live(
        messages: Int = 60, _ adjust: (inout GmailFixture.Options) -> Void = { _ in },
        _ body: (GmailFixture) async throws -> Void
    ) async throws {
        try await GmailFixture.run({ options in
            options.messages = messages
            adjust(&options)
        }) { gmail in
            try await gmail.connect()
            try await gmail.backfillAll()
            try await gmail.catchUp()
            await gmail.store.forgetEvents()
            _ = gmail.budget.takeUnits()
            try await body(gmail)
        }
    }

    @Test func aPassWithoutChangesCostsOneHistoryCall() async throws {
        try await live { gmail in
            let before = gmail.google.stats.requests.values.reduce(0, +)
            let cursor = await gmail.store.cursor
            let batches = try await gmail.catchUp(gmail.newSession())
            #expect(gmail.google.stats.requests.values.reduce(0, +) - before == 1)
            #expect(gmail.budget.units == 2)
            #expect(batches.count == 1 && batches[0].changes.isEmpty && batches[0].labels == nil)
            #expect(await gmail.store.cursor == cursor)
        }
    }

    /// TRAPS 2: the response's history id is kept, although no record of it concerned us.
    @Test func theCursorMovesWithoutChanges() async throws {
        try await live { gmail in
            let draft = try gmail.deliver(labels: ["DRAFT"])
            try gmail.google.delete(draft, in: GmailFixture.address)
            let batches = try await gmail.catchUp()
            #expect(batches.flatMap(\.changes).isEmpty)
            let cursor = try GmailCursor(await gmail.store.cursor)
            #expect(try cursor.historyID == gmail.google.historyID(of: GmailFixture.address))
        }
    }

    @Test func arrivalsLabelsAndDeletionsBecomeNetChanges() async throws {
        try await live { gmail in
            let stored = await gmail.store.present.sorted()
            let (first, second) = (stored[0], stored[1])
            let new = try gmail.deliver("New")
            let brief = try gmail.deliver("Brief")
            try gmail.google.delete(brief, in: GmailFixture.address)
            let had = await gmail.store.messages[first]?.labels.contains("STARRED") ?? false
            try gmail.google.modify(
                first, in: GmailFixture.address, add: had ? [] : ["STARRED"], remove: had ? ["STARRED"] : [])
            try gmail.google.modify(first, in: GmailFixture.address, add: ["TRASH"], remove: ["INBOX"])
            try gmail.google.modify(first, in: GmailFixture.address, remove: ["TRASH"])
            try gmail.google.delete(second, in: GmailFixture.address)
            let reads = gmail.calls(.messagesGet)
            let batches = try await gmail.catchUp()
            #expect(batches.count == 1 && batches[0].origin == .incremental && batches[0].phase == .live)
            let events = await gmail.store.events
            #expect(events.contains(.received(new)) && events.contains(.deleted(second)))
            #expect(events.count == 3, "\(events)")
            #expect(gmail.calls(.messagesGet) - reads == 1)
            try await gmail.expectInStep()
            #expect(try await gmail.catchUp()[0].changes.isEmpty)
        }
    }

    @Test func operationsThatCancelOutAreNoChange() async throws {
        try await live { gmail in
            let id = try #require(await gmail.store.present.min())
            let starred = await gmail.store.messages[id]?.labels.contains("STARRED") ?? false
            let (on, off): ([String], [String]) = starred ? ([], ["STARRED"]) : (["STARRED"], [])
            try gmail.google.modify(id, in: GmailFixture.address, add: on, remove: off)
            try gmail.google.modify(id, in: GmailFixture.address, add: off, remove: on)
            #expect(try await gmail.catchUp().flatMap(\.changes).isEmpty)
        }
    }

    /// The label flip race of DESIGN §4: the message was read after the change that the history reports.
    @Test func recordsContainedInTheMessageReadAreSkipped() async throws {
        try await GmailFixture.run({ $0.messages = 5 }) { gmail in
            try await gmail.connect()
            let id = try gmail.deliver("Race")
            try gmail.google.modify(id, in: GmailFixture.address, remove: ["UNREAD"])
            try gmail.google.modify(id, in: GmailFixture.address, add: ["STARRED"])
            try await gmail.backfillAll()
            await gmail.store.forgetEvents()
            #expect(try await gmail.catchUp().flatMap(\.changes).isEmpty)
            #expect(await gmail.store.events.isEmpty)
            try await gmail.expectInStep()
        }
    }

    @Test(arguments: [false, true])
    func comingIntoScopeIsReceivedAndLeavingItIsAnUpdate(showsCurrentLabels: Bool) async throws {
        try await live(messages: 10, { $0.emulator.historyShowsCurrentLabels = showsCurrentLabels }) { gmail in
            let spam = try gmail.deliver("Spam", labels: ["SPAM"])
            let reads = gmail.calls(.messagesGet)
            try await gmail.catchUp()
            #expect(gmail.calls(.messagesGet) == reads)
            #expect(await gmail.store.events.isEmpty)
            try gmail.google.modify(spam, in: GmailFixture.address, add: ["INBOX"], remove: ["SPAM"])
            try await gmail.catchUp()
            #expect(await gmail.store.events == [.received(spam)])
            try gmail.google.trash(spam, in: GmailFixture.address)
            try await gmail.catchUp()
            let events = await gmail.store.events
            #expect(
                events.last
                    == .updated(spam, labels: ["TRASH"], added: ["TRASH"], removed: ["INBOX"], restored: false))
            try gmail.google.untrash(spam, in: GmailFixture.address)
            let archived = try gmail.deliver("Trashed before it was seen", labels: ["TRASH"])
            try gmail.google.untrash(archived, in: GmailFixture.address)
            try await gmail.catchUp()
            #expect(await gmail.store.events.contains(.received(archived)))
            try await gmail.expectInStep()
        }
    }

    /// Many arrivals leave in pieces; the cursor moves with the last.
    @Test func aLongAnswerIsHandedOutInPieces() async throws {
        try await live(messages: 3) { gmail in
            let start = await gmail.store.cursor
            for index in 0..<260 { try gmail.deliver("Message \(index)") }
            let historyCalls = gmail.calls(.historyList)
            let batches = try await gmail.catchUp()
            #expect(batches.map(\.changes.count) == [100, 100, 60])
            #expect(batches.dropLast().allSatisfy { $0.more && $0.cursor == start })
            #expect(batches.last?.more == false && batches.last?.cursor != start)
            #expect(gmail.calls(.historyList) - historyCalls == 1)
            try await gmail.expectInStep()
        }
    }

    /// TRAPS 6: dying between the pieces repeats nothing and loses nothing.
    @Test func aPassLostBetweenPiecesIsPickedUp() async throws {
        try await live(messages: 3) { gmail in
            for index in 0..<150 { try gmail.deliver("Message \(index)") }
            let first = try await gmail.session.changes(since: gmail.store.cursor, known: gmail.store)
            await gmail.store.apply(first)
            let reads = gmail.calls(.messagesGet)
            try await gmail.catchUp(gmail.newSession())
            #expect(gmail.calls(.messagesGet) - reads == 50)
            try await gmail.expectInStep()
        }
    }

    @Test func historyPagesAreReadToTheEndAlsoEmptyOnes() async throws {
        try await live(messages: 4) { gmail in
            let id = try #require(await gmail.store.present.min())
            for _ in 0..<400 {
                try gmail.google.modify(id, in: GmailFixture.address, add: ["STARRED"])
                try gmail.google.modify(id, in: GmailFixture.address, remove: ["STARRED"])
            }
            let last = try gmail.deliver("Last")
            gmail.google.faults.add(Fault(.gmail(.historyList), times: 2, .emptyPage))
            try await gmail.catchUp()
            #expect(await gmail.store.receivedIDs == [last])
            try await gmail.expectInStep()
        }
    }

    /// TRAPS 21.
    @Test func aHistoryThatNeverEndsIsGivenUp() async throws {
        try await live(messages: 4) { gmail in
            try gmail.deliver()
            gmail.google.faults.add(Fault(.gmail(.historyList), times: nil, .emptyPage))
            let cursor = await gmail.store.cursor
            let failure = await gmail.failure { try await gmail.catchUp() }
            #expect(failure?.code == "endless_listing")
            #expect(await gmail.store.cursor == cursor)
        }
    }

    /// TRAPS 15, and A.4: "not found" is believed when it stays.
    @Test func aMessageGoneBeforeItWasReadVanishesAndOneNotYetThereIsReadAgain() async throws {
        try await live(messages: 4) { gmail in
            let late = try gmail.deliver("Late", notFoundTimes: 2)
            let gone = try gmail.deliver("Gone")
            gmail.google.faults.add(Fault(.gmail(.messagesGet), match: gone, times: nil, .error(.notFound)))
            let batches = try await gmail.catchUp()
            #expect(batches.flatMap(\.vanished) == [gone])
            #expect(batches.flatMap(\.gaps).isEmpty)
            #expect(await gmail.store.receivedIDs == [late])
        }
    }

    /// TRAPS 3, 4: 404 from the history, and only from there, asks for a comparison.
    @Test func onlyAHistoryThatIsGoneAsksForARepair() async throws {
        try await live(messages: 4) { gmail in
            try gmail.google.expireHistory(of: GmailFixture.address)
            let failure = await gmail.failure { try await gmail.catchUp() }
            #expect(failure?.decision == .resync && failure?.code == "history_expired")
        }
        let garbled = await failure(ofCursor: "{\"v\":9}")
        #expect(garbled?.decision == .resync && garbled?.code == "cursor_unreadable")
    }

    private func failure(ofCursor document: String) async -> SyncFailure? {
        do {
            _ = try GmailCursor(Cursor(document))
            return nil
        } catch {
            return error
        }
    }

    /// TRAPS 37.
    @Test func labelsAreReadAgainWhenDueOrWhenAnUnknownOneIsNamed() async throws {
        try await live(messages: 0) { gmail in
            let calls = gmail.calls(.labelsList)
            let id = try gmail.deliver()
            let label = try gmail.google.createLabel("Clients/New", in: GmailFixture.address)
            try gmail.google.modify(id, in: GmailFixture.address, add: [label])
            try await gmail.catchUp()
            #expect(gmail.calls(.labelsList) == calls + 1)
            #expect(await gmail.store.labels.contains { $0.id == label && $0.name == "Clients/New" })
            try gmail.google.modify(id, in: GmailFixture.address, remove: [label])
            try await gmail.catchUp()
            #expect(gmail.calls(.labelsList) == calls + 1)
            try gmail.google.renameLabel(label, to: "Clients/Newer", in: GmailFixture.address)
            gmail.time.advance(by: .seconds(301))
            try await gmail.catchUp(gmail.newSession())
            #expect(gmail.calls(.labelsList) == calls + 2)
            #expect(await gmail.store.labels.contains { $0.id == label && $0.name == "Clients/Newer" })
            try await gmail.catchUp(gmail.newSession())
            #expect(gmail.calls(.labelsList) == calls + 2)
        }
    }

    @Test func aStoreThatCannotBeReadFailsThePass() async throws {
        struct Broken: Error {}
        try await live(messages: 4) { gmail in
            try gmail.deliver()
            await gmail.store.setFailure(Broken())
            let failure = await gmail.failure { try await gmail.catchUp() }
            #expect(failure?.code == "store_failed")
        }
    }

    @Test func cancellingEndsAPass() async throws {
        try await live(messages: 4) { gmail in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await gmail.session.changes(since: gmail.store.cursor, known: gmail.store)
            }
            await #expect(throws: CancellationError.self) { _ = try await task.value }
        }
    }
}
