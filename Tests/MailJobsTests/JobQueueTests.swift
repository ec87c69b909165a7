import Accounts
import MailModel
import MailTestSupport
import Testing

@testable import MailJobs

/// The table: what goes in, what is kept, and who may change what.
@Suite struct JobQueueTests {
    @Test func whatIsAskedForIsThereAfterARestart() async throws {
        let fixture = try JobFixture()
        let enqueued = try await fixture.queue.enqueue(
            .incrementalSync(of: .ada, account: .adas, priority: .scheduled))
        #expect(enqueued.isNew)
        #expect(enqueued.counts == JobCounts([.waiting: 1]))
        let job = try #require(try await fixture.reopened().job(enqueued.id))
        #expect(job.kind == .incrementalSync)
        #expect(job.user == .ada)
        #expect(job.account == .adas)
        #expect(job.priority == .scheduled)
        #expect(job.state == .waiting)
        #expect(job.attempts == 0)
        #expect(job.createdAt == fixture.time.now())
    }

    @Test func equalWaitingJobsAreOne() async throws {
        let fixture = try JobFixture()
        let scheduled = try await fixture.queue.enqueue(.incrementalSync(of: .ada, priority: .scheduled))
        let manual = try await fixture.queue.enqueue(.incrementalSync(of: .ada))
        #expect(manual.id == scheduled.id)
        #expect(!manual.isNew)
        #expect(manual.counts[.waiting] == 1)
        #expect(try await fixture.queue.job(scheduled.id)?.priority == .manual)
        let others: [JobRequest] = [
            .incrementalSync(of: .bob), .incrementalSync(of: .ada, account: .adas), JobRequest(.verify, of: .ada),
            JobRequest(.incrementalSync, of: .ada, parameters: try JobDocument(["n": 1])),
        ]
        for other in others { #expect(try await fixture.queue.enqueue(other).isNew) }
        // One that runs read what there was: whoever asks now wants what came since.
        _ = try await fixture.claim()
        #expect(try await fixture.queue.enqueue(.incrementalSync(of: .ada)).isNew)
    }

    @Test func whoChoosesTheIDMayAskAgain() async throws {
        let fixture = try JobFixture()
        let request = JobRequest.import(into: .adas, parameters: try JobDocument(["a": 1]), id: JobID())
        let first = try await fixture.queue.enqueue(request)
        #expect(first.isNew && first.id == request.id)
        _ = try await fixture.claim()
        let second = try await fixture.queue.enqueue(request)
        #expect(!second.isNew && second.id == first.id)
        #expect(try await fixture.queue.counts() == JobCounts([.active: 1]))
    }

    @Test func manyWhoAskAtOnceGetTheSameJob() async throws {
        let fixture = try JobFixture()
        let ids = try await withThrowingTaskGroup(of: JobID.self) { group in
            for _ in 0..<100 { group.addTask { try await fixture.queue.enqueue(.incrementalSync(of: .ada)).id } }
            return try await group.reduce(into: Set<JobID>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await fixture.queue.counts() == JobCounts([.waiting: 1]))
    }

    @Test func oneUserMayNotFillTheQueue() async throws {
        let fixture = try JobFixture { $0.waitingPerUserMax = 3 }
        for number in 0..<3 { _ = try await fixture.enqueue(.verify, number) }
        await #expect(throws: TooManyJobs(limit: 3)) { try await fixture.enqueue(.verify, 3) }
        // An equal one adds nothing; another user's is another matter.
        _ = try await fixture.enqueue(.verify, 2)
        _ = try await fixture.enqueue(.verify, of: .bob, 3)
        #expect(try await fixture.queue.counts(of: .ada)[.waiting] == 3)
    }

    @Test func parametersAreBoundedObjects() throws {
        #expect(try JobDocument(["b": 1, "a": 2]).text == #"{"a":2,"b":1}"#)
        #expect(throws: JobDocumentFailure.notAnObject) { try JobDocument([1]) }
        #expect(throws: JobDocumentFailure.self) {
            try JobDocument(["x": String(repeating: "x", count: JobDocument.bytesMax)])
        }
    }

    @Test func whoSeesWhat() async throws {
        let fixture = try JobFixture()
        let adas = try await fixture.enqueue()
        let bobs = try await fixture.enqueue(of: .bob)
        let later = try await fixture.enqueue(.verify)
        #expect(try await fixture.queue.job(adas, of: .bob) == nil)
        #expect(try await fixture.queue.job(adas, of: .ada)?.id == adas)
        #expect(try await fixture.queue.jobs(of: .ada, limit: 10).map(\.id) == [later, adas])
        #expect(try await fixture.queue.jobs(of: nil, limit: 10).map(\.id) == [later, bobs, adas])
        #expect(try await fixture.queue.jobs(of: .ada, in: .failed, limit: 10).isEmpty)
        #expect(try await fixture.queue.jobs(of: .ada, in: .waiting, limit: 1).map(\.id) == [later])
        #expect(try await fixture.queue.cancel(adas, of: .bob) == .unknown)
        #expect(try await fixture.state(adas) == .waiting)
    }

    @Test func aWaitingJobIsCancelledAtOnceAFinishedOneNever() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue()
        guard case .cancelled(let job) = try await fixture.queue.cancel(id, of: .ada) else {
            Issue.record("not cancelled")
            return
        }
        #expect(job.state == .cancelled)
        #expect(job.finishedAt == fixture.time.now())
        guard case .alreadyFinished = try await fixture.queue.cancel(id) else {
            Issue.record("cancelled twice")
            return
        }
        #expect(try await fixture.claim().isEmpty)
        #expect(try await fixture.queue.cancel(JobID()) == .unknown)
    }

