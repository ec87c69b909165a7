import MailModel

/// What ``UserDispatch`` wants done: first the writes, all in one transaction, then one thing whose result is the next
/// event.
struct Step: Sendable, Hashable {
    var writes: [StoreWrite] = []
    var next: Next

    enum Next: Sendable, Hashable {
        /// Read where publishing stands and the first rows of the outbox.
        case load(limit: Int)
        /// Read events from the log.
        case loadEvents(after: Int64, limit: Int)
        /// Read these events from the log.
        case loadRequested([Int64])
        /// Ask the stream for the user's last message.
        case look
        case publish(OutboundMessage)
        case end(TurnEnd)
    }
}

extension Step {
    /// The step with these writes before its own.
    func writing(_ writes: [StoreWrite]) -> Step { Step(writes: writes + self.writes, next: next) }
}

enum StoreWrite: Sendable, Hashable {
    /// The stream holds everything up to `seq`.
    case confirm(seq: Int64, streamSequence: UInt64)
    /// The same, but which stream was confirmed last stays as recorded: it is still to be filled.
    case confirmUnderway(seq: Int64, streamSequence: UInt64)
    case attempt(seq: Int64, retries: Int, nextAttemptAt: UnixSeconds, reason: String)
    case deadLetter(seq: Int64, reason: String)
    /// The stream has an event again that was to be sent again.
    case resent(seq: Int64, streamSequence: UInt64)
    /// An event that was to be sent again is too old for the stream, or not in the log.
    case cancelResend(seq: Int64)
    /// The store is older than the stream.
    case behind(String)
}

/// How a user's turn ended.
enum TurnEnd: Sendable, Hashable {
    /// Nothing is left to publish.
    case idle
    /// The quantum is used up, or the turn was interrupted.
    case more
    /// A publish has an unknown outcome: again after so long.
    case wait(milliseconds: Int64, reason: String)
    /// The user's publishing stops until something changes.
    case blocked
    case behind
    /// The stream could not be asked.
    case unavailable(String)
    /// The stream cannot take messages now.
    case trouble(String)
    /// Publishing is not permitted.
    case forbidden(String)
    /// The user's store failed.
    case storeFailed(String)
}
