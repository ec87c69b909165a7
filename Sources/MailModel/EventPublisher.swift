/// One message for the stream.
public struct OutboundMessage: Sendable, Hashable {
    public var user: UserID
    /// The user's event number.
    public var seq: Int64
    public var subject: String
    /// The event id; goes out as `Nats-Msg-Id`.
    public var id: String
    public var payload: [UInt8]
    /// Send only over this connection (``EventPublisher/connectionEpoch``), else answer `unknown` without sending; nil
    /// sends over any. What was looked up on one connection need not be true of the stream that the next one finds.
    public var connection: Int?

    public init(
        user: UserID, seq: Int64, subject: String, id: String, payload: [UInt8], connection: Int? = nil
    ) {
        self.user = user
        self.seq = seq
        self.subject = subject
        self.id = id
        self.payload = payload
        self.connection = connection
    }
}

/// What is known after an attempt to publish.
public enum PublishOutcome: Sendable, Hashable {
    /// The stream has the message, at this stream sequence; `duplicate` when it had it before.
    case stored(streamSequence: UInt64, duplicate: Bool)
    /// It may or may not have been stored: publish again with the same id.
    case unknown(reason: String)
    /// The server wants us to look what is stored before deciding (wrong last sequence and the like).
    case look(reason: String)
    /// This message can never be stored (too large): the user stops with an alarm, others go on.
    case rejected(reason: String)
    /// The stream itself is in trouble (out of space): pause the stream, spend no row's attempts.
    case streamTrouble(reason: String)
    /// Publishing is not permitted: stop, alarm.
    case forbidden(reason: String)
}

/// The last message the stream holds of a user.
public struct StoredMessage: Sendable, Hashable {
    public var id: String
    /// The user's event number, read from the payload.
    public var seq: Int64
    public var streamSequence: UInt64

    public init(id: String, seq: Int64, streamSequence: UInt64) {
        self.id = id
        self.seq = seq
        self.streamSequence = streamSequence
    }
}

/// The stream as the server describes it.
public struct StreamState: Sendable, Hashable, Codable {
    /// When the stream was created, as the server writes it: tells a stream from another one of the same name.
    public var created: String
    public var lastSequence: UInt64
    public var firstSequence: UInt64
    public var duplicateWindowMilliseconds: Int64

    public init(created: String, lastSequence: UInt64, firstSequence: UInt64, duplicateWindowMilliseconds: Int64) {
        self.created = created
        self.lastSequence = lastSequence
        self.firstSequence = firstSequence
        self.duplicateWindowMilliseconds = duplicateWindowMilliseconds
    }
}

/// The stream, seen from the dispatcher.
public protocol EventPublisher: Sendable {
    /// Publishes and waits for the outcome. Never throws: not knowing is an outcome.
    func publish(_ message: OutboundMessage) async -> PublishOutcome
    /// The last message stored under any of the user's subjects; nil when there is none.
    ///
    /// - Throws: ``PublisherUnavailable`` when the stream cannot be asked.
    func lastStored(of user: UserID) async throws -> StoredMessage?
    /// The first message the stream holds under any of the user's subjects; nil when there is none.
    ///
    /// - Throws: ``PublisherUnavailable`` when the stream cannot be asked.
    func firstStored(of user: UserID) async throws -> StoredMessage?
    /// - Throws: ``PublisherUnavailable`` when the stream cannot be asked.
    func streamState() async throws -> StreamState
    /// A number that grows with every connection made; 0 before the first. Zero-cost to ask.
    var connectionEpoch: Int { get }
    /// Yields each new value of ``connectionEpoch``, starting with the present one.
    func connections() -> AsyncStream<Int>
}

/// A message that the stream holds, whole.
public struct ArchivedMessage: Sendable, Hashable {
    public var streamSequence: UInt64
    public var subject: String
    /// The `Nats-Msg-Id` header.
    public var id: String
    public var payload: [UInt8]

    public init(streamSequence: UInt64, subject: String, id: String, payload: [UInt8]) {
        self.streamSequence = streamSequence
        self.subject = subject
        self.id = id
        self.payload = payload
    }
}

/// The stream, read back: for stores that have lost what the stream still holds, and for erasing.
public protocol EventArchive: Sendable {
    /// The first message of the user at or after this stream sequence; nil when there is none.
    ///
    /// - Throws: ``PublisherUnavailable`` when the stream cannot be asked.
    func message(of user: UserID, from streamSequence: UInt64) async throws -> ArchivedMessage?
    /// The last message of the user; nil when there is none.
    ///
    /// - Throws: ``PublisherUnavailable``.
    func lastStored(of user: UserID) async throws -> StoredMessage?
    /// - Throws: ``PublisherUnavailable``.
    func streamState() async throws -> StreamState
    /// Takes a message out of the stream and overwrites its bytes on the server's disk. One that is not there any more
    /// is no error.
    ///
    /// - Throws: ``PublisherUnavailable`` when it is not certain that the message is gone.
    func erase(streamSequence: UInt64) async throws
}

/// The stream cannot be asked now.
public struct PublisherUnavailable: Error, Sendable, Hashable, CustomStringConvertible {
    public var reason: String
    public init(reason: String) { self.reason = reason }
    public var description: String { "the event stream cannot be reached: \(reason)" }
}
