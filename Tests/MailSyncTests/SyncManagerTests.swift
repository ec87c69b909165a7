import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailSync

@Suite struct SyncManagerTests {
    @Test func aConnectedMailboxIsBackfilledAndThenFollowed() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(35)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        #expect(try await harness.received().count == 35)
        harness.mailbox.deliver("new1")
        harness.mailbox.relabel("old1003", ["INBOX", "STARRED"])
        harness.mailbox.delete("old1004")
        #expect(await harness.manager.wake(user: harness.account.user) == 1)
        try await harness.until { $0.stored?.events == 40 && !$0.isRunning }
        let types = try await harness.eventTypes()
        #expect(types.first == "account.connected")
        #expect(types.suffix(3) == ["email.received", "email.updated", "email.deleted"])
        try await harness.stop()
    }

    @Test func mailThatArrivesDuringABackfillIsNotLost() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(50)
        let mailbox = harness.mailbox
        let first = AtomicFlag()
        first.raise()
        harness.mailbox.change { state in
            state.interception = { call in
                if call == .backfill, first.take() { mailbox.deliver("meanwhile") }
            }
        }
        harness.start()
        try await harness.connect()
        try await harness.idle()
        #expect(Set(try await harness.received()).contains("meanwhile"))
        #expect(try await harness.received().count == 51)
        try await harness.stop()
    }

    @Test func anIdleAccountIsAskedOncePerIntervalForChangesOnly() async throws {
        let harness = try await SyncHarness()
        harness.start()
        try await harness.connect()
        try await harness.idle()
        let before = harness.mailbox.calls.count
        await harness.time.waitForSleepers()
        harness.time.advance(by: .seconds(40))
        for _ in 0..<100_000 where harness.mailbox.calls.count == before { await Task.yield() }
        #expect(Array(harness.mailbox.calls.dropFirst(before)) == [.changes])
        try await harness.idle()
        try await harness.stop()
    }

    @Test func accountsResumeByThemselvesAfterARestart() async throws {
        let first = try await SyncHarness()
        first.mailbox.fill(30)
        first.mailbox.fail(.backfill, SyncFailure(.retry(after: .seconds(600), scope: .account), code: "busy", "later"))
        first.start()
        try await first.connect()
        try await first.until { $0.failures == 1 && !$0.isRunning }
        try await first.stop()

        let second = try await SyncHarness(mailbox: first.mailbox, directory: first.directory, time: first.time)
        #expect(try await second.stored()?.status == .error)
        let calls = second.mailbox.calls.count
        second.start()
        try await second.until { $0.waitingFor?.hasPrefix("back-off") == true && !$0.isRunning }
        #expect(second.mailbox.calls.count == calls, "the provider's wait outlives the process")
        await second.time.waitForSleepers()
        second.time.advance(by: .seconds(600))
        try await second.idle()
        #expect(try await second.received().count == 30)
        #expect(try await second.eventTypes().filter { $0 == "account.connected" }.count == 1)
        try await second.stop()
    }

    @Test func aFailureIsRetriedAndForgottenAfterSuccess() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(5)
        let failure = SyncFailure(.retry(after: nil, scope: .account), code: "backend", "the provider answered 503")
        harness.mailbox.fail(.profile, failure, failure, failure)
        harness.start()
        try await harness.connect()
        for failures in 1...3 {
            try await harness.until { $0.failures == failures && !$0.isRunning }
            await harness.time.waitForSleepers()
            harness.time.advance(by: .seconds(900))
        }
        try await harness.idle()
        #expect(try await harness.stored()?.status == .active)
        #expect(try await harness.stored()?.retryCount == 0)
        try await harness.stop()
    }

    @Test func anExpiredCursorEmitsExactlyTheDifferences() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(20)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        harness.mailbox.deliver("new1")
        harness.mailbox.delete("old1000")
        harness.mailbox.relabel("old1001", ["STARRED"])
        harness.mailbox.expireHistory()
        harness.mailbox.change { state in state.history = [] }
        _ = await harness.manager.wake(user: harness.account.user)
        try await harness.until { $0.stored?.events == 25 && !$0.isRunning }
        let events = try await harness.stores.use(harness.account.user) { store in
            try await store.read { try $0.events(after: 22, limit: 10) }
        }
        #expect(Set(events.map(\.type)) == ["email.received", "email.updated", "email.deleted"])
        #expect(events.allSatisfy { $0.origin == .repair })
        try await harness.stop()
    }

    @Test func tokensOfAnotherMailboxWriteNothingAndTheRightOnesHeal() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(3)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        harness.mailbox.change { $0.identity = "other@example.com" }
        harness.mailbox.deliver("foreign")
        try await harness.connect()
        try await harness.until { $0.isParked }
        #expect(try await harness.stored()?.status == .wrongMailbox)
        #expect(try await harness.received().count == 3)
        harness.mailbox.change { $0.identity = "someone@example.com" }
        try await harness.connect()
        try await harness.until { !$0.isParked && !$0.isRunning && $0.stored?.status == .active }
        #expect(try await harness.received().count == 4)
        try await harness.stop()
    }

    @Test func aDeadGrantParksUntilConnectedAgainAlsoAcrossARestart() async throws {
        let first = try await SyncHarness()
        first.start()
        try await first.connect()
        try await first.idle()
        first.mailbox.fail(.changes, SyncFailure(.reauthenticate, code: "invalid_grant", "the grant was revoked"))
        _ = await first.manager.wake(user: first.account.user)
        try await first.until { $0.isParked && $0.stored?.status == .reauthRequired }
        #expect(try await first.eventTypes().last == "account.reauth_required")
        try await first.stop()

        let second = try await SyncHarness(mailbox: first.mailbox, directory: first.directory, time: first.time)
        let calls = second.mailbox.calls.count
        second.start()
        try await second.until { $0.isParked }
        second.time.advance(by: .seconds(3600))
        #expect(second.mailbox.calls.count == calls)
        try await second.connect()
        try await second.until { $0.stored?.status == .active && !$0.isRunning }
        #expect(try await second.eventTypes().last == "account.connected")
        try await second.stop()
    }

    @Test func disconnectStopsARunningPassAndConnectingAgainResumes() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(25)
        let time = harness.time
        harness.mailbox.change { state in
            state.interception = { call in if call == .backfill { try await time.sleep(for: .seconds(3600)) } }
        }
        harness.start()
        try await harness.connect()
        try await harness.until { $0.isRunning && $0.stored != nil }
        await harness.time.waitForSleepers()
        #expect(try await harness.manager.disconnect(harness.account))
        #expect(try await harness.manager.disconnect(harness.account) == false)
        #expect(try await harness.manager.allAccounts().isEmpty)
        #expect(try await harness.stored()?.status == .stopped)
        #expect(try await harness.vault.accounts().isEmpty)
        harness.mailbox.change { $0.interception = nil }
        try await harness.connect()
        try await harness.idle()
        #expect(try await harness.received().count == 25)
        #expect(
            try await harness.eventTypes().filter { $0.hasPrefix("account.") }
                == ["account.connected", "account.disconnected", "account.connected", "account.checkpoint"])
        try await harness.stop()
    }

    @Test func oneUsersTroubleDoesNotStopAnother() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(5)
        let other = AccountKey(user: try UserID("bob"), provider: .google, inbox: .primary)
        harness.mailbox.fail(.profile, SyncFailure(.stop, code: "api_disabled", "enable the API"))
        harness.start()
        try await harness.connect()
        try await harness.until { $0.failures == 1 }
        try await harness.connect(other)
        try await harness.idle(other)
        try await harness.stop()
    }

    @Test func aFullOutboxPausesTheBackfillButNotLiveMail() async throws {
        let harness = try await SyncHarness(settings: SyncSettings(outboxRowsMax: 15))
        harness.mailbox.fill(40)
        harness.start()
        try await harness.connect()
        try await harness.until { $0.waitingFor?.hasPrefix("outbox") == true }
        #expect(try await harness.received().count == 20, "two pages of ten, then the limit")
        harness.mailbox.deliver("live")
        _ = await harness.manager.wake(user: harness.account.user)
        try await harness.until { $0.stored?.stored == 21 }
        try await harness.stores.use(harness.account.user) { store in
            try await store.write { transaction in
                try transaction.confirm(through: 22, streamSequence: 22, stream: "s", at: 0)
            }
        }
        await harness.time.waitForSleepers()
        harness.time.advance(by: .seconds(5))
        try await harness.until { ($0.stored?.stored ?? 0) > 30 }
        try await harness.stop()
    }

    @Test func anUnreadableMessageIsLedgeredRetriedAndResolved() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(12)
        harness.mailbox.change { $0.unreadable = ["old1005"] }
        harness.start()
        try await harness.connect()
        try await harness.until { $0.stored?.phase == .live && $0.stored?.gaps == 1 && !$0.isRunning }
        #expect(try await harness.received().count == 11)
        harness.mailbox.change { $0.unreadable = [] }
        await harness.time.waitForSleepers()
        harness.time.advance(by: .seconds(3600))
        try await harness.until { $0.stored?.gaps == 0 && !$0.isRunning }
        #expect(try await harness.received().last == "old1005")
        try await harness.stop()
    }

    @Test func aStoreBehindTheStreamIsLeftAloneAlsoAcrossARestart() async throws {
        let first = try await SyncHarness()
        first.mailbox.fill(5)
        first.start()
        try await first.connect()
        try await first.idle()
        let account = first.account
        try await first.stores.use(account.user) { store in
            try await store.write { try $0.setStatus(account, .behindStream(message: "older copy"), at: 0) }
        }
        await first.manager.suspend(account.user, because: "a test")
        let calls = first.mailbox.calls.count
        first.mailbox.deliver("new")
        _ = await first.manager.wake(user: account.user)
        try await first.until { $0.isParked }
        try await first.stop()

        let second = try await SyncHarness(mailbox: first.mailbox, directory: first.directory, time: first.time)
        second.start()
        try await second.until { $0.isParked }
        #expect(second.mailbox.calls.count == calls)
        #expect(try await second.received().count == 5)
        try await second.stop()
    }
}
