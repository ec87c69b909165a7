import MailModel
import Testing

@testable import MailSync

@Suite struct BackoffTests {
    @Test(arguments: [(1, 1.0), (2, 2.0), (5, 16.0), (11, 900.0), (1_000_000, 900.0)])
    func growsExponentiallyUpToTheLongest(failures: Int, step: Double) {
        let backoff = Backoff()
        #expect(backoff.delay(failures: failures, random: 0) == .milliseconds(Int64(step * 500)))
        #expect(backoff.delay(failures: failures, random: 0.999_999) <= .milliseconds(Int64(step * 1000)))
        #expect(backoff.delay(failures: failures, random: 0.999_999) > .milliseconds(Int64(step * 990)))
    }
}

@Suite struct TokenBucketTests {
    @Test func neverGrantsMoreThanTheLimitInAnyMinute() {
        let limit = 6000
        var bucket = TokenBucket(perMinute: limit, at: 0)
        var grants: [(at: Int64, units: Int)] = []
        var now: Int64 = 0
        while now < 300_000 {
            if let wait = bucket.take(20, at: now) { now += wait } else { grants.append((now, 20)) }
        }
        for start in stride(from: Int64(0), to: 240_000, by: 777) {
            let inWindow = grants.filter { $0.at >= start && $0.at < start + 60_000 }.reduce(0) { $0 + $1.units }
            #expect(inWindow <= limit, "window from \(start) ms")
        }
        let total = grants.reduce(0) { $0 + $1.units }
        #expect(total >= limit * 9 / 10 * 5, "the limit is used: \(total)")
    }

    @Test func grantsARequestLargerThanTheBurstAndRemembersTheDebt() {
        var bucket = TokenBucket(perMinute: 600, at: 0)
        #expect(bucket.take(1000, at: 0) == nil)
        let wait = bucket.take(1, at: 0) ?? 0
        #expect(wait > 100_000, "940 units of debt at 9 units a second")
        #expect(bucket.take(1, at: wait) == nil)
    }

    @Test func blockingGrantsNothingUntilTheDeadlineAndNoBurstAfterIt() {
        var bucket = TokenBucket(perMinute: 6000, at: 0)
        bucket.block(until: 5000, at: 0)
        #expect(bucket.take(1, at: 1000) == 4000)
        #expect(bucket.take(1000, at: 5000) != nil)
    }

    @Test func aClockThatGoesBackGrantsNothingExtra() {
        var bucket = TokenBucket(perMinute: 600, at: 1_000_000)
        #expect(bucket.take(60, at: 1_000_000) == nil)
        #expect(bucket.take(60, at: 0) != nil)
        #expect(bucket.take(60, at: 1_000_001) != nil)
    }
}

@Suite struct ProgressMeterTests {
    @Test func ratesAndRemainingTimeComeFromTheWindow() {
        var meter = ProgressMeter()
        #expect(meter.perSecond == nil)
        meter.note(listed: 0, at: 0)
        meter.note(listed: 1000, at: 10_000)
        #expect(meter.perSecond == 100)
        #expect(meter.secondsLeft(total: 3000) == 20)
        meter.note(listed: 1500, at: 40_000)
        meter.note(listed: 2000, at: 50_000)
        #expect(meter.perSecond == 50, "samples older than the window are forgotten")
    }

    @Test func noProgressGivesNoEstimate() {
        var meter = ProgressMeter()
        meter.note(listed: 5, at: 0)
        meter.note(listed: 5, at: 1000)
        #expect(meter.secondsLeft(total: 10) == nil)
    }
}

@Suite struct ScheduleTests {
    private func key(_ n: Int) throws -> AccountKey {
        AccountKey(user: try UserID("u\(n)"), provider: .google, inbox: .primary)
    }

    @Test func takesTheLongestOverdueFirst() throws {
        var schedule = Schedule()
        schedule.set(try key(1), due: 30)
        schedule.set(try key(2), due: 10)
        schedule.set(try key(3), due: 20)
        #expect(schedule.nextDue() == 10)
        #expect(schedule.takeDue(at: 25) == (try key(2)))
        #expect(schedule.takeDue(at: 25) == (try key(3)))
        #expect(schedule.takeDue(at: 25) == nil)
        #expect(schedule.nextDue() == 30)
    }

    @Test func settingAgainReplacesAndRemovingForgets() throws {
        var schedule = Schedule()
        schedule.set(try key(1), due: 10)
        schedule.set(try key(1), due: 50)
        #expect(schedule.takeDue(at: 20) == nil)
        #expect(schedule.count == 1)
        schedule.remove(try key(1))
        #expect(schedule.nextDue() == nil)
        #expect(schedule.takeDue(at: 100) == nil)
    }
}

@Suite struct PassMachineTests {
    @Test func aNewAccountChecksTheMailboxThenBackfillsThenReadsChangesOnceMore() {
        var machine = PassMachine(phase: .starting, mailboxKnown: true)
        #expect(machine.step == .checkMailbox)
        machine.mailboxChecked(phase: .starting, fresh: true, at: 0)
        #expect(machine.step == .backfill)
        machine.committed(phase: .backfill, more: true, woken: false, at: 100)
        #expect(machine.step == .backfill)
        machine.committed(phase: .live, more: false, woken: false, at: 200)
        #expect(machine.step == .changes, "mail that came during the backfill")
        machine.committed(phase: .live, more: false, woken: false, at: 300)
        #expect(machine.step == .retryGaps)
        machine.noGapsDue()
        #expect(machine.step == .done)
    }

