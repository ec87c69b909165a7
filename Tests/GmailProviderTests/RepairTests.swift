import MailModel
import ProviderEmulator
import Testing

@testable import GmailProvider

/// TRAPS 3: after the history is gone, exactly the differences.
@Suite struct RepairTests {
    private func expired(
        messages: Int = 640, _ adjust: (inout GmailFixture.Options) -> Void = { _ in },
        change: (GmailFixture) async throws -> Void, _ body: (GmailFixture) async throws -> Void
    ) async throws {
        try await GmailFixture.run({ options in
            options.messages = messages
            adjust(&options)
        }) { gmail in
            try await gmail.connect()
            try await gmail.backfillAll()
            try await gmail.catchUp()
            try await change(gmail)
            try gmail.google.expireHistory(of: GmailFixture.address)
            await gmail.store.forgetEvents()
            _ = gmail.budget.takeUnits()
            try await body(gmail)
        }
    }

    @Test func nothingChangedIsNothingSaid() async throws {
        try await expired(change: { _ in }) { gmail in
            let reads = gmail.calls(.messagesGet)
            let before = await gmail.store.cursor
            let batches = try await gmail.repairAll()
            #expect(await gmail.store.events.isEmpty)
            #expect(gmail.calls(.messagesGet) == reads)
            #expect(batches.last?.phase == .live && batches.last?.cursor != before)
            #expect(batches.dropLast().allSatisfy { $0.cursor == before && $0.phase == .repair })
            try await gmail.catchUp()
            #expect(await gmail.store.events.isEmpty)
        }
    }

    @Test func newGoneAndRelabelledMessagesAreFoundAndNothingElse() async throws {
        var expectedEvents: Set<MemoryStore.Event> = []
        try await expired(change: { gmail in
            let inbox = await gmail.store.messages.values.filter { $0.labels.contains("INBOX") }.map(\.id).sorted()
            for _ in 0..<130 { expectedEvents.insert(.received(try gmail.deliver())) }
            try gmail.deliver("Spam", labels: ["SPAM"])
            for id in inbox[0..<20] {
                try gmail.google.delete(id, in: GmailFixture.address)
                expectedEvents.insert(.deleted(id))
            }
            for id in inbox[20..<40] {
                let labels = await gmail.store.messages[id]?.labels ?? []
                try gmail.google.trash(id, in: GmailFixture.address)
                expectedEvents.insert(
                    .updated(
                        id, labels: (labels.filter { $0 != "INBOX" } + ["TRASH"]).sorted(), added: ["TRASH"],
                        removed: ["INBOX"], restored: false))
            }
        }) { gmail in
            let reads = gmail.calls(.messagesGet)
            let batches = try await gmail.repairAll()
            #expect(Set(await gmail.store.events) == expectedEvents)
            #expect(await gmail.store.events.count == expectedEvents.count)
            #expect(await gmail.store.origins.allSatisfy { $0 == .repair })
            // Labels cost listings, not reads; that a message is gone, its reading says.
            #expect(gmail.calls(.messagesGet) - reads == 130 + 20)
            #expect(batches.allSatisfy { $0.changes.count <= 500 })
            try await gmail.expectInStep()
            await gmail.store.forgetEvents()
            try await gmail.catchUp()
            #expect(await gmail.store.events.isEmpty)
        }
    }

