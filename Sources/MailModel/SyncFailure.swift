/// What to do about a failure. Every provider error is mapped to one of these exactly once, in the adapter's
/// `…Failure` file.
public enum FailureDecision: Sendable, Hashable {
    /// Try again: after this long if the provider said so, else after the back-off. `project` failures make every
    /// account of the provider wait.
    case retry(after: Duration?, scope: FailureScope)
    /// The user must sign in again; only a new connect heals it.
    case reauthenticate
    /// The cursor is no longer valid: compare store and provider.
    case resync
    /// The listing's page token is no longer valid: list from the top, skipping what is stored.
    case restartListing
    /// This one message cannot be read; others can.
    case skip
    /// An operator has to act (configuration, disabled API, administrator policy). Tried again at the longest
    /// back-off, with an alarm.
    case stop
}

/// Whom a failure concerns.
public enum FailureScope: String, Sendable, Hashable {
    case account
    case project
}

/// A failure with its decision. The description is safe to print: it never contains a token, mail content or a
/// raw provider body.
public struct SyncFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public var decision: FailureDecision
    /// Short and stable, for metrics and status: `rate_limited`, `history_expired` …
    public var code: String
    /// What happened, to what, and what to do; safe to print.
    public var message: String

    public init(_ decision: FailureDecision, code: String, _ message: String) {
        self.decision = decision
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }
}
