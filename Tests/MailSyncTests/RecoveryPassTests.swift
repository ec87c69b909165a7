import Accounts
import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailSync

@Suite struct CheckpointTests {
    /// After the backfill, then after passes that emitted events, once a minute, and never for idle ones.
    @Test func checkpointsFollowEventsAndNotPasses() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(30)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        #expect(try await harness.checkpoints() == 1)
        let cursor = try await harness.stored()?.cursor
        #expect(try await harness.lastCheckpoint()?.cursor == cursor)
        #expect(try await harness.lastCheckpoint()?.phase == .live)
        #expect(try await harness.lastCheckpoint()?.stored == 30)
        // Within the minute: no other one.
        harness.mailbox.deliver("a")
        _ = await harness.manager.wake(user: harness.account.user)
        try await harness.until { $0.stored?.stored == 31 && !$0.isRunning }
        #expect(try await harness.checkpoints() == 1)
        // Two minutes of idle passes.
        for _ in 0..<4 {
            await harness.time.waitForSleepers()
            harness.time.advance(by: .seconds(33))
            try await harness.idle()
        }
        #expect(try await harness.checkpoints() == 1)
        harness.mailbox.deliver("b")
        _ = await harness.manager.wake(user: harness.account.user)
        try await harness.until { $0.stored?.stored == 32 && !$0.isRunning }
        #expect(try await harness.checkpoints() == 2)
        #expect(try await harness.lastCheckpoint()?.stored == 32)
        try await harness.stop()
    }
}

@Suite struct AdoptionPassTests {
    /// A store that came out of a restoration with a part of the mail: the rest is read as state; what arrives while it
    /// is listed is told of.
    @Test func theRestIsReadAsStateAndNewMailAsEvents() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(250)
        let mailbox = harness.mailbox
        let account = harness.account
        let first = AtomicFlag()
        first.raise()
        mailbox.change { state in
            state.unreadable = ["old1007"]
            state.interception = { call in if call == .list, first.take() { mailbox.deliver("meanwhile") } }
        }
        let cursor = Cursor("\(mailbox.change { $0.number })")
        try await harness.stores.use(account.user) { store in
            try await store.write { transaction in
                try transaction.follow(
                    account, mailbox: "someone@example.com", cursor: cursor, estimatedTotal: 1, at: 1)
                try transaction.confirm(through: 1, streamSequence: 1, stream: "A", at: 1)
            }
            _ = try await store.write { try $0.beginRestoring(from: "A", at: 1) }
            // The stream has one event left, far above: what was between is missing.
            let checkpoint = AccountCheckpoint(mailbox: "someone@example.com", phase: .live, cursor: cursor)
            let event = MailEvent(
                id: "x", seq: 50, recordedAt: 1, account: account, origin: .incremental,
                body: .account(.checkpoint(checkpoint)))
            let message = ArchivedMessage(
                streamSequence: 9, subject: event.subject, id: event.id, payload: event.payload())
            _ = try await store.write { try $0.restore([message], stream: "A", at: 1) }
            let result = try await store.write {
                try $0.finishRestoring(connected: [account], floor: .none, at: 1)
            }
            #expect((result.lastSeq, result.missing) == (50, 48))
        }
        harness.start()
        try await harness.connect()
        try await harness.until { $0.stored?.stored == 250 && !$0.isRunning && $0.failures == 0 }
        #expect(try await harness.received() == ["meanwhile"])
        #expect(harness.mailbox.calls.contains(.list))
        #expect(!harness.mailbox.calls.contains(.repair))
        #expect(!harness.mailbox.calls.contains(.backfill))
        // The one that could not be read is tried again later, and then nothing is left.
        mailbox.change { $0.unreadable = [] }
        await harness.time.waitForSleepers()
        harness.time.advance(by: .seconds(600))
        try await harness.until { $0.stored?.stored == 251 && !$0.isRunning }
        #expect(try await harness.received() == ["meanwhile"])
        #expect(try await harness.stores.use(account.user) { try await $0.read { try $0.adoption(account) } } == nil)
        try await harness.stop()
    }
}

@Suite struct SuspensionTests {
    @Test func nothingIsSyncedForAUserWhoIsSuspended() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(5)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        await harness.manager.suspend(harness.account.user, because: "a test")
        let calls = harness.mailbox.calls.count
        harness.mailbox.deliver("new")
        _ = await harness.manager.wake(user: harness.account.user)
        // Connecting again while it lasts does not start anything either.
        try await harness.connect()
        try await harness.until { $0.isParked && $0.waitingFor == "a test" }
        #expect(harness.mailbox.calls.count == calls)
        await harness.manager.resume(harness.account.user)
        try await harness.until { $0.stored?.stored == 6 && !$0.isRunning }
        try await harness.stop()
    }

    @Test func aForgottenAccountIsGoneAtOnceAndEmitsNothing() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(5)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        let before = try await harness.eventTypes()
        let tokens = try await harness.manager.forget(harness.account)
        #expect(tokens?.refresh.revealed == "refresh")
        #expect(try await harness.vault.accounts().isEmpty)
        #expect(try await harness.manager.allAccounts().isEmpty)
        #expect(try await harness.eventTypes() == before)
        try await harness.stop()
    }
}

extension SyncHarness {
    fileprivate func events() async throws -> [MailEvent] {
        try await stores.use(account.user) { store in try await store.read { try $0.events(after: 0, limit: 100_000) } }
    }

    fileprivate func checkpoints() async throws -> Int {
        try await events().filter { $0.type == "account.checkpoint" }.count
    }

    fileprivate func lastCheckpoint() async throws -> AccountCheckpoint? {
        try await events().compactMap { event -> AccountCheckpoint? in
            if case .account(.checkpoint(let checkpoint)) = event.body { checkpoint } else { nil }
        }.last
    }
}
