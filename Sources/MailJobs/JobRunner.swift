import Foundation
import Logging
import MailModel
import ServiceLifecycle

/// Does the work of one kind of job. It may be run again for the same job, after a failure or a crash: what it did
/// before must not harm.
///
/// - Throws: ``JobFailure``; `SyncFailure` means what it says; anything else is tried again.
public typealias JobHandler = @Sendable (Job, JobContext) async throws -> JobResult

/// Takes jobs out of the queue and runs their handlers, so many at once, fair to users. It sleeps until a job is asked
/// for, ends or is due.
public actor JobRunner: Service {
    let queue: JobQueue
    let times: JobTimes
    let time: any TimeSource
    let logger: Logger
    /// Of this run of the process.
    let owner = UUID().uuidString
    private let handlers: [JobKind: JobHandler]

    var running: [JobLease: RunningJob] = [:]
    private var schedule: JobSchedule
    private var nextDueMs: Int64?
    private var nextCleanupMs = Int64.max
    var nextBeatMs: Int64 = 0
    var nextNoteMs: Int64 = 0
    /// The table is to be looked at, whatever the bell says: nobody looked yet, or the last look failed.
    private var owesLook = true

    /// - Parameter handlers: jobs of kinds without one stay in the queue.
    public init(
        queue: JobQueue, handlers: [JobKind: JobHandler], times: JobTimes = JobTimes(), time: any TimeSource,
        logger: Logger
    ) {
        self.queue = queue
        self.handlers = handlers
        self.times = times
        self.time = time
        self.logger = logger
        schedule = JobSchedule(limits: queue.limits)
    }

    /// Puts back what an earlier run of the process left active, then runs jobs until the task is cancelled or the
    /// service shuts down. Jobs that run then go back to the queue; the attempt does not count.
    ///
    /// - Throws: `AccountDatabaseFailure` when the queue cannot be read at the start.
    public func run() async throws {
        let now = time.nowMilliseconds()
        tell(try await queue.recover(owner: owner, backoff: times.backoff), "its process had ended")
        nextBeatMs = now + times.beat.milliseconds
        if handlers[.cleanup] != nil {
            nextCleanupMs = try await queue.lastCleanupMs().map { $0 + times.cleanup.milliseconds } ?? now
        }
        await cancelWhenGracefulShutdown { await self.work() }
        await stop()
    }

    private func work() async {
        while !Task.isCancelled {
            var wait = times.failurePause
            do {
                try await look()
                wait = rest()
            } catch is CancellationError {
                return
            } catch {
                // The queue is on disk: nothing is lost meanwhile.
                owesLook = true
                logger.error("the job queue cannot be used", metadata: ["error": "\(error)"])
            }
            await queue.bell.wait(atMost: wait, time: time)
        }
    }

    /// Everything that is due now.
    private func look() async throws {
        let now = time.nowMilliseconds()
        let isChanged = queue.bell.takeNews() || owesLook
        let hasPlace = try await settle()
        endOverdue(at: now)
        try await tellProgress(at: now)
        if now >= nextBeatMs { try await beat(at: now) }
        if isChanged { try await obeyWishes() }
        if now >= nextCleanupMs { try await askForCleanup(at: now) }
        if isChanged || hasPlace || now >= nextDueMs ?? .max { try await start() }
        owesLook = false
    }

    /// Until the next thing that is due by itself.
    private func rest() -> Duration {
        let hasNotes = running.values.contains { !$0.note.isEmpty }
        let own: [Int64?] = [nextBeatMs, nextCleanupMs, nextDueMs, hasNotes ? nextNoteMs : nil]
        let next = (own + running.values.map(\.openDeadlineMs)).compactMap { $0 }.min() ?? nextBeatMs
        return .milliseconds(max(0, next - time.nowMilliseconds()))
    }

    private func askForCleanup(at now: Int64) async throws {
        nextCleanupMs = now + times.cleanup.milliseconds
        _ = try await queue.enqueue(.cleanup)
    }

    // MARK: starting

    private func start() async throws {
        let claims = try await queue.claim(
            Set(handlers.keys), beside: running.values.map(\.candidate), schedule: schedule, owner: owner)
        schedule = claims.schedule
        nextDueMs = claims.nextDueMs
        for claimed in claims.jobs { start(claimed) }
    }

    private func start(_ claimed: ClaimedJob) {
        guard let handler = handlers[claimed.job.kind] else { return }
        let lease = claimed.lease
        let note = JobNote { [bell = queue.bell] in bell.nudge() }
        let limit = times.runMax[claimed.job.kind]
        // Owned by `running`; awaited by `stop`.
        let task = Task { await self.run(claimed.job, under: lease, handler, JobContext(note: note)) }
        running[lease] = RunningJob(
            candidate: claimed.candidate, note: note,
            deadlineMs: limit.map { time.nowMilliseconds() + $0.milliseconds }, task: task)
    }

    private func run(_ job: Job, under lease: JobLease, _ handler: JobHandler, _ context: JobContext) async {
        let ending: JobEnding
        do {
            ending = .returned(try await handler(job, context))
        } catch {
            logger.debug("a job's handler failed", metadata: ["job": "\(job.id)", "error_type": "\(type(of: error))"])
            ending = JobEnding(error, running[lease]?.reason)
        }
        running[lease]?.ending = ending
        queue.bell.nudge()
    }

    // MARK: stopping

    private func stop() async {
        for lease in running.keys { running[lease]?.end(.stopping) }
        for job in running.values { await job.task.value }
        // What is written last is written also when this task is cancelled.
        let last = Task { try await self.settle() }
        do {
            _ = try await last.value
        } catch {
            logger.error("running jobs were not put back", metadata: ["error": "\(error)"])
        }
    }
}
