import Foundation
import MailModel
import ProviderEmulator
import Testing

@testable import GmailProvider

/// What a repair finds, what it does not take for a deletion, and what it costs.
@Suite struct RepairCostTests {
    /// A mailbox in step whose history was then forgotten, after `change`.
    private func expired(
        messages: Int, change: (GmailFixture) async throws -> Void = { _ in },
        _ body: (GmailFixture) async throws -> Void
    ) async throws {
        try await GmailFixture.run({ $0.messages = messages }) { gmail in
            try await gmail.connect()
            try await gmail.backfillAll()
            try await gmail.catchUp()
            try await change(gmail)
            try gmail.google.expireHistory(of: GmailFixture.address)
            await gmail.store.forgetEvents()
            try await body(gmail)
        }
    }

    private func inbox(_ gmail: GmailFixture) async -> [String] {
        await gmail.store.messages.values.filter { $0.labels == ["INBOX"] || $0.labels == ["INBOX", "UNREAD"] }
            .map(\.id).sorted()
    }

    @Test func everyKindOfDifferenceBecomesOneEvent() async throws {
        var expected: Set<MemoryStore.Event> = []
        try await expired(
            messages: 600,
            change: { gmail in
                let inbox = await inbox(gmail)
                func labels(_ id: String) async -> [String] { await gmail.store.messages[id]?.labels ?? [] }
                // New, gone, relabelled, moved to trash; then there again by the provider, gone by the store.
                for _ in 0..<5 { expected.insert(.received(try gmail.deliver())) }
                for id in inbox[0..<5] {
                    try gmail.google.delete(id, in: GmailFixture.address)
                    expected.insert(.deleted(id))
                }
                for id in inbox[5..<10] {
                    let before = await labels(id)
                    try gmail.google.modify(id, in: GmailFixture.address, add: ["STARRED"])
                    expected.insert(
                        .updated(
                            id, labels: (before + ["STARRED"]).sorted(), added: ["STARRED"], removed: [],
                            restored: false))
                }
                for id in inbox[10..<15] {
                    let before = await labels(id)
                    try gmail.google.trash(id, in: GmailFixture.address)
                    expected.insert(
                        .updated(
                            id, labels: (before.filter { $0 != "INBOX" } + ["TRASH"]).sorted(), added: ["TRASH"],
                            removed: ["INBOX"], restored: false))
                }
                for id in inbox[15..<20] {
                    await gmail.store.apply(
                        ChangeBatch(
                            changes: [.deleted(id: id)], origin: .incremental, cursor: gmail.store.cursor,
                            phase: .live))
                    expected.insert(
                        .updated(id, labels: await labels(id), added: [], removed: [], restored: true))
                }
            }
        ) { gmail in
            try await gmail.repairAll()
            let events = await gmail.store.events
            #expect(Set(events) == expected)
            #expect(events.count == 25)
            #expect(await gmail.store.origins.allSatisfy { $0 == .repair })
            await gmail.store.forgetEvents()
            try await gmail.catchUp()
            #expect(await gmail.store.events.isEmpty)
            try await gmail.expectInStep()
        }
    }

    @Test func whatAListingLeavesOutIsNotGone() async throws {
        try await expired(messages: 60) { gmail in
            let inbox = await inbox(gmail)
            for id in inbox.prefix(3) { try gmail.google.conceal(id, in: GmailFixture.address) }
            let reads = gmail.calls(.messagesGet)
            try await gmail.repairAll()
            #expect(await gmail.store.events.isEmpty)
            #expect(gmail.calls(.messagesGet) - reads == 3)
        }
    }

