import MailModel

/// What the runner does with the queue.
extension JobQueue {
    /// Waiting jobs of one user that a choice looks at, per place the user has: some may equal what runs.
    private static let candidatesPerPlace = 4

    /// Claims as many jobs as there are places. One transaction.
    ///
    /// - Parameter active: what the runner runs.
    func claim(
        _ kinds: Set<JobKind>, beside active: [JobSchedule.Candidate], schedule: JobSchedule, owner: String
    ) async throws -> JobClaims {
        let now = time.nowMilliseconds()
        let perUserMax = limits.activePerUserMax * Self.candidatesPerPlace
        return try await table.write { rows in
            try rows.wakeDue(at: now)
            var schedule = schedule
            var waiting: [JobSchedule.Candidate] = []
            for lasting in [false, true] where schedule.hasPlace(lasting: lasting, active: active) {
                let sort = kinds.filter { $0.isLasting == lasting }
                waiting += try rows.candidates(Array(sort), perUserMax: perUserMax)
            }
            let byNumber = Dictionary(waiting.map { ($0.number, $0) }) { first, _ in first }
            let chosen = schedule.choose(waiting: waiting, active: active).compactMap { byNumber[$0] }
            let claimed = try chosen.compactMap { try rows.claim($0, owner: owner, at: now) }
            return JobClaims(jobs: claimed, schedule: schedule, nextDueMs: try rows.nextDueMs())
        }
    }

    /// The leases of active jobs, with what is wished of each.
    func leases() async throws -> [JobLease: JobWish?] { try await table.read { try $0.leases() } }

    /// Says that these jobs are alive, and how far they are.
    func beat(_ notes: [JobLease: JobNote.Content?]) async throws {
        let now = time.nowMilliseconds()
        try await table.write { rows in
            for (lease, note) in notes { _ = try rows.beat(lease, note, at: now) }
        }
    }

    /// Writes how attempts ended.
    ///
    /// - Returns: the jobs as they are now, without those whose lease was lost.
    func end(_ reports: [JobReport], backoff: JobBackoff) async throws -> [Job] {
        let now = time.nowMilliseconds()
        return try await table.write { rows in
            try reports.compactMap { report in
                try rows.end(report, backoff: backoff, at: now, random: .random(in: 0..<1))
            }
        }
    }

    /// Jobs that an earlier run of the process left active: it is dead, for the data directory belongs to one process.
    ///
    /// - Returns: how many there were.
    func recover(owner: String, backoff: JobBackoff) async throws -> [Job] {
        let leases = try await table.read { try $0.leases() }.keys.filter { $0.owner != owner }
        return try await end(leases.map { JobReport(lease: $0, ending: .died) }, backoff: backoff)
    }

    /// Takes jobs from workers that gave no sign of life for a lease's time.
    ///
    /// - Parameter living: jobs that certainly have a worker.
    func rescue(silentFor lease: Duration, except living: Set<JobLease>, backoff: JobBackoff) async throws -> [Job] {
        let since = time.nowMilliseconds() - lease.milliseconds
        let silent = try await table.read { try $0.silentLeases(since: since) }.filter { !living.contains($0) }
        guard !silent.isEmpty else { return [] }
        return try await end(silent.map { JobReport(lease: $0, ending: .died) }, backoff: backoff)
    }

    // MARK: tidying

    /// When the service last asked for its own tidying.
    func lastCleanupMs() async throws -> Int64? {
        try await table.read { rows in try rows.lastCreatedMs(of: .cleanup) }
    }
}
