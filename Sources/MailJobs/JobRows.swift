import Accounts
import GRDB
import MailModel

/// The SQL of the table `jobs`.
struct JobRows {
    let db: Database
    let limits: JobLimits

    /// The service's own jobs; no user's encoded id is empty.
    static let ofService = ""

    static func user(_ user: UserID?) -> String { user?.encoded ?? ofService }

    // MARK: reading

    func job(_ id: JobID) throws -> Job? {
        try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE job_id = ?", arguments: [id.text]).map(Job.init)
    }

    /// Newest first.
    ///
    /// - Parameter user: nil for everybody's.
    func jobs(of user: UserID?, in state: JobState?, limit: Int) throws -> [Job] {
        var conditions: [String] = []
        var arguments = StatementArguments()
        if let user {
            conditions.append("user_id = ?")
            arguments += [user.encoded]
        }
        if let state {
            conditions.append("state = ?")
            arguments += [state.rawValue]
        }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return try Row.fetchAll(
            db, sql: "SELECT * FROM jobs \(filter) ORDER BY number DESC LIMIT ?", arguments: arguments + [limit]
        ).map(Job.init)
    }

    func counts(of user: UserID?) throws -> JobCounts {
        try counts("WHERE user_id = ?", [Self.user(user)])
    }

    func countsOfAll() throws -> JobCounts { try counts("", []) }

    /// When a job of this kind was last asked for.
    func lastCreatedMs(of kind: JobKind) throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT max(created_ms) FROM jobs WHERE kind = ?", arguments: [kind.rawValue])
    }

    private func counts(_ filter: String, _ arguments: StatementArguments) throws -> JobCounts {
        let rows = try Row.fetchAll(
            db, sql: "SELECT state, sum(jobs) AS jobs FROM job_counts \(filter) GROUP BY state", arguments: arguments)
        return JobCounts(
            Dictionary(
                try rows.map { (try JobState(stored: $0["state"]), $0["jobs"] as Int) }, uniquingKeysWith: +))
    }

    // MARK: asking

    /// - Throws: ``TooManyJobs``.
    func add(_ request: JobRequest, at nowMs: Int64) throws -> EnqueuedJob {
        if let id = request.id, let job = try job(id), job.user == request.user {
            return EnqueuedJob(id: id, isNew: false, counts: try counts(of: request.user))
        }
        if let id = try waitingEqual(to: request) {
            try db.execute(
                sql: "UPDATE jobs SET priority = min(priority, ?) WHERE job_id = ?",
                arguments: [request.priority.rawValue, id.text])
            return EnqueuedJob(id: id, isNew: false, counts: try counts(of: request.user))
        }
        let counts = try counts(of: request.user)
        guard counts[.waiting] + counts[.delayed] < limits.waitingPerUserMax else {
            throw TooManyJobs(limit: limits.waitingPerUserMax)
        }
        let id = request.id ?? JobID()
        try db.execute(
            sql: """
                INSERT INTO jobs (job_id, kind, user_id, account, parameters, priority, state, created_ms)
                VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?)
                """,
            arguments: [
                id.text, request.kind.rawValue, Self.user(request.user), request.account?.description ?? "",
                request.parameters.text, request.priority.rawValue, nowMs,
            ])
        return EnqueuedJob(id: id, isNew: true, counts: try self.counts(of: request.user))
    }

    private func waitingEqual(to request: JobRequest) throws -> JobID? {
        try String.fetchOne(
            db,
            sql: """
                SELECT job_id FROM jobs
                WHERE state = 'waiting' AND user_id = ? AND kind = ? AND account = ? AND parameters = ?
                """,
            arguments: [
                Self.user(request.user), request.kind.rawValue, request.account?.description ?? "",
                request.parameters.text,
            ]
        ).map(JobID.init(stored:))
    }

    // MARK: moving

    /// Puts a job that does not run into a state.
    func move(_ id: JobID, to state: JobState, attempts: Int? = nil, at nowMs: Int64) throws {
        try db.execute(
            sql: """
                UPDATE jobs SET state = ?, attempts = coalesce(?, attempts), due_ms = NULL, wish = NULL,
                    finished_ms = ? WHERE job_id = ?
                """,
            arguments: [state.rawValue, attempts, state.isFinished ? nowMs : nil, id.text])
        if state.isFinished, let job = try job(id) { try prune(state, of: Self.user(job.user)) }
    }

    func wish(_ wish: JobWish, of id: JobID) throws {
        try db.execute(sql: "UPDATE jobs SET wish = ? WHERE job_id = ?", arguments: [wish.rawValue, id.text])
    }

    // MARK: keeping few

    /// Removes what is beyond the number of finished jobs kept.
    func prune(_ state: JobState, of user: String) throws {
        guard let kept = limits.keptMax(state) else { return }
        try db.execute(
            sql: """
                DELETE FROM jobs WHERE number IN (
                    SELECT number FROM jobs WHERE user_id = ? AND state = ? AND finished_ms IS NOT NULL
                    ORDER BY finished_ms DESC, number DESC LIMIT -1 OFFSET ?)
                """, arguments: [user, state.rawValue, kept])
    }

    /// Removes finished jobs that ended before this, so many at most.
    func removeFinished(before ms: Int64, limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM jobs WHERE number IN (SELECT number FROM jobs WHERE finished_ms < ? LIMIT ?)
                """, arguments: [ms, limit])
        return db.changesCount
    }
}

extension Job {
    init(_ row: Row) throws {
        let user: String = row["user_id"]
        let account: String = row["account"]
        self.init(
            id: JobID(stored: row["job_id"]), kind: try JobKind(stored: row["kind"]),
            user: user.isEmpty ? nil : try UserID(encoded: user),
            account: account.isEmpty ? nil : try AccountKey(stored: account),
            parameters: JobDocument(stored: row["parameters"]), priority: try JobPriority(stored: row["priority"]),
            state: try JobState(stored: row["state"]), attempts: row["attempts"],
            progress: try (row["progress"] as String?).map { try JobDocument(stored: $0).decode(JobProgress.self) },
            result: (row["result"] as String?).map(JobDocument.init(stored:)), failure: Self.failure(row),
            dueAt: Self.seconds(row["due_ms"]), createdAt: (row["created_ms"] as Int64) / 1000,
            startedAt: Self.seconds(row["started_ms"]), finishedAt: Self.seconds(row["finished_ms"]),
            isEnding: (row["wish"] as String?) != nil)
    }

    private static func failure(_ row: Row) -> JobFailure? {
        guard let code: String = row["error_code"] else { return nil }
        return JobFailure(code: code, row["error_message"] ?? "")
    }

    private static func seconds(_ ms: Int64?) -> UnixSeconds? { ms.map { $0 / 1000 } }
}

/// A row of `jobs` that this program did not write.
struct JobRowUnreadable: Error {}

extension RawRepresentable {
    init(stored: RawValue) throws {
        guard let value = Self(rawValue: stored) else { throw JobRowUnreadable() }
        self = value
    }
}

extension AccountKey {
    fileprivate init(stored: String) throws {
        guard let key = AccountKey(stored) else { throw JobRowUnreadable() }
        self = key
    }
}
