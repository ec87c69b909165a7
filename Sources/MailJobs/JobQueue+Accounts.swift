import GRDB
import MailModel

/// What becomes of jobs when accounts go.
extension JobQueue {
    /// Ends the jobs of an account that was disconnected: those that run as soon as their handlers let go.
    ///
    /// - Throws: `AccountDatabaseFailure`.
    public func cancelJobs(of account: AccountKey) async throws {
        let now = time.nowMilliseconds()
        try await table.write { rows in
            for (id, state) in try rows.unfinished(of: account) {
                if state == .active {
                    try rows.wish(.cancel, of: id)
                } else {
                    try rows.move(id, to: .cancelled, at: now)
                }
            }
        }
        bell.ring()
    }

    /// Removes every trace of an account's jobs; whoever runs one loses it.
    ///
    /// - Parameter isLast: the user has no other account: all of the user's jobs go.
    /// - Throws: `AccountDatabaseFailure`.
    public func eraseJobs(of account: AccountKey, isLast: Bool) async throws {
        try await table.write { rows in
            try rows.remove(of: account)
            if isLast { try rows.remove(of: account.user) }
        }
        bell.ring()
    }

    /// Removes finished jobs that are older than ``JobLimits/finishedAgeMax``.
    ///
    /// - Returns: how many went.
    /// - Throws: `AccountDatabaseFailure`, `CancellationError`.
    public func removeOld() async throws -> Int {
        let before = time.nowMilliseconds() - limits.finishedAgeMax.milliseconds
        var removed = 0
        while true {
            // A few at a time: others write to the file as well.
            let some = try await table.write { try $0.removeFinished(before: before, limit: Self.removedAtOnceMax) }
            removed += some
            if some < Self.removedAtOnceMax { return removed }
        }
    }

    private static let removedAtOnceMax = 500
}

extension JobRows {
    func unfinished(of account: AccountKey) throws -> [(JobID, JobState)] {
        try Row.fetchAll(
            db,
            sql: "SELECT job_id, state FROM jobs WHERE account = ? AND state IN ('waiting', 'active', 'delayed')",
            arguments: [account.description]
        ).map { (JobID(stored: $0["job_id"]), try JobState(stored: $0["state"])) }
    }

    func remove(of account: AccountKey) throws {
        try db.execute(sql: "DELETE FROM jobs WHERE account = ?", arguments: [account.description])
    }

    func remove(of user: UserID) throws {
        try db.execute(sql: "DELETE FROM jobs WHERE user_id = ?", arguments: [user.encoded])
    }
}
