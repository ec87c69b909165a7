import MailModel

/// What somebody wants of a job that runs.
enum JobWish: String, Sendable, Hashable {
    case cancel
    case park
    /// It was parked and resumed before its end.
    case requeue
}

/// How an attempt ended.
enum JobEnding: Sendable, Hashable {
    case returned(JobResult)
    case failed(JobFailure)
    /// The service stops: the job did nothing wrong.
    case interrupted
    /// The process died, or its worker was lost.
    case died
}

/// What follows from how an attempt ended. Pure.
struct JobVerdict: Sendable, Hashable {
    var state: JobState
    var dueAtMs: Int64?
    /// Attempts that count from now on.
    var attempts: Int
    var result: JobDocument?
    var failure: JobFailure?

    /// - Parameters:
    ///   - attempts: those begun, the one that ended included.
    ///   - random: uniform in 0..<1, for jitter.
    static func decide(
        _ ending: JobEnding, wish: JobWish?, attempts: Int, attemptsMax: Int, backoff: JobBackoff, nowMs: Int64,
        random: Double
    ) -> JobVerdict {
        // What is done is done, whatever was wished meanwhile.
        if case .returned(.completed(let result)) = ending {
            return JobVerdict(state: .completed, attempts: attempts, result: result)
        }
        switch wish {
        case .cancel: return JobVerdict(state: .cancelled, attempts: attempts)
        case .park: return JobVerdict(state: .delayed, attempts: 0)
        case .requeue: return JobVerdict(state: .waiting, attempts: 0)
        case nil: break
        }
        switch ending {
        case .returned: return JobVerdict(state: .delayed, attempts: 0)
        case .interrupted: return JobVerdict(state: .waiting, attempts: max(0, attempts - 1))
        case .died where attempts < attemptsMax: return JobVerdict(state: .waiting, attempts: attempts, failure: died)
        case .died: return JobVerdict(state: .failed, attempts: attempts, failure: died)
        case .failed(let failure):
            var verdict = JobVerdict(state: .failed, attempts: attempts, failure: failure)
            guard !failure.isPermanent, attempts < attemptsMax else { return verdict }
            let wait = max(backoff.delay(attempts: attempts, random: random), failure.retryAfter ?? .zero)
            verdict.state = .delayed
            verdict.dueAtMs = nowMs + wait.milliseconds
            return verdict
        }
    }

    static let died = JobFailure(code: "worker_died", "the process or the worker that ran the job ended before it")
}
