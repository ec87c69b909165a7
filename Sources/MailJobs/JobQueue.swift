import Accounts
import MailModel

/// The persistent queue of what people and systems ask for, in `control.db`. Whatever is in it survives the process;
/// ``JobRunner`` takes jobs out.
public struct JobQueue: Sendable {
    public let limits: JobLimits
    let table: JobTable
    let time: any TimeSource
    /// What the runner waits for.
    let bell = JobBell()
    private let intake: JobIntake

    public init(registry: AccountRegistry, limits: JobLimits = JobLimits(), time: any TimeSource) {
        self.limits = limits
        self.time = time
        table = JobTable(database: registry.database, limits: limits)
        intake = JobIntake(table: table, time: time)
    }

    // MARK: asking

    /// Puts a job into the queue, or finds the equal one that waits there (same user, kind, account and parameters), or
    /// the one that has the wanted id.
    /// On disk when this returns.
    ///
    /// - Throws: ``TooManyJobs``, `AccountDatabaseFailure`.
    public func enqueue(_ request: JobRequest) async throws -> EnqueuedJob {
        let enqueued = try await intake.add(request)
        bell.ring()
        return enqueued
    }

    /// - Parameter user: only a job of this user is found; nil for the operator, who sees all.
    /// - Throws: `AccountDatabaseFailure`.
    public func job(_ id: JobID, of user: UserID? = nil) async throws -> Job? {
        let job = try await table.read { try $0.job(id) }
        return job.flatMap { user == nil || $0.user == user ? $0 : nil }
    }

    /// Newest first.
    ///
    /// - Parameter user: nil for everybody's.
    /// - Throws: `AccountDatabaseFailure`.
    public func jobs(of user: UserID?, in state: JobState? = nil, limit: Int) async throws -> [Job] {
        try await table.read { try $0.jobs(of: user, in: state, limit: limit) }
    }

    /// The jobs of a user by state, unfinished ones and those that are kept.
    ///
    /// - Throws: `AccountDatabaseFailure`.
    public func counts(of user: UserID) async throws -> JobCounts { try await table.read { try $0.counts(of: user) } }

    /// Everybody's jobs by state.
    ///
    /// - Throws: `AccountDatabaseFailure`.
    public func counts() async throws -> JobCounts { try await table.read { try $0.countsOfAll() } }

    // MARK: changing one's mind

    /// Ends a job: at once when it does not run, else as soon as its handler lets go.
    ///
    /// - Parameter user: only a job of this user is ended; nil for the operator.
    /// - Throws: `AccountDatabaseFailure`.
    public func cancel(_ id: JobID, of user: UserID? = nil) async throws -> JobCancellation {
        let now = time.nowMilliseconds()
        let outcome = try await table.write { rows -> JobCancellation in
            guard let job = try rows.job(id), user == nil || job.user == user else { return .unknown }
            switch job.state {
            case .completed, .failed, .cancelled: return .alreadyFinished(job)
            case .active: try rows.wish(.cancel, of: id)
            case .waiting, .delayed: try rows.move(id, to: .cancelled, at: now)
            }
            let changed = try rows.job(id) ?? job
            return changed.state == .active ? .requested(changed) : .cancelled(changed)
        }
        bell.ring()
        return outcome
    }

    /// Sets a job aside until ``resume(_:)``; one that runs is told to end first, and its attempt does not count.
    ///
    /// - Returns: false when it is finished, or unknown.
    /// - Throws: `AccountDatabaseFailure`.
    @discardableResult
    public func park(_ id: JobID) async throws -> Bool {
        let now = time.nowMilliseconds()
        let done = try await table.write { rows in
            guard let job = try rows.job(id), !job.state.isFinished else { return false }
            if job.state == .active {
                try rows.wish(.park, of: id)
            } else {
                try rows.move(id, to: .delayed, attempts: 0, at: now)
            }
            return true
        }
        bell.ring()
        return done
    }

    /// Makes a parked or delayed job wait for its turn again, with all its attempts.
    ///
    /// - Returns: false when it is finished, or unknown.
    /// - Throws: `AccountDatabaseFailure`.
    @discardableResult
    public func resume(_ id: JobID) async throws -> Bool {
        let now = time.nowMilliseconds()
        let done = try await table.write { rows in
            guard let job = try rows.job(id), !job.state.isFinished else { return false }
            switch job.state {
            case .active: if job.isEnding { try rows.wish(.requeue, of: id) }
            case .delayed: try rows.move(id, to: .waiting, attempts: 0, at: now)
            case .waiting, .completed, .failed, .cancelled: break
            }
            return true
        }
        bell.ring()
        return done
    }

    /// Gives a dead letter its attempts again.
    ///
    /// - Returns: the job; nil when it is unknown or did not fail.
    /// - Throws: `AccountDatabaseFailure`.
    public func retry(_ id: JobID) async throws -> Job? {
        let now = time.nowMilliseconds()
        let job = try await table.write { rows -> Job? in
            guard try rows.job(id)?.state == .failed else { return nil }
            try rows.move(id, to: .waiting, attempts: 0, at: now)
            return try rows.job(id)
        }
        bell.ring()
        return job
    }
}