    @Test func labelsDeletedOrMadeMeanwhileAreCompared() async throws {
        try await expired(
            messages: 80,
            change: { gmail in
                let id = try #require(await gmail.store.present.max())
                let made = try gmail.google.createLabel("Made", in: GmailFixture.address)
                try gmail.google.modify(id, in: GmailFixture.address, add: [made])
                let used = try #require(
                    try gmail.google.labels(of: GmailFixture.address).first { label in
                        !label.isSystem && label.id != made
                    })
                try gmail.google.deleteLabel(used.id, in: GmailFixture.address)
            }
        ) { gmail in
            try await gmail.repairAll()
            try await gmail.expectInStep()
        }
    }

    @Test func mailThatChangesDuringTheRepairEndsInStep() async throws {
        try await expired(change: { gmail in
            var activity = MailboxActivity(address: GmailFixture.address, seed: 11)
            for _ in 0..<200 { _ = try activity.step(gmail.google) }
        }) { gmail in
            var activity = MailboxActivity(address: GmailFixture.address, seed: 12)
            var batch: ChangeBatch
            repeat {
                batch = try await gmail.session.repair(from: gmail.store.cursor, known: gmail.store)
                for _ in 0..<15 { _ = try activity.step(gmail.google) }
                await gmail.store.apply(batch)
            } while batch.more
            try await gmail.catchUp()
            try await gmail.expectInStep()
        }
    }

    @Test func anUnfinishedBackfillStartsOverAfterwards() async throws {
        try await GmailFixture.run({ $0.messages = 700 }) { gmail in
            try await gmail.connect()
            for _ in 0..<6 { try await gmail.backfillOnce() }
            let gone = try #require(await gmail.store.present.max())
            try gmail.google.delete(gone, in: GmailFixture.address)
            try gmail.google.expireHistory(of: GmailFixture.address)
            let failure = await gmail.failure { try await gmail.catchUp() }
            #expect(failure?.decision == .resync)
            await gmail.store.forgetEvents()
            let batches = try await gmail.repairAll()
            #expect(await gmail.store.events == [.deleted(gone)])
            #expect(batches.last?.phase == .backfill)
            let cursor = try GmailCursor(await gmail.store.cursor)
            #expect(!cursor.backfill.done && cursor.backfill.pageToken == nil)
            try await gmail.backfillAll()
            try await gmail.expectInStep()
        }
    }

    @Test func oldMailIsNotReadToLearnThatItIsOld() async throws {
        try await expired(messages: 600, { $0.since = 1_740_000_000 }, change: { gmail in try gmail.deliver() }) {
            gmail in
            let reads = gmail.calls(.messagesGet)
            try await gmail.repairAll()
            #expect(gmail.calls(.messagesGet) - reads == 1)
            try await gmail.expectInStep()
        }
    }

    @Test func aFailureInTheMiddleIsGoneOnFrom() async throws {
        try await expired(change: { gmail in for _ in 0..<5 { try gmail.deliver() } }) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesList), skip: 4, times: 3, .error(.backendError)))
            let failure = await gmail.failure { try await gmail.repairAll() }
            #expect(failure?.code == "server_error")
            let lists = gmail.calls(.messagesList)
            try await gmail.repairAll()
            #expect(await gmail.store.events.count == 5)
            // The listing of all ids was not made again.
            #expect(gmail.calls(.messagesList) - lists < 40)
            try await gmail.expectInStep()
        }
    }

    @Test func aMessageThatWasGoneAndIsThereAgainIsRestored() async throws {
        try await expired(
            messages: 30,
            change: { gmail in
                let id = try #require(await gmail.store.present.max())
                await gmail.store.apply(
                    ChangeBatch(
                        changes: [.deleted(id: id)], origin: .incremental, cursor: gmail.store.cursor, phase: .live))
            }
        ) { gmail in
            try await gmail.repairAll()
            let events = await gmail.store.events
            guard events.count == 1, case .updated(_, _, _, _, let restored) = events[0] else {
                Issue.record("\(events)")
                return
            }
            #expect(restored)
        }
    }
}

@Suite struct MailboxIndexTests {
    @Test func keepsIDsAndLabelsOfAnyForm() {
        var index = MailboxIndex()
        let ids = ["00000000000000ff", "18c1234567890abd", "ABC", "18C1234567890ABD", "x_-9", "18c1234567890abd"]
        index.insert(ids)
        index.seal()
        #expect(index.count == 5)
        index.add(label: "B", to: ["ABC", "00000000000000ff", "absent"])
        index.add(label: "A", to: ["ABC", "ABC"])
        #expect(index.labels(of: "ABC") == ["A", "B"])
        #expect(index.labels(of: "00000000000000ff") == ["B"])
        #expect(index.labels(of: "18C1234567890ABD") == [])
        #expect(index.labels(of: "absent") == nil && !index.contains("absent") && index.contains("x_-9"))
        #expect(Set((0..<5).map(index.id(at:))) == Set(ids))
        #expect(index.id(at: 4) == "00000000000000ff" && index.id(at: 3) == "18c1234567890abd")
    }

    @Test func anEmptyMailboxHasNothing() {
        var index = MailboxIndex()
        index.seal()
        index.add(label: "A", to: ["a"])
        #expect(index.count == 0 && index.labels(of: "a") == nil)
    }
}
