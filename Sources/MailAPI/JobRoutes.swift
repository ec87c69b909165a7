import Hummingbird
import MailJobs
import MailModel

/// Where users ask for work: the queue, and whose accounts are whose.
public struct JobDesk: Sendable {
    let queue: JobQueue
    /// The accounts of a user that are connected.
    let accounts: @Sendable (UserID) async throws -> [AccountKey]

    public init(queue: JobQueue, accounts: @escaping @Sendable (UserID) async throws -> [AccountKey]) {
        self.queue = queue
        self.accounts = accounts
    }
}

/// `/api/email/sync` and `/api/sync/*`: what users ask for, how far it is, and ending it. A user sees only their own
/// jobs.
struct JobRoutes: Sendable {
    static let limitStandard = 50
    static let limitMax = 200
    /// After so long some of a user's jobs are done.
    private static let tooManyRetrySeconds: Int64 = 10

    let desk: JobDesk

    var all: [Route] {
        [
            .user(.post, "/api/email/sync", sync), .user(.get, "/api/email/sync", stats),
            .user(.get, "/api/sync/jobs", list), .user(.post, "/api/sync/jobs", create),
            .user(.get, "/api/sync/jobs/{id}", show), .user(.post, "/api/sync/cancel", cancel),
        ]
    }

    @Sendable private func sync(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.body.isEmpty ? nil : call.decode(EmailSyncBody.self)
        let account = try await account(body?.account, of: user)
        let enqueued = try await enqueue(.incrementalSync(of: user, account: account))
        return .json { json in
            json.enqueued(enqueued, "Sync queued successfully")
            json.key("queueStats")
            json.object { $0.counts(enqueued.counts, [.waiting, .active, .completed, .failed]) }
        }
    }

    @Sendable private func stats(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let counts = try await desk.queue.counts(of: user)
        return .json { json in
            json.field("success", true)
            json.key("queueStats")
            json.object { json in
                json.counts(counts, [.waiting, .active, .completed, .failed, .delayed])
                json.field("total", counts.total)
            }
        }
    }

    @Sendable private func create(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(NewJobBody.self)
        let account = try await account(body.account, of: user)
        let enqueued = try await enqueue(
            JobRequest(body.kind, of: user, account: account, parameters: try JobDocument(body.parameters)))
        return .json(status: .accepted) { $0.enqueued(enqueued, "Job queued successfully") }
    }

    @Sendable private func list(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let query = try JobListQuery(call.query)
        let jobs = try await desk.queue.jobs(of: user, in: query.state, limit: query.limit)
        return .json { json in
            json.field("success", true)
            json.key("jobs")
            json.array(jobs) { json, job in json.object { $0.job(job) } }
        }
    }

    @Sendable private func show(_ user: UserID, _ call: Route.Call) async throws -> Response {
        guard let id = call.parameters["id"].flatMap(JobID.init), let job = try await desk.queue.job(id, of: user)
        else { throw Self.noJob }
        return .json { json in
            json.field("success", true)
            json.key("job")
            json.object { $0.job(job) }
        }
    }

    @Sendable private func cancel(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(CancelBody.self)
        guard let id = JobID(body.job) else { throw Self.noJob }
        switch try await desk.queue.cancel(id, of: user) {
        case .unknown: throw Self.noJob
        case .alreadyFinished(let job):
            throw APIProblem(
                .conflict, "job-finished", "The job is over",
                "it is \(job.state.rawValue); only others can be cancelled"
            )
        case .cancelled(let job): return Self.ended(job, "Job cancelled", .ok)
        case .requested(let job): return Self.ended(job, "Job is being cancelled", .accepted)
        }
    }

    private static func ended(_ job: Job, _ message: String, _ status: HTTPResponse.Status) -> Response {
        .json(status: status) { json in
            json.field("success", true)
            json.field("jobId", job.id.text)
            json.field("state", job.state.rawValue)
            json.field("message", message)
        }
    }

    /// - Throws: ``APIProblem`` 404 when the account is not one of the user's, or none is connected.
    private func account(_ wanted: AccountKey?, of user: UserID) async throws -> AccountKey? {
        guard wanted == nil || wanted?.user == user else { throw Self.noAccount }
        let connected = try await desk.accounts(user)
        guard wanted.map(connected.contains) ?? !connected.isEmpty else { throw Self.noAccount }
        return wanted
    }

    /// - Throws: ``APIProblem`` 429.
    private func enqueue(_ request: JobRequest) async throws -> EnqueuedJob {
        do {
            return try await desk.queue.enqueue(request)
        } catch let refusal as TooManyJobs {
            var problem = APIProblem(
                .tooManyRequests, "too-many-jobs", "Too many jobs are waiting",
                "\(refusal); GET /api/sync/jobs lists them, POST /api/sync/cancel ends one")
            problem.retryAfterSeconds = Self.tooManyRetrySeconds
            throw problem
        }
    }

    private static let noJob = APIProblem.notFound("there is no such job, or it was over long ago; GET /api/sync/jobs")
    private static let noAccount = APIProblem.notFound("no such account is connected; POST /mail/connect connects one")
}

extension JSONText {
    fileprivate mutating func enqueued(_ enqueued: EnqueuedJob, _ message: String) {
        field("success", true)
        field("jobId", enqueued.id.text)
        field("message", message)
    }

    /// Jobs by state.
    mutating func counts(_ counts: JobCounts, _ states: [JobState] = JobState.allCases) {
        for state in states { field(state.rawValue, counts[state]) }
    }

    fileprivate mutating func job(_ job: Job) {
        field("jobId", job.id.text)
        field("type", job.kind.rawValue)
        field("state", job.state.rawValue)
        field("accountId", job.account?.description)
        field("priority", job.priority.name)
        key("parameters")
        json(job.parameters.text)
        field("attempts", job.attempts)
        key("progress")
        if let progress = job.progress { object { $0.progress(progress) } } else { null() }
        key("result")
        if let result = job.result { json(result.text) } else { null() }
        key("error")
        if let failure = job.failure { object { $0.failure(failure) } } else { null() }
        field("createdAt", job.createdAt)
        field("startedAt", job.startedAt)
        field("finishedAt", job.finishedAt)
        field("nextAttemptAt", job.dueAt)
    }

    private mutating func progress(_ progress: JobProgress) {
        field("done", progress.done.map(Int64.init))
        field("total", progress.total.map(Int64.init))
        field("text", progress.text)
    }

    private mutating func failure(_ failure: JobFailure) {
        field("code", failure.code)
        field("message", failure.message)
    }
}
