import MailModel

/// What a provider told, once it is known to be well formed and, where providers sign, really the provider's.
public struct PushAnnouncement: Sendable {
    /// What is told.
    /// What it is about.
    public enum Notice: String, Sendable, Hashable {
        /// The mailbox changed.
        case changed
        /// Announcements were lost (Microsoft).
        case missed
        /// The subscription is gone (Microsoft).
        case removed
        /// The subscription stops unless it is renewed (Microsoft).
        case reauthorize
    }

    public var provider: ProviderKind
    /// ``PushSubscription/id``.
    public var subscription: String
    /// What the provider sent back of what it was told at the subscription; nil where pushes are signed.
    public var clientState: Secret?
    public var notice: Notice

    public init(
        provider: ProviderKind, subscription: String, clientState: Secret? = nil, notice: Notice = .changed
    ) {
        self.provider = provider
        self.subscription = subscription
        self.clientState = clientState
        self.notice = notice
    }
}

/// What became of an announcement.
public enum PushReceipt: String, Sendable, Hashable {
    /// The accounts it concerns are woken, or will be.
    case accepted
    /// It is for no account that is connected here.
    case unknown
    /// It does not know what the subscription was told: not from the provider.
    case forged
}

/// Who takes announcements. Answers at once: everything that takes time happens behind it.
public protocol PushReceiver: Sendable {
    func receive(_ announcement: PushAnnouncement) -> PushReceipt
}
