import MailModel

/// What verifying a user's accounts showed, in counts.
public struct VerificationSummary: Sendable, Hashable {
    /// Everything was checked, and nothing differs that was not healed.
    public var agrees: Bool
    public var events: Int
    /// Messages that were received.
    public var messages: Int
    /// Events in the stream.
    public var streamed: Int
    /// Events that are too old for the stream.
    public var expired: Int
    /// Messages that the mailboxes list.
    public var listed: Int
    /// Messages that could not be read yet.
    public var gaps: Int
    /// Messages whose reading an operator gave up.
    public var givenUp: Int
    /// Differences by kind; and those of them that are left.
    public var found: [String: Int]
    public var left: [String: Int]
    /// What could not be checked and why; safe to show to the user.
    public var unchecked: [String]

    public init(
        agrees: Bool, events: Int = 0, messages: Int = 0, streamed: Int = 0, expired: Int = 0, listed: Int = 0,
        gaps: Int = 0, givenUp: Int = 0, found: [String: Int] = [:], left: [String: Int] = [:], unchecked: [String] = []
    ) {
        self.agrees = agrees
        self.events = events
        self.messages = messages
        self.streamed = streamed
        self.expired = expired
        self.listed = listed
        self.gaps = gaps
        self.givenUp = givenUp
        self.found = found
        self.left = left
        self.unchecked = unchecked
    }
}

/// What came of a wish to verify.
public enum VerificationOutcome: Sendable, Hashable {
    case ended(VerificationSummary)
    case running
    /// No account matches.
    case noAccount
}

extension JSONText {
    /// The answer of `POST /mail/verify`.
    mutating func verification(_ summary: VerificationSummary) {
        field("agrees", summary.agrees)
        field("events", summary.events)
        field("messages", summary.messages)
        field("in_stream", summary.streamed)
        field("expired", summary.expired)
        field("at_provider", summary.listed)
        field("gaps", summary.gaps)
        field("given_up", summary.givenUp)
        counts("differences", summary.found)
        counts("left", summary.left)
        field("not_checked", summary.unchecked)
    }

    private mutating func counts(_ name: String, _ counts: [String: Int]) {
        key(name)
        object { json in
            for (kind, count) in counts.sorted(by: { $0.key < $1.key }) where count > 0 { json.field(kind, count) }
        }
    }
}
