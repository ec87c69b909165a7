import MailModel
import MailStore
import MailTestSupport
import Synchronization
import Testing

@testable import MailSync

/// Imports as steps of an account's passes.
@Suite struct ImportTests {
    /// A connected account that is idle, and then mail that only an import brings in: ids and dates count upwards.
    private func harness(
        _ count: Int, pageSize: Int = 10, directory: TemporaryDirectory? = nil, mailbox: FakeMailbox = FakeMailbox()
    ) async throws -> SyncHarness {
        let harness = try await SyncHarness(mailbox: mailbox, directory: directory)
        harness.start()
        try await harness.connect()
        try await harness.idle()
        mailbox.change { $0.pageSize = pageSize }
        mailbox.fill(count)
        return harness
    }

    private func start(_ harness: SyncHarness, _ selection: MailSelection = MailSelection()) async throws -> String {
        try #require(try await harness.manager.startImport(selection, of: harness.account)).id
    }

    /// Waits until the import is in this state.
    private func until(_ harness: SyncHarness, _ id: String, _ state: MailImport.State) async throws -> MailImport {
        for _ in 0..<200_000 {
            if let entry = try await harness.manager.mailImport(id, of: harness.account.user), entry.state == state {
                return entry
            }
            await Task.yield()
        }
        Issue.record(
            "never \(state): \(String(describing: try await harness.manager.imports(of: harness.account.user)))")
        throw CancellationError()
    }