    @Test func anActiveJobIsToldToEnd() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue()
        let claimed = try #require(try await fixture.claim().first)
        guard case .requested(let job) = try await fixture.queue.cancel(id) else {
            Issue.record("not asked to end")
            return
        }
        #expect(job.state == .active && job.isEnding)
        #expect(try await fixture.queue.leases()[claimed.lease] == .some(.cancel))
        #expect(try await fixture.end(claimed, .interrupted)?.state == .cancelled)
    }

    @Test func aParkedJobStaysUntilItIsResumed() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue(.import)
        #expect(try await fixture.queue.park(id))
        let parked = try #require(try await fixture.queue.job(id))
        #expect(parked.isParked)
        fixture.time.advance(by: .seconds(30 * 86_400))
        #expect(try await fixture.claim().isEmpty)
        #expect(try await fixture.queue.resume(id))
        let claimed = try #require(try await fixture.claim().first)
        #expect(claimed.job.id == id)

        // While it runs: parked when its handler lets go, or not at all when it was resumed before.
        try await fixture.queue.park(id)
        #expect(try await fixture.end(claimed, .interrupted)?.isParked == true)
        try await fixture.queue.resume(id)
        let again = try #require(try await fixture.claim().first)
        try await fixture.queue.park(id)
        try await fixture.queue.resume(id)
        #expect(try await fixture.end(again, .interrupted)?.state == .waiting)
        let last = try #require(try await fixture.claim().first)
        #expect(try await fixture.end(last)?.state == .completed)
        #expect(try await fixture.queue.park(id) == false)
        #expect(try await fixture.queue.resume(id) == false)
    }

    @Test func onlyTheLastFinishedJobsAreKept() async throws {
        let fixture = try JobFixture {
            $0.completedKeptMax = 3
            $0.failedKeptMax = 5
            $0.cancelledKeptMax = 2
        }
        let permanent = JobFailure(code: "broken", "for good", isPermanent: true)
        let bobs = try await fixture.enqueue(of: .bob)
        _ = try await fixture.end(try #require(try await fixture.claim().first))
        var last: [JobState: JobID] = [:]
        for number in 0..<24 {
            fixture.time.advance(by: .seconds(1))
            let id = try await fixture.enqueue(number)
            switch number % 3 {
            case 0:
                _ = try await fixture.end(try #require(try await fixture.claim().first))
                last[.completed] = id
            case 1:
                _ = try await fixture.end(try #require(try await fixture.claim().first), .failed(permanent))
                last[.failed] = id
            default:
                _ = try await fixture.queue.cancel(id)
                last[.cancelled] = id
            }
        }
        let counts = try await fixture.queue.counts(of: .ada)
        #expect(counts == JobCounts([.completed: 3, .failed: 5, .cancelled: 2]))
        for (state, id) in last { #expect(try await fixture.state(id) == state) }
        #expect(try await fixture.state(bobs) == .completed)
    }

    @Test func theStandardNumbersAreThoseThatWerePromised() {
        let limits = JobLimits()
        #expect(limits.attemptsMax == 3)
        #expect(limits.completedKeptMax == 100)
        #expect(limits.failedKeptMax == 200)
    }

    @Test func oldJobsGoOnlyWhenTheyAreOver() async throws {
        let fixture = try JobFixture()
        let done = try await fixture.enqueue(1)
        _ = try await fixture.end(try #require(try await fixture.claim().first))
        let parked = try await fixture.enqueue(.import, 2)
        try await fixture.queue.park(parked)
        fixture.time.advance(by: .seconds(31 * 86_400))
        #expect(try await fixture.queue.removeOld() == 1)
        #expect(try await fixture.queue.job(done) == nil)
        #expect(try await fixture.queue.job(parked) != nil)
    }

    @Test func aDeadLetterGetsItsAttemptsAgain() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue()
        #expect(try await fixture.queue.retry(id) == nil)
        let failure = JobFailure(code: "broken", "for good", isPermanent: true)
        _ = try await fixture.end(try #require(try await fixture.claim().first), .failed(failure))
        let job = try #require(try await fixture.queue.job(id))
        #expect(job.state == .failed && job.failure?.code == "broken")
        let retried = try #require(try await fixture.queue.retry(id))
        #expect(retried.state == .waiting && retried.attempts == 0 && retried.finishedAt == nil)
        let claimed = try #require(try await fixture.claim().first)
        let done = try #require(try await fixture.end(claimed))
        #expect(done.state == .completed && done.failure == nil)
    }

    @Test func jobsGoWithTheirAccount() async throws {
        let fixture = try JobFixture()
        let running = try await fixture.queue.enqueue(.incrementalSync(of: .ada, account: .adas)).id
        let claimed = try #require(try await fixture.claim().first)
        let waiting = try await fixture.queue.enqueue(JobRequest(.verify, of: .ada, account: .adas)).id
        let other = try await fixture.queue.enqueue(.incrementalSync(of: .ada, account: .adasOther)).id
        let whole = try await fixture.queue.enqueue(.incrementalSync(of: .ada)).id
        let bobs = try await fixture.enqueue(of: .bob)
        try await fixture.queue.cancelJobs(of: .adas)
        #expect(try await fixture.state(waiting) == .cancelled)
        #expect(try await fixture.queue.job(running)?.isEnding == true)
        #expect(try await fixture.state(other) == .waiting)

        try await fixture.queue.eraseJobs(of: .adas, isLast: false)
        #expect(try await fixture.queue.job(running) == nil)
        #expect(try await fixture.queue.job(waiting) == nil)
        #expect(try await fixture.state(whole) == .waiting)
        // What its worker tells afterwards is refused.
        #expect(try await fixture.end(claimed) == nil)

        try await fixture.queue.eraseJobs(of: .adasOther, isLast: true)
        #expect(try await fixture.queue.jobs(of: .ada, limit: 10).isEmpty)
        #expect(try await fixture.queue.counts(of: .ada) == JobCounts())
        #expect(try await fixture.state(bobs) == .waiting)
    }

    @Test func aClaimIsNeverTakenTwice() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue()
        let first = try #require(try await fixture.claim("first").first)
        #expect(try await fixture.claim("second").isEmpty)
        // The first one's process dies; the second one's run is the only one that counts.
        #expect(try await fixture.queue.recover(owner: "second", backoff: JobBackoff()).map(\.id) == [id])
        let second = try #require(try await fixture.claim("second").first)
        #expect(second.job.attempts == 2)
        #expect(try await fixture.end(first, .failed(JobFailure(code: "late", "late"))) == nil)
        #expect(try await fixture.state(id) == .active)
        #expect(try await fixture.end(second)?.state == .completed)
        #expect(try await fixture.end(second) == nil)
        #expect(try await fixture.queue.recover(owner: "third", backoff: JobBackoff()).isEmpty)
    }

    @Test func aJobThatKillsItsProcessIsADeadLetterAtLast() async throws {
        let fixture = try JobFixture()
        let id = try await fixture.enqueue()
        for process in 1...3 {
            let claimed = try await fixture.claim("process \(process)")
            #expect(claimed.map(\.job.id) == [id])
            _ = try await fixture.queue.recover(owner: "process \(process + 1)", backoff: JobBackoff())
        }
        let job = try #require(try await fixture.queue.job(id))
        #expect(job.state == .failed && job.failure?.code == "worker_died" && job.attempts == 3)
    }

    @Test func aSilentWorkerLosesItsJobALivingOneDoesNot() async throws {
        let fixture = try JobFixture()
        let silent = try await fixture.enqueue(1)
        let living = try await fixture.enqueue(2)
        let claims = try await fixture.claim()
        let leases = Dictionary(uniqueKeysWithValues: claims.map { ($0.job.id, $0.lease) })
        fixture.time.advance(by: .seconds(50))
        let note = JobNote.Content(progress: JobProgress(done: 7, total: 9))
        try await fixture.queue.beat([try #require(leases[living]): note])
        fixture.time.advance(by: .seconds(20))
        let rescued = try await fixture.queue.rescue(silentFor: .seconds(60), except: [], backoff: JobBackoff())
        #expect(rescued.map(\.id) == [silent])
        #expect(try await fixture.state(silent) == .waiting)
        let job = try #require(try await fixture.queue.job(living))
        #expect(job.state == .active && job.progress == JobProgress(done: 7, total: 9))
    }
}
