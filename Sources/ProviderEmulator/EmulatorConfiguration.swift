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
    public var faults = FaultPlan()
    public var oauth = OAuthConfiguration()
    /// Answers the parts of a batch in an order of its own, as the provider may.
    public var shufflesBatchAnswers = true
    /// Whether `message.labelIds` of a history record shows the labels at the time of the event or of the request;
    /// the provider documents neither.
    public var historyShowsCurrentLabels = false

    public init() {}
}

/// How the token endpoint behaves.
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