    @Test func aSecondImportDoesNotWait() async throws {
        let harness = try await harness(300)
        let fetches = Counter()
        let manager = harness.manager
        let account = harness.account
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                fetches.increment()
                guard fetches.current == 2 else { return }
                _ = try await manager.startImport(MailSelection(from: 240), of: account)
            }
        }
        let first = try await start(harness, MailSelection(until: 240))
        _ = try await until(harness, first, .completed)
        let second = try #require(try await manager.imports(of: account.user).first { $0.id != first })
        let done = try await until(harness, second.id, .completed)
        let received = try await harness.received()
        #expect(received.count == 300 && Set(received).count == 300)
        let lastOfFirst = try #require(received.lastIndex { $0 < "old1240" })
        let firstOfSecond = try #require(received.firstIndex { $0 >= "old1240" })
        #expect(firstOfSecond < lastOfFirst, "they take turns")
        #expect(done.figures.done == 60 && done.figures.estimated == 60)
        try await harness.stop()
    }

    @Test func liveMailIsReadDuringAnImport() async throws {
        let harness = try await harness(200)
        let fetches = Counter()
        let (mailbox, time) = (harness.mailbox, harness.time)
        mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                fetches.increment()
                time.advance(by: .seconds(2))
                if fetches.current == 4 { mailbox.deliver("live") }
            }
        }
        let id = try await start(harness)
        _ = try await until(harness, id, .completed)
        let received = try await harness.received()
        #expect(received.count == 201 && Set(received).count == 201)
        let place = try #require(received.firstIndex(of: "live"))
        #expect(place <= 80, "at most 5 s later, that is 3 chunks")
        try await harness.stop()
    }

    @Test func aBackfillAndAnImportTakeTurns() async throws {
        let harness = try await SyncHarness()
        harness.mailbox.fill(200)
        let (manager, account, asked) = (harness.manager, harness.account, Counter())
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .backfill else { return }
                asked.increment()
                if asked.current == 1 { _ = try await manager.startImport(MailSelection(until: 100), of: account) }
            }
        }
        harness.start()
        try await harness.connect()
        try await harness.idle()
        let calls = harness.mailbox.calls.filter { $0 == .backfill || $0 == .fetch }
        let firstFetch = try #require(calls.firstIndex(of: .fetch))
        let lastFetch = try #require(calls.lastIndex(of: .fetch))
        let between = calls[firstFetch...lastFetch]
        #expect(between.count { $0 == .backfill } >= 5, "neither starves: \(calls)")
        let received = try await harness.received()
        #expect(received.count == 200 && Set(received).count == 200)
        try await harness.stop()
    }

    @Test func whatIsPausedFetchesNothingAndGoesOnWeeksLater() async throws {
        let harness = try await harness(100)
        let (manager, user, fetches) = (harness.manager, harness.account.user, Counter())
        let started = Later()
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                fetches.increment()
                guard fetches.current == 3 else { return }
                _ = try await manager.command(.pause, import: await started.id, of: user)
            }
        }
        let id = try await start(harness)
        started.set(id)
        let paused = try await until(harness, id, .paused)
        try await harness.idle()
        let asked = fetches.current
        harness.time.advance(by: .seconds(3600))
        _ = await manager.wake(user: user)
        try await harness.until { !$0.isRunning && ($0.stored?.lastSyncedAt ?? 0) >= harness.time.now() }
        #expect(fetches.current == asked, "nothing is fetched")
        #expect(paused.figures.done < 100 && paused.etaSeconds == nil)

        harness.mailbox.change { state in
            for id in state.messages.keys { state.expiredPlaces.insert(id) }
            state.interception = { [mailbox = harness.mailbox] call in
                if call == .fetch { mailbox.change { $0.expiredPlaces = [] } }
            }
        }
        harness.time.advance(by: .seconds(21 * 86_400))
        _ = try await manager.command(.resume, import: id, of: user)
        let done = try await until(harness, id, .completed)
        let received = try await harness.received()
        #expect(received.count == 100 && Set(received).count == 100)
        #expect(done.figures.listed == 100 && done.figures.done == 100)
        #expect(done.secondsActive < 3600, "a pause is no work")
        try await harness.stop()
    }

    @Test func itSurvivesARestartByItself() async throws {
        let directory = try TemporaryDirectory()
        let mailbox = FakeMailbox()
        let first = try await harness(100, directory: directory, mailbox: mailbox)
        let failure = SyncFailure(.retry(after: nil, scope: .account), code: "down", "down")
        let fetches = Counter()
        mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                fetches.increment()
                if fetches.current > 4 { throw failure }
            }
        }
        let id = try await start(first)
        try await first.until { $0.failures > 0 }
        try await first.stop()
        mailbox.change { $0.interception = nil }

        let second = try await SyncHarness(mailbox: mailbox, directory: directory, time: first.time)
        second.start()
        first.time.advance(by: .seconds(3600))
        let done = try await until(second, id, .completed)
        #expect(done.figures.done == 100)
        let received = try await second.received()
        #expect(received.count == 100 && Set(received).count == 100)
        try await second.stop()
    }

    @Test func whatIsImpossibleEndsAloneAndWhatIsCancelledStays() async throws {
        let harness = try await harness(30)
        let wrong = try await start(harness, MailSelection(labels: ["nowhere"]))
        let failed = try await until(harness, wrong, .failed)
        #expect(failed.errorCode == SelectionRefusal.unknownLabel && failed.error?.contains("nowhere") == true)
        try await harness.idle()

        let (manager, user, fetches) = (harness.manager, harness.account.user, Counter())
        let started = Later()
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                fetches.increment()
                if fetches.current == 2 { _ = try await manager.command(.cancel, import: await started.id, of: user) }
            }
        }
        let id = try await start(harness)
        started.set(id)
        _ = try await until(harness, id, .cancelled)
        try await harness.idle()
        let count = try await harness.received().count
        #expect(count < 30, "what was in hand is dropped, what is stored stays")
        #expect(try await manager.command(.resume, import: id, of: user)?.state == .cancelled)
        #expect(try await manager.command(.pause, import: "other", of: user) == nil)
        try await harness.stop()
    }

    @Test func progressTellsHowLongItTakes() async throws {
        let harness = try await harness(1_200)
        let (manager, user, time) = (harness.manager, harness.account.user, harness.time)
        let started = Later()
        let told = Mutex<[(at: Int64, eta: Int64)]>([])
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                // The provider slows down half-way through the first half.
                let isEarly = told.withLock { $0.count } < 30
                if let entry = try await manager.mailImport(await started.id, of: user) {
                    told.withLock { $0.append((time.nowMilliseconds(), entry.etaSeconds ?? -1)) }
                }
                time.advance(by: .milliseconds(isEarly ? 1000 : 3000))
            }
        }
        let id = try await start(harness)
        started.set(id)
        let done = try await until(harness, id, .completed)
        let end = time.nowMilliseconds()
        let estimates = told.withLock { $0 }
        #expect(estimates.count > 100)
        for estimate in estimates.dropFirst(estimates.count / 2) {
            let real = Double(end - estimate.at) / 1000
            #expect(abs(Double(estimate.eta) - real) <= max(1, real * 0.2), "\(estimate.eta) s instead of \(real) s")
        }
        #expect(done.figures == .init(estimated: 1200, listed: 1200, done: 1200))
        #expect(done.secondsActive >= 300 && done.finishedAt != nil)
        try await harness.stop()
    }

    @Test func aScanCountsAndStoresNothing() async throws {
        let harness = try await harness(100)
        let before = try await harness.eventTypes()
        let scan = try #require(
            try await harness.manager.scan(MailSelection(from: 50), of: harness.account, atMost: .seconds(10)))
        #expect(scan.isComplete && scan.messages == 50 && scan.stored == 0 && scan.failure == nil)
        #expect(scan.estimatedSeconds == 1, "50 messages at 20 units of a million a minute")
        #expect(try await harness.eventTypes() == before)

        // What it counted need not be counted again.
        harness.mailbox.change { $0.calls = [] }
        let entry = try #require(
            try await harness.manager.startImport(
                MailSelection(from: 50), of: harness.account, counted: scan.figures))
        #expect(try await until(harness, entry.id, .completed).figures.done == 50)
        #expect(!harness.mailbox.calls.contains(.scan))

        let again = try #require(
            try await harness.manager.scan(MailSelection(), of: harness.account, atMost: .seconds(10)))
        #expect(again.messages == 100 && again.stored == 50)
        let stranger = AccountKey(user: try UserID("bob"), provider: .google, inbox: .primary)
        #expect(try await harness.manager.scan(MailSelection(), of: stranger, atMost: .seconds(1)) == nil)
        try await harness.stop()
    }

    @Test func aScanThatTakesLongAnswersWhatItCounted() async throws {
        let harness = try await harness(100)
        let (time, scans) = (harness.time, Counter())
        harness.mailbox.change { state in
            state.interception = { call in
                guard call == .scan else { return }
                scans.increment()
                if scans.current == 4 { try await time.sleep(for: .seconds(3600)) }
            }
        }
        async let answer = harness.manager.scan(MailSelection(), of: harness.account, atMost: .seconds(5))
        for _ in 0..<200_000 where scans.current < 4 { await Task.yield() }
        time.advance(by: .seconds(6))
        let scan = try #require(try await answer)
        #expect(!scan.isComplete && scan.messages == 30 && scan.figures == nil)
        try await harness.stop()
    }

    @Test func importsThatAreNotFinishedAreLimited() async throws {
        let harness = try await harness(10)
        let failure = SyncFailure(.retry(after: .seconds(3600), scope: .account), code: "down", "down")
        harness.mailbox.change { $0.interception = { if $0 == .scan || $0 == .fetch { throw failure } } }
        for _ in 0..<ImportLimit.accountMax { _ = try await start(harness) }
        await #expect(throws: ImportLimit.ofAccount(max: ImportLimit.accountMax)) { try await self.start(harness) }
        let stranger = AccountKey(user: try UserID("bob"), provider: .google, inbox: .primary)
        #expect(try await harness.manager.startImport(MailSelection(), of: stranger) == nil)
        try await harness.stop()
    }

    @Test func whoAsksForAPassDoesNotWaitForImports() async throws {
        let harness = try await harness(300)
        let (manager, account, mailbox, fetches) = (harness.manager, harness.account, harness.mailbox, Counter())
        let time = harness.time
        let reports = Mutex<[PassReport]>([])
        let (asked, asking) = AsyncStream<Void>.makeStream()
        mailbox.change { state in
            state.interception = { call in
                guard call == .fetch else { return }
                fetches.increment()
                time.advance(by: .seconds(2))
                if fetches.current == 3 { asking.yield() }
                // The import is held up until the pass that was asked for has ended.
                for _ in 0..<100_000 where fetches.current > 20 && reports.withLock({ $0.isEmpty }) {
                    await Task.yield()
                }
            }
        }
        let waiting = Task {
            for await _ in asked {
                mailbox.deliver("live")
                let report = try await manager.sync(account)
                reports.withLock { $0.append(report) }
                return
            }
        }
        let id = try await start(harness)
        try await waiting.value
        #expect(reports.withLock { $0.first?.isCaughtUp } == true)
        #expect(try await harness.received().contains("live"))
        #expect(try await manager.mailImport(id, of: account.user)?.state == .running)
        _ = try await until(harness, id, .completed)
        try await harness.stop()
    }

    @Test func disconnectingEndsAnAccountsImports() async throws {
        let harness = try await harness(10)
        let failure = SyncFailure(.retry(after: .seconds(3600), scope: .account), code: "down", "down")
        harness.mailbox.change { $0.interception = { if $0 == .scan { throw failure } } }
        let id = try await start(harness)
        #expect(try await harness.manager.disconnect(harness.account))
        #expect(try await harness.manager.mailImport(id, of: harness.account.user)?.state == .cancelled)
        try await harness.stop()
    }
}

