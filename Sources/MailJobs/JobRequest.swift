import MailModel

/// What somebody asks for.
public struct JobRequest: Sendable, Hashable {
    public var kind: JobKind
    /// nil for the service's own jobs.
    public var user: UserID?
    /// nil: all of the user's.
    public var account: AccountKey?
    public var parameters: JobDocument
    public var priority: JobPriority
    /// The job's name when it is new: whoever chooses it may ask again after a crash. nil: any.
    public var id: JobID?

    /// - Parameter account: one of the user's own.
    public init(
        _ kind: JobKind, of user: UserID?, account: AccountKey? = nil, parameters: JobDocument = .empty,
        priority: JobPriority = .manual, id: JobID? = nil
    ) {
        self.kind = kind
        self.user = user
        self.account = account
        self.parameters = parameters
        self.priority = priority
        self.id = id
    }

    /// Reads the changes of an account, or of all of the user's.
    public static func incrementalSync(
        of user: UserID, account: AccountKey? = nil, priority: JobPriority = .manual
    ) -> JobRequest {
        JobRequest(.incrementalSync, of: user, account: account, priority: priority)
    }

    /// Brings in a part of an account's mailbox.
    public static func `import`(
        into account: AccountKey, parameters: JobDocument, id: JobID? = nil
    ) -> JobRequest {
        JobRequest(.import, of: account.user, account: account, parameters: parameters, id: id)
    }

    /// The service's own tidying.
    static let cleanup = JobRequest(.cleanup, of: nil, priority: .scheduled)
}

/// What came of a request.
public struct EnqueuedJob: Sendable, Hashable {
    public var id: JobID
    /// False when an equal job was waiting already: its id is the answer.
    public var isNew: Bool
    /// The user's jobs, this one included.
    public var counts: JobCounts
}

/// The user has as many unfinished jobs as a user may have.
public struct TooManyJobs: Error, Sendable, Hashable, CustomStringConvertible {
    public var limit: Int
    public var description: String { "\(limit) jobs wait already, which is the most a user may have" }
}

/// Jobs by state.
public struct JobCounts: Sendable, Hashable {
    public var byState: [JobState: Int]

    public init(_ byState: [JobState: Int] = [:]) { self.byState = byState }

    /// How many are in this state.
    public subscript(state: JobState) -> Int { byState[state] ?? 0 }

    /// Jobs of every state.
    public var total: Int { byState.values.reduce(0, +) }
}

/// What came of the wish to end a job.
public enum JobCancellation: Sendable, Hashable {
    /// It was not running; it will not.
    case cancelled(Job)
    /// It runs, and was told to end.
    case requested(Job)
    case alreadyFinished(Job)
    /// There is no such job, or it is somebody else's.
    case unknown
}
