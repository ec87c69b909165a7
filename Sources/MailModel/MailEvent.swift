/// A fact about a user's mail, as consumers receive it.
///
/// An event is what the event log stores column by column; ``payload()`` renders it, byte for byte the same each
/// time it is read back.
public struct MailEvent: Sendable, Hashable {
    /// The version of the payload's shape.
    public static let schema = 1

    /// See ``EventID``.
    public var id: String
    /// The user's event number: 1, 2, 3 … without holes, over all subjects.
    public var seq: Int64
    /// When the event was recorded, in Unix seconds.
    public var recordedAt: UnixSeconds
    public var account: AccountKey
    public var origin: EventOrigin
    public var body: Body

    /// What happened, with what consumers are told of it.
    public enum Body: Sendable, Hashable {
        case received(MessageMeta)
        case updated(LabelUpdate)
        case deleted(id: String, threadID: String)
        case account(AccountEvent)
    }

    public init(
        id: String, seq: Int64, recordedAt: UnixSeconds, account: AccountKey, origin: EventOrigin, body: Body
    ) {
        self.id = id
        self.seq = seq
        self.recordedAt = recordedAt
        self.account = account
        self.origin = origin
        self.body = body
    }

    /// The part of the subject after the user: `email.received`, `account.connected` …
    public var type: String {
        switch body {
        case .received: "email.received"
        case .updated: "email.updated"
        case .deleted: "email.deleted"
        case .account(let event): "account.\(event.kind)"
        }
    }

    /// `user.{user}.email.received` …
    public var subject: String { EventSubject.subject(user: account.user, type: type) }
}

/// The net change of a message's labels in one pass.
public struct LabelUpdate: Sendable, Hashable {
    public var id: String
    public var threadID: String
    /// All labels after the change, sorted.
    public var labels: [String]
    public var added: [String]
    public var removed: [String]
    /// The message had been reported deleted and exists again.
    public var restored: Bool

    public init(id: String, threadID: String, labels: [String], added: [String], removed: [String], restored: Bool) {
        self.id = id
        self.threadID = threadID
        self.labels = labels
        self.added = added
        self.removed = removed
        self.restored = restored
    }
}

/// A fact about an account rather than a message.
public enum AccountEvent: Sendable, Hashable {
    case connected(mailbox: String)
    case disconnected
    case reauthRequired(reason: String)
    case labels([MailLabel])
    /// Where the account stands with its provider: what a store that was lost needs to go on.
    case checkpoint(AccountCheckpoint)
    /// The account's events were erased from the log and the stream: their numbers are never seen again.
    case erased(AccountErasure)

    /// The last part of the subject.
    public var kind: String {
        switch self {
        case .connected: "connected"
        case .disconnected: "disconnected"
        case .reauthRequired: "reauth_required"
        case .labels: "labels"
        case .checkpoint: "checkpoint"
        case .erased: "erased"
        }
    }
}

/// Subjects of the stream. A user id appears in them only in its encoded form.
public enum EventSubject {
    /// What the stream captures.
    public static let all = "user.>"

    /// The subject of a user's events of one type; the user is encoded to one token.
    public static func subject(user: UserID, type: String) -> String { "user.\(user.encoded).\(type)" }

    /// Every subject of one user.
    public static func wildcard(user: UserID) -> String { "user.\(user.encoded).>" }
}