/// An id that is known soon.
private final class Later: Sendable {
    private let value = Mutex<String?>(nil)

    func set(_ id: String) { value.withLock { $0 = id } }

    var id: String {
        get async {
            while true {
                if let id = value.withLock({ $0 }) { return id }
                await Task.yield()
            }
        }
    }
}

@Suite struct ImportStepTests {
    @Test func aPassWithImportsGoesOnUntilThereAreNone() {
        var machine = PassMachine(phase: .live, mailboxKnown: true)
        machine.committed(phase: .live, more: false, woken: false, at: 0)
        machine.noteImports(true)
        machine.noGapsDue()
        #expect(machine.step == .importing)
        machine.committed(phase: .live, more: true, woken: false, at: 4999)
        #expect(machine.step == .importing)
        var due = machine
        due.committed(phase: .live, more: true, woken: false, at: 5000)
        #expect(due.step == .done && due.hasImports, "live mail is due: the next pass begins with it")
        var woken = machine
        woken.committed(phase: .live, more: true, woken: true, at: 4999)
        #expect(woken.step == .done && woken.hasImports, "somebody asked, and waits for the end of a pass")
        machine.noteImports(false)
        #expect(machine.step == .done && !machine.hasImports)
    }

    @Test func importsAndABackfillAlternate() {
        var machine = PassMachine(phase: .backfill, mailboxKnown: true)
        machine.noteImports(true)
        machine.committed(phase: .backfill, more: false, woken: false, at: 0)
        machine.noGapsDue()
        var steps: [PassMachine.Step] = []
        for at in 1...4 {
            steps.append(machine.step)
            machine.committed(phase: .backfill, more: true, woken: false, at: Int64(at))
        }
        #expect(steps == [.importing, .backfill, .importing, .backfill])
        machine.noteImports(false)
        #expect(machine.step == .backfill)
    }
}
