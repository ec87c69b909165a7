import Accounts
import MailModel
import MailStore
import MailTestSupport
import Synchronization
import Testing

@testable import MailSync

/// When the manager makes passes due.
@Suite struct SchedulingTests {
    private static let failure = SyncFailure(
        .retry(after: nil, scope: .account), code: "backend", "the provider answered 503")

    private func turn(_ harness: SyncHarness, _ interval: Int64) -> Int64 {
        let now = harness.time.nowMilliseconds()
        let phase = PollingPolicy.phase(of: harness.account) % interval
        let wait = (phase - now % interval + interval) % interval
        return now + (wait == 0 ? interval : wait)
    }

    @Test func anAccountKeepsItsTurnAcrossARestart() async throws {
        let first = try await SyncHarness()
        first.start()
        try await first.connect()
        try await first.idle()
        #expect(await first.due() == turn(first, 15_000), "connecting is a change")
        // Quiet for a while, and everybody had their turn.
        for _ in 0..<50 {
            guard let due = await first.due() else { break }
            try await first.advance(to: due)
            try await first.idle()
        }
        let due = await first.due()
        #expect(due == turn(first, 30_000))
        try await first.stop()

        let second = try await SyncHarness(mailbox: first.mailbox, directory: first.directory, time: first.time)
        second.time.advance(by: .seconds(2))
        second.start()
        try await second.until { $0.nextAttemptAt != nil }
        #expect(await second.due() == due)
        try await second.stop()
    }

    @Test func whoMissedATurnHasItRightAfterTheStart() async throws {
        let settings = SyncSettings(interval: .seconds(3600))
        let first = try await SyncHarness(settings: settings)
        first.start()
        try await first.connect()
        try await first.idle()
        try await first.stop()
        let calls = first.mailbox.calls.count
        first.time.advance(by: .seconds(3700))

        let second = try await SyncHarness(
            mailbox: first.mailbox, directory: first.directory, time: first.time, settings: settings)
        second.start()
        try await second.calls(.profile, 2)
        try await second.idle()
        #expect(second.mailbox.calls.count > calls)
        #expect(await second.due() == turn(second, 3_600_000))
        try await second.stop()
    }

    /// A backfill that was interrupted does not wait for its turn, however far away that is.
    @Test(arguments: [false, true]) func unfinishedWorkIsTakenUpAtTheStart(isClockOff: Bool) async throws {
        let settings = SyncSettings(interval: .seconds(86_400), isClockOff: isClockOff)
        let first = try await SyncHarness(settings: settings)
        first.mailbox.fill(30)
        first.mailbox.fail(.backfill, Self.failure)
        first.start()
        try await first.connect()
        try await first.until { $0.failures == 1 && !$0.isRunning }
        try await first.stop()
        #expect(try await first.reopened { try await $0.all().unsettled } == [first.account])
        first.time.advance(by: .seconds(20))

        let second = try await SyncHarness(
            mailbox: first.mailbox, directory: first.directory, time: first.time, settings: settings)
        second.start()
        try await second.idle()
        #expect(try await second.received().count == 30)
        try await second.stop()
        #expect(try await second.reopened { try await $0.all().unsettled } == [])
    }

    @Test func pushesStretchPollingAndItReturnsByItself() async throws {
        let harness = try await SyncHarness()
        harness.start()
        try await harness.connect()
        try await harness.idle()
        harness.time.advance(by: .seconds(1))
        await harness.manager.setPushes(.healthy, of: harness.account)
        #expect(await harness.due() == turn(harness, 900_000))
        try await harness.until { $0.interval == .seconds(900) && $0.pushes == .healthy }
        for health in [PushHealth.silent, .lapsed, .pending, .off] {
            await harness.manager.setPushes(.healthy, of: harness.account)
            await harness.manager.setPushes(health, of: harness.account)
            #expect(await harness.due() == turn(harness, 15_000), "\(health)")
        }
        try await harness.stop()
    }

