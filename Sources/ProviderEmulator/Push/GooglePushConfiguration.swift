/// How Gmail's watches and Pub/Sub's pushes behave.
public struct GooglePushConfiguration: Sendable {
    /// So long a watch lasts; Gmail's own is seven days.
    public var watchLifetime: Duration = .seconds(7 * 86_400)
    /// Least time between two pushes about a mailbox; what comes earlier is lost, as at Gmail. Zero announces every
    /// change.
    public var perMailboxInterval: Duration = .seconds(1)
    /// The Google project that a topic must be in; any without.
    public var project: String?
    /// When pushes count as taken, and how often they are sent until then. Pub/Sub waits ten seconds for an answer.
    public var retry = PushRetryPolicy(
        acknowledged: [102, 200, 201, 202, 204], timeout: .seconds(10), triesMax: 20, delay: .milliseconds(100),
        delayMax: .seconds(60))

    public init() {}
}

/// A push subscription of Pub/Sub: where it posts what is published to the topic, and as whom.
public struct GooglePushEndpoint: Sendable, Hashable {
    public var url: String
    /// Of the token; Pub/Sub's own default is the URL.
    public var audience: String
    /// The account that the token is made for.
    public var serviceAccount: String
    /// False posts the payload alone (payload unwrapping).
    public var isWrapped: Bool
    /// The subscription's name.
    public var subscription = "projects/emulated/subscriptions/mailsync"

    public static let standardServiceAccount = "gmail-push@emulated.iam.gserviceaccount.com"

    public init(
        url: String, audience: String? = nil, serviceAccount: String = standardServiceAccount, isWrapped: Bool = true
    ) {
        self.url = url
        self.audience = audience ?? url
        self.serviceAccount = serviceAccount
        self.isWrapped = isWrapped
    }
}

/// A watch that is in force.
public struct GmailWatch: Sendable, Hashable {
    public var topic: String
    /// Only changes of messages with one of these labels, or (``excludesLabels``) without them; empty is all.
    public var labels: Set<String>
    public var excludesLabels: Bool
    /// Milliseconds since 1970.
    public var expiresAtMs: Int64
}

/// What became of announcements before any push was posted.
public struct GoogleAnnouncements: Sendable, Hashable {
    /// Handed to the courier.
    public var sent = 0
    /// Lost because the mailbox had one just before.
    public var overRate = 0
}
