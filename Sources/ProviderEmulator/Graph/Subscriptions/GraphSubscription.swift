import MailModel

/// What becomes of a subscription, as Graph tells it: lifecycleEventType of the schema.
public enum GraphLifecycleEvent: String, Sendable, Hashable, CaseIterable {
    /// Notifications were lost.
    case missed
    /// The subscription is gone.
    case subscriptionRemoved
    /// Nothing is told any more until the subscription is renewed.
    case reauthorizationRequired
}

/// What Graph allows subscriptions to mail.
public struct GraphSubscriptionRules: Sendable {
    /// The longest that is granted; more is refused.
    public var lifetimeMinutesMax: Int64 = 4230
    /// Less is raised to this.
    public var lifetimeMinutesMin: Int64 = 45
    public var perMailboxMax = 1000
    /// Answers 409 to what is there already, with the same resource, changes, address and `clientState`.
    public var refusesEqual = true
    /// Whether a listing shows what a subscription was told as `clientState`.
    public var listsClientState = true
    /// How long an answer to the check of an address is waited for.
    public var handshakeTimeout: Duration = .seconds(10)
    /// Notifications in one post at most.
    public var entriesPerPostMax = 5
    /// A notification that is not taken in ten seconds is sent again for up to four hours.
    public var delivery = PushRetryPolicy(
        acknowledged: [200, 201, 202, 204], timeout: .seconds(10), triesMax: 32, delay: .seconds(1),
        delayMax: .seconds(600))

    public init() {}
}

/// A subscription, for a checker to compare with.
public struct GraphSubscriptionTruth: Sendable, Hashable {
    public var id: String
    public var notificationURL: String
    public var lifecycleURL: String?
    public var resource: String
    /// As asked for: `created,updated`.
    public var changeType: String
    public var clientState: String?
    /// Unix seconds.
    public var expiresAt: Int64
    /// Nothing is told until it is renewed.
    public var isPaused: Bool
}

/// A subscription to a mailbox's messages (graph.subscription of the schema).
struct GraphSubscription: Sendable {
    var truth: GraphSubscriptionTruth
    /// In lower case.
    let address: String
    /// Key of the folder whose messages are told of; nil for all.
    let folder: Int?
    let changes: Set<OutlookNews.Change>
    let usesImmutableIDs: Bool

    func wants(_ news: OutlookNews) -> Bool {
        !truth.isPaused && changes.contains(news.change) && (folder ?? news.folder) == news.folder
    }

    /// Two of these would tell the same twice.
    func isEqual(to other: GraphSubscription) -> Bool {
        address == other.address && truth.resource == other.truth.resource
            && truth.changeType == other.truth.changeType && truth.notificationURL == other.truth.notificationURL
            && truth.clientState == other.truth.clientState
    }

    func write(_ json: inout JSONText, client: String, showsClientState: Bool) {
        json.field("id", truth.id)
        json.field("resource", truth.resource)
        json.field("applicationId", client)
        json.field("changeType", truth.changeType)
        json.optional("clientState", showsClientState ? truth.clientState : nil)
        json.field("notificationUrl", truth.notificationURL)
        json.optional("lifecycleNotificationUrl", truth.lifecycleURL)
        json.optional("notificationQueryOptions", nil)
        json.field("expirationDateTime", MailDate.second(truth.expiresAt))
        json.field("creatorId", GraphUser(address).id)
        json.optional("includeResourceData", nil)
        json.field("latestSupportedTlsVersion", "v1_2")
        json.optional("encryptionCertificate", nil)
        json.optional("encryptionCertificateId", nil)
        json.optional("notificationUrlAppId", nil)
    }
}

/// Who a mailbox belongs to, in Graph's terms.
struct GraphUser: Sendable {
    let id: String
    let tenant: String

    init(_ address: String) {
        let name = address.lowercased()
        let number = HexID.text(TextHash.of(name.utf8))
        id = "\(number.prefix(8))-\(number.suffix(4))-4000-8000-\(number.prefix(12))"
        tenant = Self.guid(TextHash.of(name.drop { $0 != "@" }.utf8))
    }

    /// Follows from the number.
    static func guid(_ number: UInt64) -> String {
        let digits = HexID.text(number) + HexID.text(SeededRandom.mix(number))
        let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { range in
            String(digits.dropFirst(range.lowerBound).prefix(range.count))
        }
        return parts.joined(separator: "-")
    }
}

extension JSONText {
    /// A member that is a string or `null`.
    mutating func optional(_ name: String, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }
}
