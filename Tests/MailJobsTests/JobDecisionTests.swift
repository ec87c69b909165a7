import MailModel
import Testing

@testable import MailJobs

/// The deciding values: what follows from an attempt's end, how long a failed job waits, and who is next.
@Suite struct JobDecisionTests {
    private func decide(
        _ ending: JobEnding, wish: JobWish? = nil, attempts: Int = 1, random: Double = 0.5
    ) -> JobVerdict {
        JobVerdict.decide(
            ending, wish: wish, attempts: attempts, attemptsMax: 3, backoff: JobBackoff(), nowMs: 1_000_000,
            random: random)
    }

    private let trouble = JobFailure(code: "rate_limited", "too fast")

    @Test func aFailureIsTriedAgainUntilTheThird() {
        let first = decide(.failed(trouble))
        #expect(first.state == .delayed)
        #expect(first.failure == trouble)
        let second = decide(.failed(trouble), attempts: 2)
        #expect(second.state == .delayed)
        #expect((second.dueAtMs ?? 0) > (first.dueAtMs ?? .max))
        let third = decide(.failed(trouble), attempts: 3)
        #expect(third.state == .failed)
        #expect(third.dueAtMs == nil)
    }

    @Test func whatTryingAgainCannotCureFailsAtOnce() {
        var failure = trouble
        failure.isPermanent = true
        #expect(decide(.failed(failure)).state == .failed)
    }

    @Test func theProviderMayAskForMorePatience() {
        var failure = trouble
        failure.retryAfter = .seconds(600)
        #expect(decide(.failed(failure)).dueAtMs == 1_600_000)
    }

    @Test func anAttemptThatTheServiceEndedDoesNotCount() {
        let verdict = decide(.interrupted, attempts: 2)
        #expect(verdict.state == .waiting)
        #expect(verdict.attempts == 1)
    }

    @Test func anAttemptThatKilledTheProcessCounts() {
        #expect(decide(.died).state == .waiting)
        #expect(decide(.died, attempts: 2).attempts == 2)
        let third = decide(.died, attempts: 3)
        #expect(third.state == .failed)
        #expect(third.failure?.code == "worker_died")
    }

    @Test func wishesComeBeforeFailuresButNotBeforeSuccess() {
        for ending in [JobEnding.failed(trouble), .interrupted, .died, .returned(.parked)] {
            #expect(decide(ending, wish: .cancel).state == .cancelled)
            #expect(decide(ending, wish: .requeue).state == .waiting)
            let parked = decide(ending, wish: .park, attempts: 3)
            #expect(parked == JobVerdict(state: .delayed, attempts: 0))
        }
        #expect(decide(.returned(.completed()), wish: .cancel).state == .completed)
        #expect(decide(.returned(.parked)) == JobVerdict(state: .delayed, attempts: 0))
    }

    @Test func waitsGrowAndAreBounded() {
        let backoff = JobBackoff()
        for attempts in 1...40 {
            let shortest = backoff.delay(attempts: attempts, random: 0)
            let longest = backoff.delay(attempts: attempts, random: 0.999_999)
            #expect(shortest <= longest)
            #expect(longest <= backoff.longest)
            #expect(shortest.inSeconds >= longest.inSeconds / 2 - 0.01)
        }
        #expect(backoff.delay(attempts: 2, random: 0) > backoff.delay(attempts: 1, random: 0.99))
    }

    @Test func failuresOfProvidersSayWhetherAnotherAttemptHelps() {
        let gone = JobFailure(SyncFailure(.reauthenticate, code: "invalid_grant", "gone"))
        #expect(gone.isPermanent && gone.code == "invalid_grant")
        #expect(JobFailure(SyncFailure(.stop, code: "wrong_mailbox", "other")).isPermanent)
        let busy = JobFailure(SyncFailure(.retry(after: .seconds(7), scope: .project), code: "busy", "later"))
        #expect(!busy.isPermanent && busy.retryAfter == .seconds(7))
        struct Secretive: Error { let token = "SECRET" }
        #expect(!JobFailure(Secretive()).message.contains("SECRET"))
    }

    // MARK: who is next

    private func candidate(
        _ number: Int64, _ user: String, _ kind: JobKind = .incrementalSync, _ priority: JobPriority = .manual,
        parameters: String? = nil
    ) -> JobSchedule.Candidate {
        JobSchedule.Candidate(
            number: number, user: user, kind: kind, account: "", parameters: parameters ?? "\(number)",
            priority: priority)
    }

    private func schedule(_ change: (inout JobLimits) -> Void) -> JobSchedule {
        var limits = JobLimits()
        change(&limits)
        return JobSchedule(limits: limits)
    }

    @Test func manualComesBeforeScheduledThenTheOldest() {
        var schedule = schedule { $0.shortMax = 3 }
        let waiting = [
            candidate(1, "a", .incrementalSync, .scheduled), candidate(3, "a"), candidate(2, "a"),
        ]
        #expect(schedule.choose(waiting: waiting, active: []) == [2, 3, 1])
    }

    @Test func aHundredJobsOfOneUserDoNotHoldUpAnother() {
        var schedule = schedule { $0.shortMax = 1 }
        var waiting = (1...100).map { candidate(Int64($0), "flood") } + [candidate(101, "b"), candidate(102, "c")]
        var order: [Int64] = []
        for _ in 0..<4 {
            let next = schedule.choose(waiting: waiting, active: [])
            waiting.removeAll { next.contains($0.number) }
            order += next
        }
        #expect(order == [1, 101, 102, 2])
    }

    @Test func placesAreSharedByThoseWhoWait() {
        var schedule = schedule {
            $0.shortMax = 4
            $0.activePerUserMax = 3
        }
        let waiting = (1...9).map { candidate(Int64($0), "flood") } + [candidate(10, "b")]
        #expect(schedule.choose(waiting: waiting, active: []) == [1, 10, 2, 3])
        let alone = (1...9).map { candidate(Int64($0), "flood") }
        #expect(schedule.choose(waiting: alone, active: []).count == 3)
    }

    @Test func lastingJobsHavePlacesOfTheirOwn() {
        var schedule = schedule {
            $0.shortMax = 1
            $0.lastingMax = 1
        }
        let running = [candidate(1, "a", .import)]
        #expect(!schedule.hasPlace(lasting: true, active: running))
        #expect(schedule.hasPlace(lasting: false, active: running))
        let waiting = [candidate(2, "b", .verify), candidate(3, "b")]
        #expect(schedule.choose(waiting: waiting, active: running) == [3])
    }

    @Test func equalJobsRunOneAfterTheOther() {
        var schedule = schedule { _ in }
        let running = [candidate(1, "a", parameters: "{}")]
        let waiting = [
            candidate(2, "a", parameters: "{}"), candidate(3, "a", parameters: "other"),
            candidate(4, "b", parameters: "{}"), candidate(5, "b", parameters: "{}"),
        ]
        #expect(Set(schedule.choose(waiting: waiting, active: running)) == [3, 4])
    }
}
