import GRDB
import MailModel

/// The right to run a job: given by a claim, lost when somebody else claims the job or removes it. What is told under a
/// lost lease is refused.
struct JobLease: Sendable, Hashable {
    var id: JobID
    /// The runner, new with every start of the process.
    var owner: String
    /// Grows with every claim of the job.
    var epoch: Int64
}

/// A job that somebody may run.
struct ClaimedJob: Sendable {
    var job: Job
    var lease: JobLease
    var candidate: JobSchedule.Candidate
}

/// What a look for work gave.
struct JobClaims: Sendable {
    var jobs: [ClaimedJob]
    /// With the turns it remembers now.
    var schedule: JobSchedule
    /// When the next delayed job is due.
    var nextDueMs: Int64?
}

/// How an attempt ended, under which lease.
struct JobReport: Sendable {
    var lease: JobLease
    var ending: JobEnding
    var note: JobNote.Content?
}

extension JobRows {
    private static let underLease = "job_id = ? AND state = 'active' AND lease_owner = ? AND lease_epoch = ?"

    private func arguments(_ lease: JobLease) -> StatementArguments { [lease.id.text, lease.owner, lease.epoch] }

    // MARK: claiming

    /// Delayed jobs whose time has come wait for their turn.
    func wakeDue(at nowMs: Int64) throws {
        try db.execute(
            sql: "UPDATE jobs SET state = 'waiting', due_ms = NULL WHERE state = 'delayed' AND due_ms <= ?",
            arguments: [nowMs])
    }

    func nextDueMs() throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT min(due_ms) FROM jobs WHERE state = 'delayed' AND due_ms IS NOT NULL")
    }

    /// The first waiting jobs of every user.
    func candidates(_ kinds: [JobKind], perUserMax: Int) throws -> [JobSchedule.Candidate] {
        guard !kinds.isEmpty else { return [] }
        let marks = Array(repeating: "?", count: kinds.count).joined(separator: ", ")
        return try Row.fetchAll(
            db,
            sql: """
                SELECT number, user_id, kind, account, parameters, priority FROM (
                    SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY priority, number) AS place
                    FROM jobs WHERE state = 'waiting' AND kind IN (\(marks)))
                WHERE place <= ?
                """, arguments: StatementArguments(kinds.map(\.rawValue)) + [perUserMax]
        ).map(JobSchedule.Candidate.init)
    }

    /// Takes a job whose lease nobody took in the meantime.
    func claim(_ candidate: JobSchedule.Candidate, owner: String, at nowMs: Int64) throws -> ClaimedJob? {
        let row = try Row.fetchOne(
            db,
            sql: """
                UPDATE jobs SET state = 'active', wish = NULL, lease_owner = ?, lease_epoch = lease_epoch + 1,
                    heartbeat_ms = ?, started_ms = ?, attempts = attempts + 1
                WHERE number = ? AND state = 'waiting' RETURNING *
                """, arguments: [owner, nowMs, nowMs, candidate.number])
        return try row.map { row in
            let job = try Job(row)
            return ClaimedJob(
                job: job, lease: JobLease(id: job.id, owner: owner, epoch: row["lease_epoch"]), candidate: candidate)
        }
    }

    // MARK: living

    /// Says that the job is alive, and how far it is.
    ///
    /// - Returns: false when the lease is lost.
    func beat(_ lease: JobLease, _ note: JobNote.Content?, at nowMs: Int64) throws -> Bool {
        try db.execute(
            sql: "UPDATE jobs SET heartbeat_ms = ? WHERE \(Self.underLease)",
            arguments: [nowMs] + arguments(lease))
        guard db.changesCount == 1 else { return false }
        if let note { try write(note, of: lease.id) }
        return true
    }

    private func write(_ note: JobNote.Content, of id: JobID) throws {
        try db.execute(
            sql: "UPDATE jobs SET progress = ?, attempts = iif(?, 1, attempts) WHERE job_id = ?",
            arguments: [try JobDocument(note.progress).text, note.isCheckpoint, id.text])
    }

    /// The leases of active jobs, with what is wished of each.
    func leases() throws -> [JobLease: JobWish?] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT job_id, lease_owner, lease_epoch, wish FROM jobs WHERE state = 'active'")
        return try Dictionary(
            rows.map { row in
                let lease = JobLease(
                    id: JobID(stored: row["job_id"]), owner: row["lease_owner"] ?? "", epoch: row["lease_epoch"])
                return (lease, try (row["wish"] as String?).map(JobWish.init(stored:)))
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Active jobs that gave no sign of life since.
    func silentLeases(since ms: Int64) throws -> [JobLease] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT job_id, lease_owner, lease_epoch FROM jobs WHERE state = 'active' AND heartbeat_ms < ?
                """, arguments: [ms]
        ).map { JobLease(id: JobID(stored: $0["job_id"]), owner: $0["lease_owner"] ?? "", epoch: $0["lease_epoch"]) }
    }

    // MARK: ending

    /// Writes what follows from the end of an attempt.
    ///
    /// - Parameter random: uniform in 0..<1.
    /// - Returns: the job as it is now; nil when the lease is lost, and nothing is written.
    func end(_ report: JobReport, backoff: JobBackoff, at nowMs: Int64, random: Double) throws -> Job? {
        let id = report.lease.id
        if let note = report.note, try beat(report.lease, note, at: nowMs) == false { return nil }
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT * FROM jobs WHERE \(Self.underLease)", arguments: arguments(report.lease))
        else { return nil }
        let verdict = JobVerdict.decide(
            report.ending, wish: try (row["wish"] as String?).map(JobWish.init(stored:)), attempts: row["attempts"],
            attemptsMax: limits.attemptsMax, backoff: backoff, nowMs: nowMs, random: random)
        try write(verdict, of: id, at: nowMs)
        let ended = try job(id)
        if verdict.state.isFinished { try prune(verdict.state, of: row["user_id"]) }
        return ended
    }

    private func write(_ verdict: JobVerdict, of id: JobID, at nowMs: Int64) throws {
        let isDone = verdict.state == .completed
        try db.execute(
            sql: """
                UPDATE jobs SET state = ?, due_ms = ?, attempts = ?, result = ?, wish = NULL, lease_owner = NULL,
                    heartbeat_ms = NULL, finished_ms = ?,
                    error_code = iif(?, NULL, coalesce(?, error_code)),
                    error_message = iif(?, NULL, coalesce(?, error_message))
                WHERE job_id = ?
                """,
            arguments: [
                verdict.state.rawValue, verdict.dueAtMs, verdict.attempts, verdict.result?.text,
                verdict.state.isFinished ? nowMs : nil, isDone, verdict.failure?.code, isDone,
                verdict.failure?.message, id.text,
            ])
    }
}

extension JobSchedule.Candidate {
    init(_ row: Row) throws {
        self.init(
            number: row["number"], user: row["user_id"], kind: try JobKind(stored: row["kind"]),
            account: row["account"], parameters: row["parameters"], priority: try JobPriority(stored: row["priority"]))
    }
}
