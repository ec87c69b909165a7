import MailModel

/// When subscriptions are renewed, tried again and doubted. Pure: time and chance are inputs, in Unix milliseconds and
/// uniform in 0..<1.
public struct PushPlan: Sendable, Hashable {
    /// A subscription is renewed after this long, or after half of what was granted, whichever is less; ± 10 %, so that
    /// accounts that were connected together are not renewed together. (Google asks for a watch once a day.)
    public var renewalMax: Duration
    /// The wait after the first failure, before jitter; doubled by every further one.
    public var firstRetry: Duration
    /// No wait is longer, unless the provider asks for it. A refusal that an operator has to deal with waits so long at once.
    public var longestRetry: Duration
    /// A changed mailbox and its announcement may be so far apart.
    public var grace: Duration
    /// So long after an announcement a mailbox is looked at again, where providers drop announcements that come close
    /// together: once when all of them are in, and before, so that nobody waits for that long.
    public var followUps: [Duration]
    /// After a start every kept account is looked at once: what was announced while nobody listened may not come again.
    /// The first of them after the longest of ``followUps``, each further one so long after the one before.
    public var firstLooksApart: Duration
    /// While an account is silent, it is subscribed anew after this long.
    public var silentRetry: Duration
    /// So many requests for subscriptions are under way at once.
    public var attemptsMax: Int
    /// One request for a subscription may take so long.
    public var attemptTimeout: Duration
    /// A disconnect waits so long for the end of the subscription.
    public var farewellTimeout: Duration

    public init(
        renewalMax: Duration = .seconds(86_400), firstRetry: Duration = .seconds(5),
        longestRetry: Duration = .seconds(900), grace: Duration = .seconds(60),
        followUps: [Duration] = [.milliseconds(500), .milliseconds(1010)],
        firstLooksApart: Duration = .milliseconds(10),
        silentRetry: Duration = .seconds(3600),
        attemptsMax: Int = 16, attemptTimeout: Duration = .seconds(60), farewellTimeout: Duration = .seconds(5)
    ) {
        self.renewalMax = renewalMax
        self.firstRetry = firstRetry
        self.longestRetry = longestRetry
        self.grace = grace
        self.followUps = followUps
        self.firstLooksApart = firstLooksApart
        self.silentRetry = silentRetry
        self.attemptsMax = attemptsMax
        self.attemptTimeout = attemptTimeout
        self.farewellTimeout = farewellTimeout
    }

    /// A grant that is nearly over is not renewed more often than this, in milliseconds.
    private static let renewalMinMilliseconds: Int64 = 1000
    private static let doublingsMax = 20

    /// When to renew what was granted now until `expiry`.
    func renewal(at now: Int64, expiry: Int64, random: Double) -> Int64 {
        now + max(Self.renewalMinMilliseconds, spread(min(renewalMax.milliseconds, (expiry - now) / 2), random))
    }

    /// When to subscribe anew, while nothing is announced.
    func silentRenewal(at now: Int64, random: Double) -> Int64 { now + spread(silentRetry.milliseconds, random) }

    /// When to try again; nil: not before the user signs in again.
    func retry(at now: Int64, failures: Int, after failure: SyncFailure, random: Double) -> Int64? {
        switch failure.decision {
        case .reauthenticate: return nil
        case .stop: return now + spread(longestRetry.milliseconds, random)
        case .retry(let asked, _): return now + max(asked?.milliseconds ?? 0, backoff(failures, random))
        case .resync, .restartListing, .skip: return now + backoff(failures, random)
        }
    }

    private func backoff(_ failures: Int, _ random: Double) -> Int64 {
        let doubled = firstRetry.milliseconds << Int64(min(max(failures, 1) - 1, Self.doublingsMax))
        return Int64(Double(min(doubled, longestRetry.milliseconds)) * (0.5 + random / 2))
    }

    private func spread(_ milliseconds: Int64, _ random: Double) -> Int64 {
        Int64(Double(milliseconds) * (0.9 + random / 5))
    }
}
