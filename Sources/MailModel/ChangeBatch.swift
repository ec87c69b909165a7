/// A provider's resume point: a document only its adapter reads. Everything else stores it and hands it back.
public struct Cursor: Sendable, Hashable {
    public let document: String
    public init(_ document: String) { self.document = document }
}

/// Why an event exists.
public enum EventOrigin: String, Sendable, Hashable, Codable {
    /// The mailbox's content when it was connected.
    case backfill
    /// A change the provider reported.
    case incremental
    /// A change that a push announced.
    case push
    /// A difference found by comparing store and provider.
    case repair
}

/// What happened to one message, in the provider-neutral form the store applies.
public enum MessageChange: Sendable, Hashable {
    /// The message was read. New and in scope: received. Known: its labels are compared.
    case read(MessageMeta, inScope: Bool)
    /// A known message has these labels as of `version`; ignored when the stored version is the same or newer,
    /// or when the message is unknown. `folder`: where it lies now, where mailboxes have folders.
    case labels(id: String, labels: [String], version: UInt64, folder: String? = nil)
    /// The message is no longer in the folder. Whether it was moved or deleted is not known: a stored message that exists
    /// becomes a pending removal, which stays until a batch settles it (``ChangeBatch/settledRemovals``).
    case removed(id: String, fromFolder: String)
    /// The message no longer exists at the provider; ignored when unknown or already gone.
    case deleted(id: String)
}

/// A message that could not be read although others could, for the gap ledger.
public struct MessageGap: Sendable, Hashable {
    public var id: String
    /// What happened, safe to print.
    public var reason: String

    public init(id: String, reason: String) {
        self.id = id
        self.reason = reason
    }
}

/// A label or folder as the provider names it.
public struct MailLabel: Sendable, Hashable, Codable {
    public var id: String
    public var name: String
    /// `system` or `user`.
    public var type: String

    public init(id: String, name: String, type: String) {
        self.id = id
        self.name = name
        self.type = type
    }
}

/// Where an account is in its life with the provider.
public enum SyncPhase: String, Sendable, Hashable, Codable {
    /// Connected; nothing read yet.
    case starting
    /// The mailbox's content is being read for the first time.
    case backfill
    /// Only changes are read.
    case live
    /// The cursor expired; store and provider are being compared.
    case repair
}

/// The answer to "what changed since this cursor?": applied by the store in one transaction.
public struct ChangeBatch: Sendable {
    public var changes: [MessageChange]
    /// Messages given up for now; recorded in the transaction that moves the cursor past them.
    public var gaps: [MessageGap]
    /// Ids that were listed but no longer existed when they were read.
    public var vanished: [String]
    /// Messages whose pending removal was looked into: what became of them is among the changes.
    public var settledRemovals: [String]
    /// The mailbox's labels, when they were read in this batch; an `account.labels` event follows when they differ
    /// from the last ones.
    public var labels: [MailLabel]?
    public var origin: EventOrigin
    /// The resume point after this batch.
    public var cursor: Cursor
    /// The phase the account is in after this batch.
    public var phase: SyncPhase
    /// The provider's count of messages in the mailbox, when known: the denominator of progress.
    public var estimatedTotal: Int?
    /// True when calling the same function again yields the rest of the same answer.
    public var more: Bool

    public init(
        changes: [MessageChange] = [], gaps: [MessageGap] = [], vanished: [String] = [],
        settledRemovals: [String] = [], labels: [MailLabel]? = nil, origin: EventOrigin, cursor: Cursor,
        phase: SyncPhase, estimatedTotal: Int? = nil, more: Bool = false
    ) {
        self.changes = changes
        self.gaps = gaps
        self.vanished = vanished
        self.settledRemovals = settledRemovals
        self.labels = labels
        self.origin = origin
        self.cursor = cursor
        self.phase = phase
        self.estimatedTotal = estimatedTotal
        self.more = more
    }
}
