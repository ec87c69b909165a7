import MailModel

/// What the emulator is started with. Every default is harmless: a free port on loopback, no latency, no quota, no
/// faults.
public struct EmulatorConfiguration: Sendable {
    /// Where to listen; a loopback address, because the admin API needs no credentials.
    public var host = "127.0.0.1"
    /// 0 takes a free port.
    public var port = 0
    /// Everything the emulator makes up (ids, tokens, orders) follows from it.
    public var seed: UInt64 = 1
    /// The time that tokens, quotas and arriving mail see.
    public var time: any TimeSource = SystemTime()
    /// Added to every API request and once to a batch.
    public var latency: Duration = .zero
    /// Added to a batch for each of its parts.
    public var latencyPerBatchPart: Duration = .zero
    /// Nil is unlimited.
    public var quota: GmailQuota?
    /// Requests of one user in flight before 429 "Too many concurrent requests"; parts of a batch count. 0 is
    /// unlimited.
    public var concurrentPerUserMax = 0
    /// What strikes requests to Google; Microsoft's are in ``MicrosoftConfiguration/faults``.
    public var faults = FaultPlan()
    /// What strikes pushes on their way, whichever provider sends them.
    public var pushFaults = FaultPlan()
    public var googlePushes = GooglePushConfiguration()
    public var microsoft = MicrosoftConfiguration()
    public var oauth = OAuthConfiguration()
    /// Answers the parts of a batch in an order of its own, as the provider may.
    public var shufflesBatchAnswers = true
    /// Whether `message.labelIds` of a history record shows the labels at the time of the event or of the request;
    /// the provider documents neither.
    public var historyShowsCurrentLabels = false

    public init() {}
}

/// How Microsoft Graph and its token endpoint behave.
public struct MicrosoftConfiguration: Sendable {
    public var clientID = "00000000-aaaa-4000-8000-0000000e5a1e"
    public var clientSecret = "emulated-secret"
    /// The provider's own is random, from 3600 to 5400 less one.
    public var accessTokenLifetimeSeconds = 3599
    /// So long a refresh token works on after it was used; 0 is strict rotation.
    public var usedRefreshTokenLifetimeSeconds = 86_400
    /// Requests of one mailbox in flight before 429 `MailboxConcurrency`; parts of a batch count. 0 is unlimited.
    public var concurrentPerMailboxMax = 4
    /// Requests of one mailbox in ten minutes before 429 with `Retry-After`. 0 is unlimited.
    public var requestsPerTenMinutesMax = 10_000
    /// Most entries of a delta page, whatever `odata.maxpagesize` wishes.
    public var deltaPageMax = 200
    /// Answers the parts of a batch in an order of its own, as the provider may.
    public var shufflesBatchAnswers = true
    public var faults = FaultPlan()
    public var subscriptions = GraphSubscriptionRules()

    public init() {}
}

/// How Google's token endpoint behaves.
public struct OAuthConfiguration: Sendable {
    public var clientID = "emulated-client.apps.googleusercontent.com"
    public var clientSecret = "emulated-secret"
    /// The provider's own is 3599.
    public var accessTokenLifetimeSeconds = 3599
    /// A refresh answers with a new refresh token and the old one stops working.
    public var rotatesRefreshTokens = false

    public init() {}
}

/// The quota of one user: units per minute and what each method costs.
public struct GmailQuota: Sendable {
    public var unitsPerMinute: Int
    public var costs: [GmailMethod: Int]

    public init(unitsPerMinute: Int, costs: [GmailMethod: Int] = GmailMethod.costs2026) {
        self.unitsPerMinute = unitsPerMinute
        self.costs = costs
    }

    /// The limit of projects created since May 2026: 6000 units a minute.
    public static let generation3 = GmailQuota(unitsPerMinute: 6000)
}