    /// What somebody asked for, and what rests after a failure, keeps its time whatever becomes of the pushes.
    @Test func pushesMoveNoBackOff() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fail(.profile, Self.failure)
        harness.start()
        try await harness.connect()
        try await harness.until { $0.failures == 1 && !$0.isRunning }
        let due = await harness.due()
        await harness.manager.setPushes(.healthy, of: harness.account)
        #expect(await harness.due() == due)
        try await harness.stop()
    }

    @Test func aUsersScheduleIsKeptAndGoesWithTheAccount() async throws {
        let wanted = AccountSchedule(interval: .seconds(7200))
        let first = try await SyncHarness()
        first.start()
        try await first.connect()
        try await first.idle()
        #expect(try await first.manager.setSchedule(wanted, of: first.account) == .set)
        let folders = AccountSchedule(folders: ["INBOX": .seconds(60)])
        #expect(try await first.manager.setSchedule(folders, of: first.account) == .noFolders)
        #expect(await first.due() == turn(first, 7_200_000))
        try await first.stop()

        let second = try await SyncHarness(mailbox: first.mailbox, directory: first.directory, time: first.time)
        second.start()
        try await second.until { $0.schedule == wanted && $0.interval == .seconds(7200) }
        #expect(try await second.manager.setSchedule(AccountSchedule(), of: second.account) == .set)
        try await second.until { $0.schedule == nil && $0.interval == .seconds(30) }
        #expect(try await second.schedules.all().own.isEmpty)
        _ = try await second.manager.setSchedule(wanted, of: second.account)
        #expect(try await second.manager.disconnect(second.account))
        #expect(try await second.schedules.all().own.isEmpty)
        #expect(try await second.schedules.all().unsettled.isEmpty)
        #expect(try await second.manager.setSchedule(wanted, of: second.account) == .noAccount)
        try await second.stop()
    }

    @Test func anErasedAccountLeavesNoSchedule() async throws {
        let harness = try await SyncHarness()
        harness.start()
        try await harness.connect()
        try await harness.idle()
        _ = try await harness.manager.setSchedule(AccountSchedule(interval: .seconds(60)), of: harness.account)
        _ = try await harness.manager.forget(harness.account)
        #expect(try await harness.schedules.all().own.isEmpty)
        try await harness.stop()
    }

    /// Days of failures, restarts and successes in between: the account always has a next turn.
    @Test func nothingTakesAnAccountOffTheSchedule() async throws {
        let time = ManualTime()
        let mailbox = FakeMailbox()
        let directory = try TemporaryDirectory()
        var random = SeededGenerator(seed: 5)
        var harness = try await SyncHarness(mailbox: mailbox, directory: directory, time: time)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        for round in 0..<30 {
            let fails = Int.random(in: 0..<4, using: &random) > 0
            if fails { mailbox.fail(.changes, Self.failure) }
            let due = try #require(await harness.due(), "round \(round)")
            #expect(due - time.nowMilliseconds() <= 900_000, "round \(round)")
            try await harness.advance(to: due)
            try await harness.until { !$0.isRunning && ($0.failures > 0) == fails }
            guard round % 7 == 6 else { continue }
            try await harness.stop()
            harness = try await SyncHarness(mailbox: mailbox, directory: directory, time: time)
            harness.start()
            try await harness.until { $0.nextAttemptAt != nil && !$0.isRunning }
        }
        try await harness.stop()
    }
}

/// Driven from outside: the inner clock is off.
@Suite struct OverdueTests {
    private static let settings = SyncSettings(isClockOff: true)

    private func key(_ name: String) throws -> AccountKey {
        AccountKey(user: try UserID(name), provider: .google, inbox: .primary)
    }

