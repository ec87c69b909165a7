import MailJobs
import MailModel

/// `jobs` of the control socket: what is in the queue; a dead letter is tried again, a job is ended.
struct JobsCommand: ControlCommand {
    static let name = "jobs"
    static let limitMax = 1000

    enum Action: String, Codable, Sendable {
        case list
        case show
        case retry
        case cancel
    }

    var action: Action
    /// Only this user's; nil: everybody's.
    var user: String?
    var state: JobState?
    /// Which job; for all but `list`.
    var id: String?
    var limit = 100

    /// A job, for operators.
    struct Line: Codable, Sendable, CustomStringConvertible {
        var id: String
        var kind: JobKind
        var state: JobState
        /// nil for the service's own.
        var user: String?
        var account: String?
        var attempts: Int
        var createdAt: UnixSeconds
        var finishedAt: UnixSeconds?
        var nextAttemptAt: UnixSeconds?
        var progress: JobProgress?
        var parameters: String
        var result: String?
        var errorCode: String?
        var errorMessage: String?

        init(_ job: Job) {
            id = job.id.text
            kind = job.kind
            state = job.state
            user = job.user?.raw
            account = job.account?.description
            attempts = job.attempts
            createdAt = job.createdAt
            finishedAt = job.finishedAt
            nextAttemptAt = job.dueAt
            progress = job.progress
            parameters = job.parameters.text
            result = job.result?.text
            errorCode = job.failure?.code
            errorMessage = job.failure?.message
        }

        var description: String {
            let whose = account ?? user ?? "the service"
            var parts = [id, kind.rawValue, state.rawValue, whose, "\(attempts) attempts", "asked for at \(createdAt)"]
            if let nextAttemptAt { parts.append("next attempt at \(nextAttemptAt)") }
            if let finishedAt { parts.append("ended at \(finishedAt)") }
            if let progress { parts.append("\(progress.done ?? 0) of \(progress.total.map(String.init) ?? "?")") }
            if let errorCode { parts.append("\(errorCode): \(errorMessage ?? "-")") }
            return parts.joined(separator: "  ")
        }
    }

    struct Result: ControlResult {
        var action: Action
        var jobs: Int

        var description: String {
            switch action {
            case .list, .show: jobs == 1 ? "1 job" : "\(jobs) jobs"
            case .retry: "it is tried again, 3 times if need be"
            case .cancel: "it is cancelled; one that runs ends as soon as it can"
            }
        }
    }

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        let queue = context.jobs
        let job: Job
        switch action {
        case .list: return try await list(queue, report)
        case .show: job = try await named(in: queue)
        case .retry: job = try await retry(in: queue)
        case .cancel: job = try await cancel(in: queue)
        }
        try await report(Line(job))
        if action != .show {
            context.logger.notice(
                "an operator's wish for a job", metadata: ["job": "\(job.id)", "wish": "\(action.rawValue)"])
        }
        return Result(action: action, jobs: 1)
    }

    private func list(
        _ queue: JobQueue, _ report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        guard (1...Self.limitMax).contains(limit) else {
            throw ControlProblem(message: "--limit is from 1 to \(Self.limitMax)")
        }
        let jobs = try await queue.jobs(of: try user.map { try UserID($0) }, in: state, limit: limit)
        for job in jobs { try await report(Line(job)) }
        return Result(action: .list, jobs: jobs.count)
    }

    private func named(in queue: JobQueue) async throws -> Job {
        guard let id else { throw ControlProblem(message: "name the job") }
        guard let jobID = JobID(id), let job = try await queue.job(jobID) else {
            throw ControlProblem(message: "there is no job \(id): mailsync jobs list")
        }
        return job
    }

    private func retry(in queue: JobQueue) async throws -> Job {
        let job = try await named(in: queue)
        guard let retried = try await queue.retry(job.id) else {
            throw ControlProblem(message: "the job is \(job.state.rawValue): only failed ones are tried again")
        }
        return retried
    }

    private func cancel(in queue: JobQueue) async throws -> Job {
        let job = try await named(in: queue)
        switch try await queue.cancel(job.id) {
        case .cancelled(let job), .requested(let job): return job
        case .alreadyFinished, .unknown:
            throw ControlProblem(message: "the job is over: it is \(job.state.rawValue)")
        }
    }
}
