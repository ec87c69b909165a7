import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import GmailProvider

@Suite struct BackfillTests {
    @Test func profileComesFirstAndNamesTheMailbox() async throws {
        try await GmailFixture.run({ $0.messages = 30 }) { gmail in
            let profile = try await gmail.session.profile()
            #expect(profile.identity == "ann@example.net")
            #expect(profile.messagesTotal == 30)
            let cursor = try GmailCursor(profile.startingCursor)
            #expect(try cursor.historyID == gmail.google.historyID(of: GmailFixture.address))
            #expect(!cursor.backfill.done && cursor.backfill.pageToken == nil)
            #expect(gmail.budget.units == 1)
        }
    }

    @Test(arguments: [GmailReading.batch(partsMax: 50), .multiplexed(concurrency: 8)])
    func everyMessageInScopeIsReadOnceNewestFirst(reading: GmailReading) async throws {
        try await GmailFixture.run({ options in
            options.messages = 1230
            options.gmail.reading = reading
        }) { gmail in
            try await gmail.connect()
            let batches = try await gmail.backfillAll()
            try await gmail.expectInStep()
            #expect(batches.allSatisfy { $0.changes.count <= 100 })
            #expect(batches.dropLast().allSatisfy { $0.more && $0.phase == .backfill })
            #expect(batches.last?.phase == .live && batches.last?.more == false)
            #expect(batches.allSatisfy { $0.origin == .backfill && $0.estimatedTotal == 1230 })
            let received = await gmail.store.receivedIDs
            #expect(received == received.sorted(by: >))
            // Listed pages, and one get for everything a listing shows (drafts among it).
            #expect(gmail.calls(.messagesList) == 3)
            let hidden = try gmail.google.snapshot(GmailFixture.address).values.filter {
                $0.labels.contains("SPAM") || $0.labels.contains("TRASH")
            }
            #expect(gmail.calls(.messagesGet) == 1230 - hidden.count)
            #expect(gmail.budget.units == gmail.google.stats.units["ann@example.net"])
            #expect(gmail.google.stats.batchPartsMax <= 50)
            if case .multiplexed = reading { #expect(gmail.google.stats.concurrentMax <= 8) }
        }
    }

    @Test func labelsAreReadAtTheStart() async throws {
        try await GmailFixture.run({ $0.messages = 20 }) { gmail in
            try await gmail.connect()
            let first = try await gmail.backfillOnce()
            #expect(first.labels?.contains { $0.id == "INBOX" && $0.type == "system" } == true)
            #expect(first.labels?.contains { $0.type == "user" } == true)
            #expect(gmail.calls(.labelsList) == 1)
        }
    }

    @Test func anEmptyMailboxIsLiveAtOnce() async throws {
        try await GmailFixture.run { gmail in
            try await gmail.connect()
            let batches = try await gmail.backfillAll()
            #expect(batches.count == 1 && batches[0].changes.isEmpty && batches[0].phase == .live)
        }
    }

    /// TRAPS 8: a page whose messages are all known, or all out of scope, ends nothing and blocks nothing.
    @Test func pagesKnownOrFilteredAreWalkedPastWithoutReading() async throws {
        try await GmailFixture.run({ $0.messages = 1100 }) { gmail in
            try await gmail.connect()
            let start = await gmail.store.cursor
            try await gmail.backfillAll()
            let reads = gmail.calls(.messagesGet)
            let drafts = try gmail.google.snapshot(GmailFixture.address).values.filter { $0.labels.contains("DRAFT") }
            // From the top again with everything stored, in a new session: only drafts, never stored, are read.
            await gmail.store.setCursor(start)
            var batch = try await gmail.newSession().backfill(from: start, known: gmail.store)
            #expect(batch.changes.count <= drafts.count)
            let session = gmail.newSession()
            repeat {
                batch = try await session.backfill(from: batch.cursor, known: gmail.store)
            } while batch.more
            #expect(batch.phase == .live)
            #expect(gmail.calls(.messagesGet) <= reads + 2 * drafts.count)
            try await gmail.expectInStep()
        }
    }

    @Test func anInterruptedBackfillResumesAtItsPage() async throws {
        try await GmailFixture.run({ $0.messages = 1300 }) { gmail in
            try await gmail.connect()
            for _ in 0..<7 { try await gmail.backfillOnce() }
            let lists = gmail.calls(.messagesList)
            let reads = gmail.calls(.messagesGet)
            try await gmail.backfillAll(gmail.newSession())
            try await gmail.expectInStep()
            #expect(gmail.calls(.messagesList) - lists <= 2)
            #expect(reads + (gmail.calls(.messagesGet) - reads) <= 1300)
        }
    }

    /// TRAPS 28.
    @Test func anExpiredPageTokenStartsTheListingOverAndReadsNothingTwice() async throws {
        try await GmailFixture.run({ $0.messages = 1300 }) { gmail in
            try await gmail.connect()
            for _ in 0..<7 { try await gmail.backfillOnce() }
            try gmail.google.expirePageTokens(of: GmailFixture.address)
            try await gmail.backfillAll(gmail.newSession())
            try await gmail.expectInStep()
            let listed = try gmail.google.snapshot(GmailFixture.address).values.filter {
                !$0.labels.contains("SPAM") && !$0.labels.contains("TRASH")
            }
            let drafts = listed.filter { $0.labels.contains("DRAFT") }
            #expect(gmail.calls(.messagesGet) <= listed.count + drafts.count)
        }
    }

    @Test func pageTokensThatNeverWorkFailThePassInTheEnd() async throws {
        try await GmailFixture.run({ $0.messages = 600 }) { gmail in
            try await gmail.connect()
            gmail.google.faults.add(
                Fault(
                    .gmail(.messagesList), match: "pageToken", times: nil, .error(.invalidArgument("Invalid pageToken"))
                ))
            let failure = await gmail.failure { try await gmail.backfillAll() }
            #expect(failure?.code == "page_token_expired")
            guard case .retry = failure?.decision else {
                Issue.record("\(String(describing: failure))")
                return
            }
            // What could be read was.
            #expect(await gmail.store.present.count > 400)
        }
    }

    /// TRAPS 1: mail that arrives, changes and goes during the backfill.
    @Test func mailThatChangesMeanwhileIsNeitherLostNorDoubledNorAGhost() async throws {
        try await GmailFixture.run({ $0.messages = 900 }) { gmail in
            try await gmail.connect()
            var activity = MailboxActivity(address: GmailFixture.address, seed: 3)
            while await gmail.store.phase != .live {
                for _ in 0..<20 { _ = try activity.step(gmail.google) }
                try await gmail.backfillOnce()
                for _ in 0..<5 { _ = try activity.step(gmail.google) }
                try await gmail.catchUp()
            }
            try await gmail.catchUp()
            try await gmail.expectInStep()
        }
    }

    @Test(arguments: [[GmailScope.readonly], [GmailScope.metadata]])
    func sinceLimitsByTheProvidersDate(scopes: [String]) async throws {
        let since: UnixSeconds = 1_700_000_000
        try await GmailFixture.run({ options in
            options.messages = 700
            options.since = since
            options.scopes = scopes
        }) { gmail in
            try await gmail.connect()
            try await gmail.backfillAll()
            try await gmail.expectInStep()
            let expected = try gmail.expected()
            #expect(!expected.isEmpty && expected.count < 500)
            #expect(await gmail.store.present == Set(expected.keys))
            // Only the metadata scope has to read what is too old: it may not search.
            if scopes == [GmailScope.readonly] { #expect(gmail.calls(.messagesGet) <= expected.count + 30) }
        }
    }

    @Test func pagesWithoutMessagesButWithATokenAreWalkedPast() async throws {
        try await GmailFixture.run({ $0.messages = 700 }) { gmail in
            try await gmail.connect()
            gmail.google.faults.add(Fault(.gmail(.messagesList), times: 3, .emptyPage))
            try await gmail.backfillAll()
            try await gmail.expectInStep()
        }
    }

    @Test func aListingThatNeverEndsIsGivenUp() async throws {
        try await GmailFixture.run({ $0.messages = 700 }) { gmail in
            try await gmail.connect()
            gmail.google.faults.add(Fault(.gmail(.messagesList), times: nil, .emptyPage))
            let failure = await gmail.failure { try await gmail.backfillAll() }
            #expect(failure?.code == "endless_listing")
        }
    }

    /// The real corpus, through the emulator and back.
    @Test(.enabled(if: SharedMaterial.corpus != nil))
    func realMailIsReadWhole() async throws {
        try await GmailFixture.run { gmail in
            let corpus = SharedMaterial.corpus ?? ""
            try await gmail.google.load(mbox: "\(corpus)/real-5k.mbox.gz", into: GmailFixture.address)
            try await gmail.connect()
            try await gmail.backfillAll()
            try await gmail.expectInStep()
            #expect(await gmail.store.present.count == 5000)
            let metas = await gmail.store.metas.values
            #expect(metas.filter { $0.sender.isEmpty }.count < 50)
            #expect(!metas.contains { $0.subject.utf8.contains(0) })
        }
    }
}
