import MailModel
import MailTestSupport
import Synchronization
import Testing

@testable import MailSync

/// What passes have to do with pushes: how often the clock makes them, and what they tell.
@Suite struct PushedPassTests {
    /// The reports of all passes.
    private final class Reports: Sendable {
        private let reports = Mutex<[PassReport]>([])
        func add(_ report: PassReport) { reports.withLock { $0.append(report) } }
        var all: [PassReport] { reports.withLock { $0 } }
    }

    private let reports = Reports()

    private func idle() async throws -> SyncHarness {
        let harness = try await SyncHarness(passEnded: { [reports] _, report in reports.add(report) })
        harness.start()
        try await harness.connect()
        try await harness.idle()
        return harness
    }

    private func due(_ harness: SyncHarness) async throws -> Int64 {
        let snapshot = try await harness.manager.accounts(of: harness.account.user).first
        return try #require(snapshot?.nextAttemptAt) - harness.time.now()
    }

    /// A pass, by the clock or asked for.
    private func pass(_ harness: SyncHarness, _ begin: () async throws -> Void) async throws -> PassReport {
        let before = reports.all.count
        try await begin()
        try await eventually("a pass ends") {
            if reports.all.count == before { harness.time.advance(by: .seconds(1)) }
            return reports.all.count > before
        }
        try await harness.idle()
        return reports.all[before]
    }

    @Test func theClockIsSlowWhilePushesAreHealthy() async throws {
        let harness = try await idle()
        #expect(try await due(harness) <= 30)
        await harness.manager.setPushes(.healthy, of: harness.account)
        _ = try await pass(harness) {}
        let snapshot = try await harness.manager.accounts(of: harness.account.user).first
        #expect(snapshot?.pushes == .healthy && snapshot?.interval == .seconds(900))
        await harness.manager.setPushes(.silent, of: harness.account)
        #expect(try await due(harness) <= 30, "polling returns")
        try await harness.stop()
    }

    @Test func healthBeforeTheWorkerIsRemembered() async throws {
        let harness = try await SyncHarness()
        await harness.manager.setPushes(.healthy, of: harness.account)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        #expect(try await harness.manager.accounts(of: harness.account.user).first?.interval == .seconds(900))
        try await harness.stop()
    }

    @Test func aPollThatFindsChangesSaysSo() async throws {
        let harness = try await idle()
        #expect(reports.all.allSatisfy { !$0.wasPoll }, "the first reading is no poll")
        harness.mailbox.deliver("new1")
        let poll = try await pass(harness) {}
        #expect(poll.wasPoll && poll.foundChanges && !poll.wasAnnounced && poll.events == 1)
        let quiet = try await pass(harness) {}
        #expect(quiet.wasPoll && !quiet.foundChanges && !quiet.wasAnnounced)
        try await harness.stop()
    }

    @Test func whatWasAskedForIsNoPoll() async throws {
        let harness = try await idle()
        harness.mailbox.deliver("new1")
        let asked = try await pass(harness) { _ = await harness.manager.wake(user: harness.account.user) }
        #expect(!asked.wasPoll && asked.foundChanges && !asked.wasAnnounced)
        harness.mailbox.deliver("new2")
        let announced = try await pass(harness) { _ = await harness.manager.announce(harness.account) }
        #expect(!announced.wasPoll && announced.foundChanges && announced.wasAnnounced)
        try await harness.stop()
    }

    /// Many announcements of an account that is due anyway do not push it behind others.
    @Test func whoIsDueKeepsItsPlace() async throws {
        let harness = try await SyncHarness(settings: SyncSettings(passesMax: 1))
        try await harness.connect()
        let due = try await harness.manager.accounts(of: harness.account.user).first?.nextAttemptAt
        harness.time.advance(by: .seconds(60))
        for _ in 0..<10 { await harness.manager.announce(harness.account) }
        #expect(try await harness.manager.accounts(of: harness.account.user).first?.nextAttemptAt == due)
    }
}