    @Test func anOutageIsNoDeletionEither() async throws {
        try await expired(
            messages: 60,
            change: { gmail in try gmail.google.delete(try #require(await inbox(gmail).first), in: GmailFixture.address)
            }
        ) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesGet), times: nil, .error(.backendError)))
            let failure = await gmail.failure { try await gmail.repairAll() }
            #expect(failure?.code == "server_error")
            #expect(await gmail.store.events.isEmpty)
            gmail.google.faults.removeAll()
            try await gmail.repairAll()
            #expect(await gmail.store.events.count == 1)
            try await gmail.expectInStep()
        }
    }

    @Test func onlyALabelThatIsNotListedAnyMoreIsEmpty() async throws {
        try await expired(messages: 60) { gmail in
            let before = await gmail.store.cursor
            gmail.google.faults.add(
                Fault(
                    .gmail(.messagesList), match: "labelIds=INBOX", times: nil,
                    .error(.invalidArgument("Precondition of ours"))))
            let failure = await gmail.failure { try await gmail.repairAll() }
            #expect(failure?.code == GmailFailure.Code.badRequest)
            #expect(await gmail.store.events.isEmpty)
            #expect(await gmail.store.cursor == before)
            gmail.google.faults.removeAll()
            try await gmail.repairAll()
            #expect(await gmail.store.events.isEmpty)
        }
    }

    /// What a repair costs, as a formula.
    struct Cost: Equatable {
        var requests: Int
        var units: Int

        /// - Parameters:
        ///   - messages: in the mailbox, trash and spam included.
        ///   - ofLabels: how many messages each label has.
        ///   - read: messages that are new, gone or there again. Changed labels cost no reading.
        init(messages: Int, ofLabels: [Int], read: Int) {
            func pages(_ count: Int) -> Int { max(1, (count + GmailAPI.pageSize - 1) / GmailAPI.pageSize) }
            let costs = GmailUnitCosts()
            let lists = pages(messages) + ofLabels.map(pages).reduce(0, +)
            // The profile once; the labels for the event, and for the listings; the history since the start.
            requests = 1 + 2 + 1 + lists
            units =
                costs.getProfile + 2 * costs.labelsList + costs.historyList + lists * costs.messagesList
                + read * costs.messagesGet
        }

        init(requests: Int, units: Int) {
            self.requests = requests
            self.units = units
        }
    }

    /// `MAILSYNC_REPAIR_MESSAGES=100000` runs it at full size.
    @Test func theCostIsThatOfListingsAndTheDifferences() async throws {
        let messages = ProcessInfo.processInfo.environment["MAILSYNC_REPAIR_MESSAGES"].flatMap(Int.init) ?? 2_000
        try await expired(
            messages: messages,
            change: { gmail in
                let inbox = await inbox(gmail)
                for _ in 0..<20 { try gmail.deliver() }
                for id in inbox[0..<20] { try gmail.google.delete(id, in: GmailFixture.address) }
                for id in inbox[20..<30] { try gmail.google.modify(id, in: GmailFixture.address, add: ["STARRED"]) }
            }
        ) { gmail in
            let truth = try gmail.google.snapshot(GmailFixture.address).values
            let labels = try gmail.google.labels(of: GmailFixture.address).map { label in
                truth.count { $0.labels.contains(label.id) }
            }
            let gets = gmail.calls(.messagesGet)
            let others = {
                [GmailMethod.messagesList, .historyList, .labelsList, .getProfile].map(gmail.calls).reduce(0, +)
            }
            let before = others()
            _ = gmail.budget.takeUnits()
            // The labels were read long ago.
            gmail.time.advance(by: .seconds(3_600))
            try await gmail.repairAll()

            let spent = Cost(requests: others() - before, units: gmail.budget.takeUnits())
            #expect(await gmail.store.events.count == 50)
            #expect(gmail.calls(.messagesGet) - gets == 40)
            #expect(spent == Cost(messages: truth.count, ofLabels: labels, read: 40))
            let again = truth.count * GmailUnitCosts().messagesGet
            #expect(spent.units < again / 10)
            // The shares of labels are those of the mailbox above.
            let large = Cost(
                messages: 100_000, ofLabels: labels.map { $0 * 100_000 / truth.count }, read: 40)
            print(
                """
                repair of \(truth.count) messages with 50 differences: \(spent.requests) requests and the batches of 40 \
                reads, \(spent.units) units (all again: \(again)); of 100,000 messages: \(large.requests) requests, \
                \(large.units) units (all again: 2,000,000)
                """)
        }
    }
}
