import MailModel

/// One message in the event log, beside its row of current state: what is needed to derive the one from the other.
/// Labels are compared as they are stored, as JSON texts.
public struct MessageRecord: Sendable, Hashable {
    /// One later event of the message.
    public struct Change: Sendable, Hashable {
        public var seq: Int64
        public var eventID: String
        /// `email.updated`, `email.deleted`.
        public var type: String
        /// nil for a deletion.
        public var labels: String?

        public init(seq: Int64, eventID: String, type: String, labels: String?) {
            self.seq = seq
            self.eventID = eventID
            self.type = type
            self.labels = labels
        }
    }

    /// What the row of current state says that follows from events. (A thread may change, and a folder, without one.)
    public struct State: Sendable, Hashable {
        /// How many events the message had.
        public var revision: Int64
        public var isPresent: Bool
        public var labels: String

        public init(revision: Int64, isPresent: Bool, labels: String) {
            self.revision = revision
            self.isPresent = isPresent
            self.labels = labels
        }
    }

    /// The number of the message's `email.received` event.
    public var seq: Int64
    public var account: AccountKey
    public var id: String
    public var eventID: String
    /// As it was received.
    public var labels: String
    /// In `seq` order.
    public var changes: [Change]
    /// nil when the row of current state is missing.
    public var state: State?

    public init(
        seq: Int64, account: AccountKey, id: String, eventID: String, labels: String, changes: [Change] = [],
        state: State? = nil
    ) {
        self.seq = seq
        self.account = account
        self.id = id
        self.eventID = eventID
        self.labels = labels
        self.changes = changes
        self.state = state
    }

    /// What the row of current state must say: the events, one after the other.
    public var derivedState: State {
        var state = State(revision: 1, isPresent: true, labels: labels)
        for change in changes {
            state.revision += 1
            state.isPresent = change.type != "email.deleted"
            state.labels = change.labels ?? state.labels
        }
        return state
    }
}

/// An event of the log, by its number.
public struct EventStamp: Sendable, Hashable {
    public var seq: Int64
    public var recordedAt: UnixSeconds
    public var account: AccountKey

    public init(seq: Int64, recordedAt: UnixSeconds, account: AccountKey) {
        self.seq = seq
        self.recordedAt = recordedAt
        self.account = account
    }
}

/// An event of an account, by its identity.
public struct AccountEventRecord: Sendable, Hashable {
    public var seq: Int64
    public var account: AccountKey
    public var eventID: String
    public var type: String

    public init(seq: Int64, account: AccountKey, eventID: String, type: String) {
        self.seq = seq
        self.account = account
        self.eventID = eventID
        self.type = type
    }
}

/// The counters of one account, as kept or as counted anew.
public struct AccountCounters: Sendable, Hashable {
    public var stored: Int64
    public var gone: Int64
    public var gaps: Int64
    public var givenUp: Int64
    public var events: Int64
    public var accountEvents: Int64
    public var outboxDepth: Int64

    public init(
        stored: Int64 = 0, gone: Int64 = 0, gaps: Int64 = 0, givenUp: Int64 = 0, events: Int64 = 0,
        accountEvents: Int64 = 0, outboxDepth: Int64 = 0
    ) {
        self.stored = stored
        self.gone = gone
        self.gaps = gaps
        self.givenUp = givenUp
        self.events = events
        self.accountEvents = accountEvents
        self.outboxDepth = outboxDepth
    }
}

/// A stretch of the event log beside the outbox, as one moment saw them.
public struct OutboxStretch: Sendable {
    public var dispatch: DispatchState
    /// Events that wait to be confirmed.
    public var events: [MailEvent]
    /// Rows of the outbox with numbers in the same range, also those at or below what is confirmed.
    public var rows: [OutboxRow]
    /// Where the next stretch begins; nil after the last.
    public var next: Int64?

    public init(dispatch: DispatchState, events: [MailEvent], rows: [OutboxRow], next: Int64?) {
        self.dispatch = dispatch
        self.events = events
        self.rows = rows
        self.next = next
    }
}