    @Test func anIdlePassAsksForChangesOnly() {
        var machine = PassMachine(phase: .live, mailboxKnown: true)
        #expect(machine.step == .changes)
        machine.committed(phase: .live, more: false, woken: false, at: 0)
        machine.noGapsDue()
        #expect(machine.step == .done)
    }

    @Test func liveMailIsReadDuringABackfill() {
        var machine = PassMachine(phase: .backfill, mailboxKnown: true)
        machine.committed(phase: .backfill, more: false, woken: false, at: 0)
        machine.noGapsDue()
        #expect(machine.step == .backfill)
        machine.committed(phase: .backfill, more: true, woken: false, at: 4999)
        #expect(machine.step == .backfill)
        machine.committed(phase: .backfill, more: true, woken: false, at: 5000)
        #expect(machine.step == .changes)
        machine.committed(phase: .backfill, more: false, woken: false, at: 5001)
        #expect(machine.step == .backfill)
        machine.committed(phase: .backfill, more: true, woken: true, at: 5002)
        #expect(machine.step == .changes, "somebody asked")
    }

    @Test func anExpiredCursorIsRepairedAndAnUnfinishedBackfillGoesOn() {
        var machine = PassMachine(phase: .backfill, mailboxKnown: true)
        machine.cursorExpired()
        #expect(machine.step == .repair)
        machine.committed(phase: .repair, more: true, woken: false, at: 0)
        #expect(machine.step == .repair)
        machine.committed(phase: .backfill, more: false, woken: false, at: 1)
        machine.noGapsDue()
        #expect(machine.step == .backfill)
    }

    @Test func changesAreReadUntilThereIsNoMore() {
        var machine = PassMachine(phase: .live, mailboxKnown: true)
        machine.committed(phase: .live, more: true, woken: false, at: 0)
        #expect(machine.step == .changes)
    }

    @Test func afterARestartTheMailboxIsChecked() {
        var machine = PassMachine(phase: .live, mailboxKnown: false)
        #expect(machine.step == .checkMailbox)
        machine.mailboxChecked(phase: .live, fresh: false, at: 0)
        #expect(machine.step == .changes)
    }
}

@Suite struct PassVerdictTests {
    private let settings = SyncSettings()

    private func decide(_ error: any Error, failures: Int = 0) -> PassVerdict {
        PassVerdict.decide(.failed(error), failures: failures, settings: settings, random: 0.5)
    }

    @Test func successResetsFailuresAndWaitsForTheNextTurn() {
        let verdict = PassVerdict.decide(.ended(.caughtUp), failures: 7, settings: settings, random: 0.5)
        #expect(verdict == PassVerdict(next: .onSchedule, failures: 0))
    }

    @Test func aPauseSaysWhyAndIsNoFailure() {
        let verdict = PassVerdict.decide(.ended(.paused(reason: "disk")), failures: 2, settings: settings, random: 0)
        #expect(verdict.next == .again(after: settings.pauseRetry))
        #expect(verdict.failures == 2 && verdict.waitingFor == "disk" && verdict.failure == nil)
    }

    @Test func aTransientFailureIsRetriedForEver() {
        let failure = SyncFailure(.retry(after: nil, scope: .account), code: "backend", "the provider answered 503")
        for failures in [0, 1, 50, 10_000] {
            guard case .again(let wait) = decide(failure, failures: failures).next else {
                Issue.record("parked after \(failures) failures")
                continue
            }
            #expect(wait <= settings.backoff.longest)
        }
    }

    @Test func theProvidersRetryAfterIsKept() {
        let failure = SyncFailure(.retry(after: .seconds(7200), scope: .project), code: "quota", "slow down")
        let verdict = decide(failure)
        #expect(verdict.next == .again(after: .seconds(7200)))
        #expect(verdict.blockProject == .seconds(7200))
    }

    @Test func onlyReauthenticationWrongMailboxAndAStoreBehindPark() {
        #expect(decide(SyncFailure(.reauthenticate, code: "invalid_grant", "revoked")).next == .park(.reauthenticate))
        #expect(decide(WrongMailbox()).next == .park(.wrongMailbox))
        #expect(decide(StoreBehindStream()).next == .park(.storeBehindStream))
        #expect(
            decide(SyncFailure(.stop, code: "api_disabled", "enable the API")).next
                == .again(after: settings.backoff.longest))
    }

    @Test func cancellationIsNoFailure() {
        let verdict = decide(CancellationError(), failures: 3)
        #expect(verdict.next == .none && verdict.failures == 3 && verdict.failure == nil)
    }
}

@Suite struct FailureTallyTests {
    @Test func countsByCodeAndForgetsAfterAnHour() {
        var tally = FailureTally()
        tally.note("rate_limited", at: 1_000_000)
        tally.note("rate_limited", at: 1_000_030)
        tally.note("backend", at: 1_003_000)
        #expect(tally.counts(at: 1_003_000).map(\.code) == ["rate_limited", "backend"])
        #expect(
            tally.counts(at: 1_004_000) == [
                FailureCount(code: "backend", total: 1, lastHour: 1),
                FailureCount(code: "rate_limited", total: 2, lastHour: 0),
            ])
    }

    @Test func differentCodesAreBounded() {
        var tally = FailureTally()
        for number in 0..<1000 { tally.note("code\(number)", at: 0) }
        #expect(tally.counts(at: 0).count == FailureTally.codesMax)
    }
}
