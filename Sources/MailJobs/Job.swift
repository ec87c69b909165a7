import Foundation
import MailModel

/// Names a job, for whoever asked for it.
public struct JobID: Sendable, Hashable, Codable, CustomStringConvertible {
    /// A UUID in lower case.
    public let text: String
    public var description: String { text }

    /// A new one.
    public init() { text = UUID().uuidString.lowercased() }

    /// Reads what ``text`` shows, in either case; nil for anything else.
    public init?(_ text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        self.text = uuid.uuidString.lowercased()
    }

    init(stored: String) { text = stored }
}

/// What a job does. The raw value is what tables and answers show.
public enum JobKind: String, Sendable, Hashable, Codable, CaseIterable {
    /// Reads an account's changes, then compares mailbox and store and emits what was missing.
    case fullSync = "full_sync"
    /// Reads an account's changes.
    case incrementalSync = "incremental_sync"
    /// Reads the changes of one folder.
    case folderSync = "folder_sync"
    /// Brings in a chosen part of a large mailbox.
    case `import`
    /// Proves that nothing is missing.
    case verify
    /// Removes what is kept no longer. The service asks for it by itself.
    case cleanup

    /// Jobs that may take hours have places of their own, so that short ones never wait for them.
    public var isLasting: Bool {
        switch self {
        case .fullSync, .import, .verify: true
        case .incrementalSync, .folderSync, .cleanup: false
        }
    }
}

/// Where a job is.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> waiting: enqueue
///     waiting --> active: claimed
///     active --> completed: done
///     active --> delayed: failed, tried again when due; or parked, without a time
///     active --> waiting: the service stops, or its worker died
///     active --> failed: failed for good, or 3 times
///     active --> cancelled: its user did not want it any more
///     delayed --> waiting: due; resumed
///     waiting --> cancelled
///     delayed --> cancelled
///     waiting --> delayed: parked
///     failed --> waiting: an operator tries it again
/// ```
public enum JobState: String, Sendable, Hashable, Codable, CaseIterable {
    case waiting
    case active
    /// Tried again at ``Job/dueAt``; parked when that is nil.
    case delayed
    case completed
    /// A dead letter: an operator may have it tried again.
    case failed
    case cancelled

    /// Nothing becomes of it any more, unless an operator tries it again.
    public var isFinished: Bool {
        switch self {
        case .completed, .failed, .cancelled: true
        case .waiting, .active, .delayed: false
        }
    }
}

/// Who comes first. Smaller is earlier.
public enum JobPriority: Int, Sendable, Hashable, Codable, Comparable {
    /// A person waits for it.
    case manual = 0
    case scheduled = 1

    public static func < (a: JobPriority, b: JobPriority) -> Bool { a.rawValue < b.rawValue }

    /// What answers show.
    public var name: String {
        switch self {
        case .manual: "manual"
        case .scheduled: "scheduled"
        }
    }
}

/// How far a job is.
public struct JobProgress: Sendable, Hashable, Codable {
    /// Units of the job's own: messages, accounts.
    public var done: Int?
    public var total: Int?
    /// For people; never mail content.
    public var text: String?

    public init(done: Int? = nil, total: Int? = nil, text: String? = nil) {
        self.done = done
        self.total = total
        self.text = text
    }
}

/// A job as it is now.
public struct Job: Sendable, Hashable {
    public let id: JobID
    public let kind: JobKind
    /// nil for the service's own jobs.
    public let user: UserID?
    /// nil: all of the user's.
    public let account: AccountKey?
    public let parameters: JobDocument
    public var priority: JobPriority
    public var state: JobState
    /// Attempts that were begun and count.
    public var attempts: Int
    public var progress: JobProgress?
    /// What came of it; of completed jobs.
    public var result: JobDocument?
    /// Why the last attempt failed, also while the job waits for the next.
    public var failure: JobFailure?
    /// When a delayed job is tried again; nil for one that is parked until somebody resumes it.
    public var dueAt: UnixSeconds?
    public var createdAt: UnixSeconds
    /// When the latest attempt began.
    public var startedAt: UnixSeconds?
    public var finishedAt: UnixSeconds?
    /// An active job that is to end soon: it was cancelled or parked.
    public var isEnding: Bool

    /// Delayed without a time.
    public var isParked: Bool { state == .delayed && dueAt == nil }
}

/// Why an attempt failed; safe to print. What a job's handler throws.
public struct JobFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Short and stable: `reauth_required`, `rate_limited` …
    public var code: String
    /// What happened, to what, what to do. Never a token or mail content.
    public var message: String
    /// Trying again would change nothing.
    public var isPermanent: Bool
    /// No attempt before this has passed.
    public var retryAfter: Duration?

    public init(code: String, _ message: String, isPermanent: Bool = false, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.isPermanent = isPermanent
        self.retryAfter = retryAfter
    }

    public var description: String { "\(code): \(message)" }
}

/// How an attempt ended that did not fail.
public enum JobResult: Sendable, Hashable {
    case completed(JobDocument? = nil)
    /// Not done, and not tried again until ``JobQueue/resume(_:)``.
    case parked
}
