import MailModel

/// An event that the stream has not confirmed.
public struct OutboxRow: Sendable, Hashable {
    /// The user's event number; the row's id.
    public var seq: Int64
    public var subject: String
    public var eventType: String
    /// The JSON of the event, as it goes out.
    public var payload: [UInt8]
    public var eventID: String
    public var recordedAt: UnixSeconds
    /// Attempts to publish that failed because of this row.
    public var retries: Int
    public var nextAttemptAt: UnixSeconds?

    public init(
        seq: Int64, subject: String, eventType: String, payload: [UInt8], eventID: String, recordedAt: UnixSeconds,
        retries: Int = 0, nextAttemptAt: UnixSeconds? = nil
    ) {
        self.seq = seq
        self.subject = subject
        self.eventType = eventType
        self.payload = payload
        self.eventID = eventID
        self.recordedAt = recordedAt
        self.retries = retries
        self.nextAttemptAt = nextAttemptAt
    }

    /// The message to publish.
    public func message(of user: UserID) -> OutboundMessage {
        OutboundMessage(user: user, seq: seq, subject: subject, id: eventID, payload: payload)
    }
}

/// Where a user's publishing stands.
public struct DispatchState: Sendable, Hashable {
    /// A row that cannot be published: the user's publishing stops there until an operator acts (raises the server's
    /// limit, say). It is tried once more on every new connection; when it is confirmed, the letter is settled.
    public struct DeadLetter: Sendable, Hashable {
        public var seq: Int64
        /// Safe to print.
        public var reason: String
        public var since: UnixSeconds

        public init(seq: Int64, reason: String, since: UnixSeconds) {
            self.seq = seq
            self.reason = reason
            self.since = since
        }
    }

    /// The last event number assigned; 0 before the first.
    public var lastSeq: Int64
    /// Everything up to this event number is confirmed.
    public var publishedSeq: Int64
    /// The stream sequence of the last confirmed event, when known.
    public var streamSequence: UInt64?
    /// The creation time of the stream that confirmed it, as the server writes it.
    public var streamCreated: String?
    /// Events that wait to be confirmed.
    public var outboxDepth: Int
    /// When the first of them was recorded.
    public var oldestUnpublishedAt: UnixSeconds?
    /// Grows with every erase of the user's data.
    public var generation: Int64
    public var deadLetter: DeadLetter?
    /// Confirmed events that wait to be sent again because the stream lost them, a few of them at least.
    public var waitingResends: [Int64]

    public init(
        lastSeq: Int64, publishedSeq: Int64, streamSequence: UInt64?, streamCreated: String?, outboxDepth: Int,
        oldestUnpublishedAt: UnixSeconds?, generation: Int64, deadLetter: DeadLetter?, waitingResends: [Int64] = []
    ) {
        self.lastSeq = lastSeq
        self.publishedSeq = publishedSeq
        self.streamSequence = streamSequence
        self.streamCreated = streamCreated
        self.outboxDepth = outboxDepth
        self.oldestUnpublishedAt = oldestUnpublishedAt
        self.generation = generation
        self.deadLetter = deadLetter
        self.waitingResends = waitingResends
    }
}

/// What outlives an erase or a lost file: a user's event numbers and generation never go back below it.
public struct SequenceFloor: Sendable, Hashable {
    public var lastSeq: Int64
    public var generation: Int64

    public init(lastSeq: Int64, generation: Int64) {
        self.lastSeq = lastSeq
        self.generation = generation
    }

    /// A user who was never seen.
    public static let none = SequenceFloor(lastSeq: 0, generation: 0)
}
