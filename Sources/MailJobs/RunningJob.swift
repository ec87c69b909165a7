import MailModel

/// A job whose handler runs, or has just ended and is not settled yet.
struct RunningJob: Sendable {
    /// Why its task was told to end.
    enum Reason: Sendable, Hashable {
        /// Cancelled or parked by somebody.
        case unwanted
        /// The job was removed, or claimed by somebody else.
        case lost
        case overtime
        case stopping
    }

    let candidate: JobSchedule.Candidate
    let note: JobNote
    /// When its attempt has taken too long.
    let deadlineMs: Int64?
    let task: Task<Void, Never>
    private(set) var reason: Reason?
    /// How its handler ended.
    var ending: JobEnding?

    init(candidate: JobSchedule.Candidate, note: JobNote, deadlineMs: Int64?, task: Task<Void, Never>) {
        self.candidate = candidate
        self.note = note
        self.deadlineMs = deadlineMs
        self.task = task
    }

    /// Tells the handler to end; the first reason counts.
    mutating func end(_ reason: Reason) {
        guard self.reason == nil else { return }
        self.reason = reason
        task.cancel()
    }

    /// When it has taken too long; nil when it was told to end already.
    var openDeadlineMs: Int64? { reason == nil && ending == nil ? deadlineMs : nil }
}

extension JobEnding {
    /// What an error of a handler means.
    init(_ error: any Error, _ reason: RunningJob.Reason?) {
        switch reason {
        case .unwanted, .lost, .stopping: self = .interrupted
        case .overtime: self = .failed(.tookTooLong)
        case nil: self = .failed(JobFailure(error))
        }
    }
}

extension JobFailure {
    static let tookTooLong = JobFailure(
        code: "took_too_long", "the job did not end in the time that jobs of its kind may take", isPermanent: true)

    /// - Parameter error: shown only when its type is known to hold nothing secret.
    init(_ error: any Error) {
        switch error {
        case let failure as JobFailure: self = failure
        case let failure as SyncFailure: self.init(failure)
        case is CancellationError: self.init(code: "interrupted", "what the job waited for was ended")
        default: self.init(code: "internal_error", "an unexpected error of type \(type(of: error)); the log has more")
        }
    }

    /// Where only a person can help, another attempt cannot.
    public init(_ failure: SyncFailure) {
        self.init(code: failure.code, failure.message)
        switch failure.decision {
        case .reauthenticate, .stop: isPermanent = true
        case .retry(let after, _): retryAfter = after
        case .resync, .restartListing, .skip: break
        }
    }
}
