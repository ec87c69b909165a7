import MailModel
import MailTestSupport
import Testing

@testable import MailJobs

/// Jobs that really run.
@Suite struct JobRunnerTests {
    private struct Outcome: Codable, Sendable { var events: Int }

    @Test func aJobRunsAndItsResultStays() async throws {
        let fixture = try JobFixture()
        let early = try await fixture.enqueue(1)
        let result = try JobDocument(Outcome(events: 3))
        let handler: JobHandler = { job, context in
            #expect(job.state == .active && job.attempts == 1)
            context.progress(JobProgress(done: 1, total: 2))
            context.progress(JobProgress(done: 2, total: 2, text: "messages"))
            return .completed(result)
        }
        try await fixture.run([.incrementalSync: handler]) {
            try await fixture.waitFor(early, .completed)
            // One that is asked for while the runner sleeps.
            let late = try await fixture.enqueue(2)
            try await fixture.waitFor(late, .completed)
        }
        let job = try #require(try await fixture.queue.job(early))
        #expect(job.result == result)
        #expect(job.progress == JobProgress(done: 2, total: 2, text: "messages"))
        #expect(job.startedAt != nil && job.finishedAt != nil && job.failure == nil)
    }

    @Test func progressShowsWhileTheJobRuns() async throws {
        let fixture = try JobFixture()
        let gate = Gate()
        let id = try await fixture.enqueue()
        let handler: JobHandler = { _, context in
            context.progress(JobProgress(done: 5, total: 10))
            try await gate.pass()
            return .completed()
        }
        try await fixture.run([.incrementalSync: handler]) {
            try await eventually("progress is written") {
                try await fixture.queue.job(id)?.progress == JobProgress(done: 5, total: 10)
            }
            #expect(try await fixture.state(id) == .active)
            gate.open()
            try await fixture.waitFor(id, .completed)
        }
    }

    @Test func aFailingJobIsTriedThreeTimesEachLater() async throws {
        let fixture = try JobFixture()
        let diary = Diary()
        let id = try await fixture.enqueue()
        let handler: JobHandler = { _, _ in
            diary.write("\(fixture.time.nowMilliseconds())")
            throw SyncFailure(.retry(after: nil, scope: .account), code: "unavailable", "the provider is away")
        }
        try await fixture.run([.incrementalSync: handler]) {
            for attempt in 1...2 {
                try await eventually("attempt \(attempt) failed") {
                    let job = try await fixture.queue.job(id)
                    return job?.state == .delayed && job?.attempts == attempt
                }
                let job = try #require(try await fixture.queue.job(id))
                #expect(job.failure == JobFailure(code: "unavailable", "the provider is away"))
                #expect((job.dueAt ?? 0) > fixture.time.now())
                // Not before the runner waits: it reckons from the time at which it does.
                await fixture.time.waitForSleepers()
                fixture.time.advance(by: .seconds(16))
            }
            try await fixture.waitFor(id, .failed)
        }
        #expect(diary.all.count == 3)
        #expect(Set(diary.all).count == 3)
    }

    @Test func whatOnlyAPersonCanCureIsTriedOnce() async throws {
        let fixture = try JobFixture()
        let diary = Diary()
        let id = try await fixture.enqueue()
        let handler: JobHandler = { _, _ in
            diary.write("tried")
            throw SyncFailure(.reauthenticate, code: "invalid_grant", "the grant is gone")
        }
        try await fixture.run([.incrementalSync: handler]) { try await fixture.waitFor(id, .failed) }
        #expect(diary.all == ["tried"])
        #expect(try await fixture.queue.job(id)?.failure?.code == "invalid_grant")
    }

    @Test func aCancelledJobEndsItsHandler() async throws {
        let fixture = try JobFixture()
        let gate = Gate()
        let id = try await fixture.enqueue()
        let handler: JobHandler = { _, _ in
            try await gate.pass()
            return .completed()
        }
        try await fixture.run([.incrementalSync: handler]) {
            try await eventually("it runs") { gate.entered == 1 }
            guard case .requested = try await fixture.queue.cancel(id, of: .ada) else {
                Issue.record("not asked to end")
                return
            }
            try await fixture.waitFor(id, .cancelled)
            // Its place is free again.
            let next = try await fixture.enqueue(1)
            try await eventually("the next runs") { gate.entered == 2 }
            gate.open()
            try await fixture.waitFor(next, .completed)
        }
    }

    @Test func aParkedJobEndsItsHandlerAndGoesOnWhenResumed() async throws {
        let fixture = try JobFixture()
        let gate = Gate()
        let id = try await fixture.enqueue(.import, 0)
        let handler: JobHandler = { _, _ in
            try await gate.pass()
            return .completed()
        }
        try await fixture.run([.import: handler]) {
            try await eventually("it runs") { gate.entered == 1 }
            try await fixture.queue.park(id)
            try await fixture.waitFor(id, .delayed)
            #expect(try await fixture.queue.job(id)?.isParked == true)
            gate.open()
            try await fixture.queue.resume(id)
            try await fixture.waitFor(id, .completed)
        }
        #expect(try await fixture.queue.job(id)?.attempts == 1)
    }

