import MailModel
import MailStore

/// What the dispatcher remembers of one user between rows, and what follows from what happens. A value: events in,
/// decisions out, time (Unix milliseconds) and chance as inputs.
struct UserDispatch: Sendable, Hashable {
    /// The connection on which the stream was last asked what it holds of this user; nil: never.
    private(set) var lookedAtEpoch: Int?
    /// Since when the outcome of the next row is unknown.
    private(set) var unknownSince: Int64?
    /// Unknown outcomes in a row.
    private(set) var retries = 0
    /// When the stream was created, as seen at the last look.
    private(set) var streamCreated: String?
    private var mustLook = false

    /// What to do after an attempt to publish.
    enum AfterPublish: Sendable, Hashable {
        /// The stream has it: the next row.
        case advance(streamSequence: UInt64, duplicate: Bool)
        /// The same row again, after this long.
        case again(after: Duration)
        /// Ask the stream what it holds, at once.
        case look
        /// The user stops at this row with an alarm.
        case deadLetter(reason: String)
        /// Everybody waits; nobody's attempt is spent.
        case pauseStream(reason: String)
        /// Nothing may be published on this connection.
        case stopAll(reason: String)
    }

    /// Whether the stream must be asked before anything is sent: on every new connection (what was found unpublished is
    /// unknown), and when an unknown row is older than half the duplicate window.
    func needsLook(epoch: Int, at now: Int64, duplicateWindow: Duration) -> Bool {
        if mustLook || lookedAtEpoch != epoch { return true }
        guard let unknownSince else { return false }
        return now - unknownSince > duplicateWindow.milliseconds / 2
    }

    mutating func looked(epoch: Int, streamCreated created: String) {
        lookedAtEpoch = epoch
        streamCreated = created
        unknownSince = nil
        mustLook = false
    }

    /// What was found at the last look is not dealt with yet.
    mutating func looksAgain() { mustLook = true }

    /// - Parameter random: uniform in 0..<1.
    mutating func published(
        _ outcome: PublishOutcome, at now: Int64, settings: DispatchSettings, random: Double
    ) -> AfterPublish {
        switch outcome {
        case .stored(let sequence, let duplicate):
            unknownSince = nil
            retries = 0
            return .advance(streamSequence: sequence, duplicate: duplicate)
        case .unknown:
            unknownSince = unknownSince ?? now
            retries += 1
            return .again(after: retryDelay(settings, random: random))
        case .look:
            mustLook = true
            retries += 1
            return .look
        case .rejected(let reason): return .deadLetter(reason: reason)
        case .streamTrouble(let reason): return .pauseStream(reason: reason)
        case .forbidden(let reason): return .stopAll(reason: reason)
        }
    }

    /// The stream could not be asked.
    mutating func lookFailed(settings: DispatchSettings, random: Double) -> Duration {
        retries += 1
        return retryDelay(settings, random: random)
    }

    /// Exponential with full jitter.
    private func retryDelay(_ settings: DispatchSettings, random: Double) -> Duration {
        let step = settings.firstRetry.inSeconds * Double(1 << min(retries - 1, 20))
        return .milliseconds(max(1, Int64(min(step, settings.longestRetry.inSeconds) * random * 1000)))
    }
}

/// What follows from comparing what the stream holds of a user with what the store says. Pure.
enum LookVerdict: Sendable, Hashable {
    /// They agree; rows after this event number are to be sent.
    case sendRest
    /// The stream has more than the store knew: everything up to here is published.
    case confirm(StoredMessage)
    /// The stream lost what it had confirmed: everything after this event number is sent again.
    case sendAgain(after: Int64)
    /// The stream holds events that the store never numbered: the store is an older copy.
    case storeBehind(streamSeq: Int64)

    /// - Parameters:
    ///   - last: the user's last message in the stream; nil when there is none.
    ///   - store: where the user's publishing stands.
    ///   - stream: the stream as it is now.
    static func decide(last: StoredMessage?, store: DispatchState, stream: StreamState) -> LookVerdict {
        let streamSeq = last?.seq ?? 0
        if streamSeq > store.lastSeq { return .storeBehind(streamSeq: streamSeq) }
        if let last, streamSeq > store.publishedSeq { return .confirm(last) }
        if streamSeq == store.publishedSeq { return .sendRest }
        return lostTail(store: store, stream: stream) ? .sendAgain(after: streamSeq) : .sendRest
    }

    /// The user's last confirmed message is not the last one the stream holds: it is gone. It aged out if the stream
    /// begins after it; else the stream is an older copy, or another one.
    private static func lostTail(store: DispatchState, stream: StreamState) -> Bool {
        guard let confirmed = store.streamSequence else { return false }
        if let created = store.streamCreated, created != stream.created { return true }
        return stream.firstSequence <= confirmed
    }
}
