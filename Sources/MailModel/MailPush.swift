/// A provider's promise to announce a mailbox's changes.
public struct PushSubscription: Sendable, Hashable {
    /// The name under which its announcements come. Google: the mailbox's address, lower-cased. Microsoft: the
    /// subscription's id.
    public var id: String
    /// When the provider stops announcing, as granted.
    public var expiresAt: UnixSeconds

    public init(id: String, expiresAt: UnixSeconds) {
        self.id = id
        self.expiresAt = expiresAt
    }
}

/// The announcements of one mailbox: how to have them, keep them and end them. An announcement is a hint that a pass may
/// find something; it never carries what changed, and nothing depends on its coming.
///
/// Every function throws ``SyncFailure`` (mapped) or `CancellationError`, nothing else.
public protocol MailboxPushes: Sendable {
    /// Asks the provider to announce the mailbox's changes from now on. Asking twice is harmless.
    ///
    /// - Parameter clientState: sent back with every announcement by providers that do not sign them.
    func subscribe(clientState: Secret) async throws -> PushSubscription
    /// Makes a subscription last longer.
    ///
    /// - Returns: what was granted; nil when the provider does not know it any more: subscribe anew.
    func renew(_ subscription: PushSubscription) async throws -> PushSubscription?
    /// Ends the announcements. A subscription that is not there any more is no failure.
    func unsubscribe(_ subscription: PushSubscription) async throws
}

/// How well an account's changes are announced.
public enum PushHealth: String, Sendable, Hashable, CaseIterable {
    /// Nothing is set up to be announced: the provider, or the operator's settings, have no pushes.
    case off
    /// Set up, not granted yet.
    case pending
    /// Announcements come, as far as anybody can tell: polling is stretched.
    case healthy
    /// The grant ran out, was withdrawn or refused: polling is as without pushes.
    case lapsed
    /// Granted, but changes were found that nobody had announced: polling is as without pushes.
    case silent
}