    @Test func stoppingPutsJobsBackWithoutCountingTheAttempt() async throws {
        let fixture = try JobFixture()
        let gate = Gate()
        let id = try await fixture.enqueue()
        let handler: JobHandler = { _, context in
            context.progress(JobProgress(done: 4))
            try await gate.pass()
            return .completed()
        }
        try await fixture.run([.incrementalSync: handler]) {
            try await eventually("it runs") { gate.entered == 1 }
        }
        let job = try #require(try await fixture.queue.job(id))
        #expect(job.state == .waiting && job.attempts == 0 && job.progress?.done == 4)
        gate.open()
        try await fixture.run([.incrementalSync: handler]) { try await fixture.waitFor(id, .completed) }
    }

    @Test func jobsOfADeadProcessRunAgainOnce() async throws {
        let fixture = try JobFixture()
        let diary = Diary()
        for number in 0..<5 { _ = try await fixture.enqueue(number) }
        // The process dies with three of them running.
        let dead = try await fixture.queue.claim(
            [.incrementalSync], beside: [], schedule: JobSchedule(limits: fixture.queue.limits), owner: "dead")
        #expect(dead.jobs.count == 4)
        let handler: JobHandler = { job, _ in
            diary.write(job.id.text)
            return .completed()
        }
        try await fixture.run([.incrementalSync: handler]) {
            try await eventually("all are done") { try await fixture.queue.counts()[.completed] == 5 }
        }
        #expect(diary.all.count == 5)
        #expect(Set(diary.all).count == 5)
        for claimed in dead.jobs {
            #expect(try await fixture.end(claimed) == nil)
            #expect(try await fixture.queue.job(claimed.job.id)?.attempts == 2)
        }
    }

    @Test func whatWasKeptEndsTheCountOfFailures() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue(.import, 0)
        let diary = Diary()
        let handler: JobHandler = { _, context in
            diary.write("tried")
            if diary.all.count > 5 { return .completed() }
            context.checkpoint(JobProgress(done: diary.all.count))
            throw JobFailure(code: "unavailable", "away")
        }
        try await fixture.run([.import: handler]) {
            for attempt in 1...5 {
                try await eventually("attempt \(attempt) failed") {
                    let job = try await fixture.queue.job(id)
                    return job?.state == .delayed && job?.progress?.done == attempt
                }
                #expect(try await fixture.queue.job(id)?.attempts == 1)
                fixture.time.advance(by: .seconds(16))
            }
            try await fixture.waitFor(id, .completed)
        }
    }

    @Test func aJobMayNotTakeForEver() async throws {
        let fixture = try JobFixture()
        let gate = Gate()
        var times = JobTimes()
        times.runMax[.verify] = .seconds(60)
        let id = try await fixture.enqueue(.verify, 0)
        let handler: JobHandler = { _, _ in
            try await gate.pass()
            return .completed()
        }
        try await fixture.run([.verify: handler], times: times) {
            try await eventually("it runs") { gate.entered == 1 }
            await fixture.time.waitForSleepers()
            fixture.time.advance(by: .seconds(61))
            try await fixture.waitFor(id, .failed)
        }
        #expect(try await fixture.queue.job(id)?.failure?.code == "took_too_long")
    }

    @Test func aFloodOfOneUserHoldsNobodyUp() async throws {
        let fixture = try JobFixture {
            $0.shortMax = 2
            $0.activePerUserMax = 1
        }
        let diary = Diary()
        let gate = Gate()
        for number in 0..<50 { _ = try await fixture.enqueue(.incrementalSync, of: .ada, number) }
        let bobs = try await fixture.enqueue(of: .bob)
        let handler: JobHandler = { job, _ in
            diary.write(job.user?.encoded ?? "-")
            if job.user == .ada { try await gate.pass() }
            return .completed()
        }
        try await fixture.run([.incrementalSync: handler]) {
            // While ada's first still runs.
            try await fixture.waitFor(bobs, .completed)
            #expect(try await fixture.queue.counts(of: .ada) == JobCounts([.waiting: 49, .active: 1]))
            gate.open()
            try await eventually("all are done") { try await fixture.queue.counts(of: .ada)[.completed] == 50 }
        }
        #expect(diary.all.prefix(2).sorted() == ["ada", "bob"])
    }

    @Test func jobsWithoutAHandlerWait() async throws {
        let fixture = try JobFixture()
        let lonely = try await fixture.enqueue(.import, 0)
        let done = try await fixture.enqueue(1)
        try await fixture.run([.incrementalSync: { _, _ in .completed() }]) {
            try await fixture.waitFor(done, .completed)
        }
        #expect(try await fixture.state(lonely) == .waiting)
    }

    @Test func theServiceTidiesUpOnceADay() async throws {
        let fixture = try JobFixture()
        let diary = Diary()
        let handler: JobHandler = { job, _ in
            #expect(job.user == nil && job.priority == .scheduled)
            diary.write("tidied")
            return .completed()
        }
        for day in 1...2 {
            try await fixture.run([.cleanup: handler]) {
                try await eventually("day \(day)") { diary.all.count == day }
                try await eventually("it is settled") { try await fixture.queue.counts()[.completed] == day }
            }
            // A restart is no new day.
            let other = try await fixture.enqueue(day)
            try await fixture.run([.cleanup: handler, .incrementalSync: { _, _ in .completed() }]) {
                try await fixture.waitFor(other, .completed)
            }
            #expect(diary.all.count == day)
            fixture.time.advance(by: .seconds(86_400))
            _ = try await fixture.queue.removeOld()
            try await fixture.queue.eraseJobs(of: .adas, isLast: true)
        }
    }
}