    @Test func nothingPollsUntilItIsAskedFor() async throws {
        let harness = try await SyncHarness(settings: Self.settings)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        #expect(await harness.due() == nil)
        let calls = harness.mailbox.calls.count
        harness.time.advance(by: .seconds(86_400))
        #expect(await harness.due() == nil && harness.mailbox.calls.count == calls)
        #expect(await harness.manager.overdueCounts() == OverdueCounts(accounts: 1, overdue: 1, failing: 0))
        let claims = await harness.manager.claimOverdue(5)
        #expect(claims.map(\.key) == [harness.account])
        let report = try await harness.manager.report(of: try #require(claims.first))
        #expect(report.isCaughtUp && report.failure == nil && report.events == 0)
        #expect(await harness.manager.overdueCounts().overdue == 0)
        #expect(await harness.manager.claimOverdue(5).isEmpty, "nobody is overdue")
        // People are served all the same.
        harness.mailbox.deliver("new")
        #expect(try await harness.manager.sync(harness.account).events > 0)
        try await harness.stop()
    }

    /// A pass that reads the mailbox for the first time takes wake-ups for itself: who waits for a pass gets one all the same.
    @Test func whoAsksDuringABackfillIsAnswered() async throws {
        let harness = try await SyncHarness(settings: Self.settings)
        harness.mailbox.fill(40)
        let manager = harness.manager
        let account = harness.account
        let first = AtomicFlag()
        first.raise()
        let asked = Mutex<Task<PassReport, any Error>?>(nil)
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .backfill, first.take() else { return }
                asked.withLock { $0 = Task { try await manager.sync(account) } }
                // Not before somebody waits.
                while await manager.workers[account]?.waiting.isEmpty != false { await Task.yield() }
            }
        }
        harness.start()
        try await harness.connect()
        try await harness.idle()
        let report = try await asked.withLock { $0 }?.value
        #expect(report?.isCaughtUp == true)
        try await harness.stop()
    }

    @Test func theLongestOverdueComeFirstAndNobodyIsGivenTwice() async throws {
        let harness = try await SyncHarness(settings: Self.settings)
        harness.start()
        let keys = try ["a", "b", "c", "d", "e"].map(key)
        for key in keys {
            try await harness.connect(key)
            try await harness.idle(key)
            harness.time.advance(by: .seconds(1))
        }
        harness.time.advance(by: .seconds(3600))
        // Two are held in the provider's answer while a second call comes.
        let gate = WakeSignal()
        let time = harness.time
        harness.mailbox.change { state in
            state.interception = { _ in await gate.wait(atMost: nil, time: time) }
        }
        let first = await harness.manager.claimOverdue(2)
        let second = await harness.manager.claimOverdue(2)
        let third = await harness.manager.claimOverdue(2)
        #expect(first.map(\.key) == Array(keys[0...1]))
        #expect(second.map(\.key) == Array(keys[2...3]))
        #expect(third.map(\.key) == [keys[4]])
        #expect(await harness.manager.claimOverdue(2).isEmpty)
        harness.mailbox.change { $0.interception = nil }
        for claim in first + second + third {
            gate.raise()
            let reading = Task { try await harness.manager.report(of: claim) }
            for _ in 0..<1000 {
                gate.raise()
                await Task.yield()
            }
            #expect(try await reading.value.isCaughtUp)
        }
        #expect(harness.mailbox.calls.count(where: { $0 == .changes }) == 10, "one pass each, and one at connecting")
        try await harness.stop()
    }

    /// Failures are reported, rest, and do not stand before others; parked accounts are left out.
    @Test func troubleDoesNotStandBeforeOthers() async throws {
        let harness = try await SyncHarness(settings: Self.settings)
        harness.start()
        let keys = try ["a", "b", "c"].map(key)
        for key in keys {
            try await harness.connect(key)
            try await harness.idle(key)
            harness.time.advance(by: .seconds(1))
        }
        harness.time.advance(by: .seconds(3600))
        harness.mailbox.fail(.changes, SyncFailure(.reauthenticate, code: "invalid_grant", "revoked"))
        let revoked = try await harness.manager.report(of: try #require(await harness.manager.claimOverdue(1).first))
        #expect(revoked.failure?.code == "invalid_grant")
        harness.mailbox.fail(
            .changes, SyncFailure(.retry(after: .seconds(600), scope: .account), code: "backend", "later"))
        let failed = try #require(await harness.manager.claimOverdue(1).first)
        #expect(failed.key == keys[1])
        #expect(try await harness.manager.report(of: failed).failure?.code == "backend")
        try await harness.until(keys[1]) { $0.waitingFor?.hasPrefix("back-off") == true && !$0.isRunning }
        let last = await harness.manager.claimOverdue(5)
        #expect(last.map(\.key) == [keys[2]])
        for claim in last { #expect(try await harness.manager.report(of: claim).isCaughtUp) }
        #expect(await harness.manager.overdueCounts() == OverdueCounts(accounts: 3, overdue: 1, failing: 2))
        // The retry goes on by itself, when the back-off is over.
        try await harness.advance(to: harness.time.nowMilliseconds() + 600_000)
        try await harness.idle(keys[1])
        try await harness.stop()
    }

    @Test func afterARestartTheOrderIsThatOfTheStores() async throws {
        let first = try await SyncHarness(settings: Self.settings)
        first.start()
        let keys = try ["a", "b", "c"].map(key)
        for index in [1, 2, 0] {
            try await first.connect(keys[index])
            try await first.idle(keys[index])
            first.time.advance(by: .seconds(60))
        }
        try await first.stop()
        let second = try await SyncHarness(
            mailbox: first.mailbox, directory: first.directory, time: first.time, settings: Self.settings)
        second.start()
        try await second.until(keys[0]) { _ in true }
        #expect(await second.due(keys[0]) == nil)
        #expect(await second.manager.claimOverdue(2).map(\.key) == [keys[1], keys[2]])
        try await second.stop()
    }
}

extension SyncHarness {
    /// What a new process finds.
    func reopened<R: Sendable>(_ body: (AccountSchedules) async throws -> R) async throws -> R {
        let registry = try AccountRegistry(path: "\(directory.path)/control.db")
        let result = try await body(AccountSchedules(registry))
        try registry.close()
        return result
    }
}
