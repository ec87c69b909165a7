import MailModel

/// How an account is doing, as `provider_sync_state.status` shows it.
public enum AccountStatus: String, Sendable, Hashable, CaseIterable {
    /// Connected; no pass has succeeded yet.
    case starting = "STARTING"
    /// The last pass succeeded.
    case active = "ACTIVE"
    /// The last pass failed; it is tried again.
    case error = "ERROR"
    /// The grant is gone; only a new connect heals it.
    case reauthRequired = "REAUTH_REQUIRED"
    /// The tokens open another mailbox than before; nothing is written.
    case wrongMailbox = "WRONG_MAILBOX"
    /// Disconnected.
    case stopped = "STOPPED"
    /// The stream knows more of this user than the store does; nothing is published until it is rebuilt.
    case behindStream = "STORE_BEHIND_STREAM"

    /// The spelling in API answers.
    public var apiName: String { rawValue.lowercased() }
}

/// What happened to an account, for ``StoreTransaction/setStatus(_:_:at:)``. Messages must be safe to print.
public enum StatusChange: Sendable, Hashable {
    /// A pass succeeded: the error and the back-off are forgotten.
    case succeeded
    /// A pass failed; `retryCount` counts failures since the last success.
    case failed(code: String, message: String, retryCount: Int, nextAttemptAt: UnixSeconds?)
    case reauthRequired(message: String)
    case wrongMailbox(message: String)
    case stopped
    case behindStream(message: String)
}

/// One account as its store knows it: one row of `provider_sync_state` with its counters.
public struct AccountSync: Sendable, Hashable {
    public var key: AccountKey
    public var cursor: Cursor
    public var phase: SyncPhase
    public var status: AccountStatus
    /// The identity of the mailbox that is followed.
    public var mailbox: String
    /// The provider's count of messages, when known.
    public var estimatedTotal: Int?
    /// Messages that were received: each counts once, for ever.
    public var stored: Int
    /// Messages that were listed but no longer existed when they were read.
    public var gone: Int
    /// Messages in the gap ledger, waiting to be read.
    public var gaps: Int
    /// Messages in the gap ledger that an operator gave up.
    public var givenUp: Int
    /// All events ever emitted for this account.
    public var events: Int
    /// Events of this account that are not confirmed by the stream.
    public var outboxDepth: Int
    /// When the row was recorded at which the *user's* outbox stands; nil when nothing of this account waits.
    public var oldestUnpublishedAt: UnixSeconds?
    public var lastSyncedAt: UnixSeconds?
    /// Safe to print.
    public var lastError: String?
    public var lastErrorCode: String?
    /// Failures since the last success.
    public var retryCount: Int
    public var nextAttemptAt: UnixSeconds?
    public var updatedAt: UnixSeconds
    /// When the account was last compared with its mailbox, to the end.
    public var lastVerifiedAt: UnixSeconds?
    /// Messages that the mailbox held then and the store did not, and that were not healed.
    public var missing: Int

    /// Messages in scope that the provider listed.
    public var listed: Int { stored + gone + gaps + givenUp }
    /// Events of this account that the stream has confirmed.
    public var published: Int { events - outboxDepth }

    public init(
        key: AccountKey, cursor: Cursor, phase: SyncPhase, status: AccountStatus, mailbox: String,
        estimatedTotal: Int? = nil, stored: Int = 0, gone: Int = 0, gaps: Int = 0, givenUp: Int = 0, events: Int = 0,
        outboxDepth: Int = 0, oldestUnpublishedAt: UnixSeconds? = nil, lastSyncedAt: UnixSeconds? = nil,
        lastError: String? = nil, lastErrorCode: String? = nil, retryCount: Int = 0,
        nextAttemptAt: UnixSeconds? = nil, updatedAt: UnixSeconds = 0, lastVerifiedAt: UnixSeconds? = nil,
        missing: Int = 0
    ) {
        self.key = key
        self.cursor = cursor
        self.phase = phase
        self.status = status
        self.mailbox = mailbox
        self.estimatedTotal = estimatedTotal
        self.stored = stored
        self.gone = gone
        self.gaps = gaps
        self.givenUp = givenUp
        self.events = events
        self.outboxDepth = outboxDepth
        self.oldestUnpublishedAt = oldestUnpublishedAt
        self.lastSyncedAt = lastSyncedAt
        self.lastError = lastError
        self.lastErrorCode = lastErrorCode
        self.retryCount = retryCount
        self.nextAttemptAt = nextAttemptAt
        self.updatedAt = updatedAt
        self.lastVerifiedAt = lastVerifiedAt
        self.missing = missing
    }
}

/// What applying a batch added.
public struct AppliedBatch: Sendable, Hashable {
    /// `email.received` events.
    public var received: Int
    /// `email.updated` events.
    public var updated: Int
    /// `email.deleted` events.
    public var deleted: Int
    /// Messages that are in the gap ledger because of this batch (new ones and renewed failures).
    public var gaps: Int
    /// The last event number assigned; nil when the batch added no event.
    public var lastSeq: Int64?

    public init(received: Int = 0, updated: Int = 0, deleted: Int = 0, gaps: Int = 0, lastSeq: Int64? = nil) {
        self.received = received
        self.updated = updated
        self.deleted = deleted
        self.gaps = gaps
        self.lastSeq = lastSeq
    }
}

/// A row of the gap ledger: a message that could not be read. It is retried on its own schedule, unless an operator
/// gave it up.
public struct GapRecord: Sendable, Hashable {
    public var id: String
    /// What happened at the last attempt, safe to print.
    public var reason: String
    public var firstSeenAt: UnixSeconds
    /// Attempts that failed, the first one included.
    public var attempts: Int
    /// nil when it was given up.
    public var nextAttemptAt: UnixSeconds?
    public var givenUpAt: UnixSeconds?
    /// What the operator said who gave it up.
    public var givenUpBecause: String?

    public init(
        id: String, reason: String, firstSeenAt: UnixSeconds, attempts: Int, nextAttemptAt: UnixSeconds?,
        givenUpAt: UnixSeconds? = nil, givenUpBecause: String? = nil
    ) {
        self.id = id
        self.reason = reason
        self.firstSeenAt = firstSeenAt
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.givenUpAt = givenUpAt
        self.givenUpBecause = givenUpBecause
    }
}
