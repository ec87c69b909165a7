import Logging
import MailModel

/// What the runner does about jobs that run.
extension JobRunner {
    /// Writes how handlers ended.
    ///
    /// - Returns: true when one did.
    func settle() async throws -> Bool {
        let ended = running.filter { $0.value.ending != nil }
        guard !ended.isEmpty else { return false }
        let reports = ended.compactMap { lease, job in
            job.ending.map { JobReport(lease: lease, ending: $0, note: job.note.take()) }
        }
        let jobs = try await queue.end(reports, backoff: times.backoff)
        for lease in ended.keys { running[lease] = nil }
        tell(jobs, "its handler ended")
        return true
    }

    /// Tells those to end that have taken too long.
    func endOverdue(at now: Int64) {
        for (lease, job) in running {
            if let deadline = job.openDeadlineMs, deadline <= now { running[lease]?.end(.overtime) }
        }
    }

    /// Tells those to end that nobody wants any more, and those that are not ours by now.
    func obeyWishes() async throws {
        guard !running.isEmpty else { return }
        let leases = try await queue.leases()
        for (lease, job) in running where job.ending == nil {
            switch leases[lease] {
            case .none: running[lease]?.end(.lost)
            case .some(.some): running[lease]?.end(.unwanted)
            case .some(.none): break
            }
        }
    }

    /// Says that all that run are alive, and takes over those that are not.
    func beat(at now: Int64) async throws {
        nextBeatMs = now + times.beat.milliseconds
        if !running.isEmpty { try await beat(running) }
        let rescued = try await queue.rescue(
            silentFor: times.lease, except: Set(running.keys), backoff: times.backoff)
        tell(rescued, "its worker gave no sign of life")
        if !rescued.isEmpty { queue.bell.ring() }
    }

    /// Writes what handlers told, not too often.
    func tellProgress(at now: Int64) async throws {
        let talking = running.filter { !$0.value.note.isEmpty }
        guard !talking.isEmpty, now >= nextNoteMs else { return }
        nextNoteMs = now + times.progress.milliseconds
        try await beat(talking)
    }

    /// Says that these are alive, and what they told. What could not be written is told again.
    private func beat(_ jobs: [JobLease: RunningJob]) async throws {
        let notes = jobs.mapValues { $0.note.take() }
        do {
            try await queue.beat(notes)
        } catch {
            for (lease, note) in notes { jobs[lease]?.note.putBack(note) }
            throw error
        }
    }

    /// Logs what became of jobs.
    func tell(_ jobs: [Job], _ occasion: String) {
        for job in jobs {
            var metadata: Logger.Metadata = [
                "job": "\(job.id)", "kind": "\(job.kind.rawValue)", "state": "\(job.state.rawValue)",
                "attempts": "\(job.attempts)",
            ]
            if let user = job.user { metadata["user"] = "\(user)" }
            if let code = job.failure?.code { metadata["code"] = "\(code)" }
            let willRetry = job.state == .delayed && !job.isParked
            let level: Logger.Level = job.state == .failed ? .error : willRetry ? .warning : .debug
            logger.log(level: level, "job: \(occasion)", metadata: metadata)
        }
    }
}
