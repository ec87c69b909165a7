/// What a fault is aimed at.
public enum FaultEndpoint: Sendable, Hashable {
    /// Every Gmail method, but no OAuth endpoint.
    case anyGmail
    case gmail(GmailMethod)
    /// Every Graph call, but no batch envelope and no OAuth endpoint.
    case anyGraph
    case graph(GraphMethod)
    /// The batch envelope; its parts are matched as methods of their own.
    case batch
    case token
    case revoke
    case jwks
    /// A push on its way to its receiver: ``PushCourier/faults``.
    case push
}

/// What happens in place of the right answer, or to it.
public enum FaultResponse: Sendable, Hashable {
    /// This status with an empty body.
    case status(Int)
    case error(GmailError)
    /// An error of Google's token endpoint.
    case oauthError(OAuthError)
    case graphError(GraphError)
    /// An error of Microsoft's token endpoint.
    case microsoftError(MicrosoftOAuthError)
    /// Something odd about a page of Graph.
    case page(GraphPageFault)
    /// 502 with an HTML page.
    case html502
    /// 200 with bytes that are no JSON.
    case garbage
    /// 200 with so many bytes of the right body, as if that were all.
    case cut(bytes: Int)
    /// Closes the connection without doing or answering anything.
    case drop
    /// Does what was asked, then closes the connection: the answer is lost.
    case loseAnswer
    /// Answers rightly, later.
    case delay(Duration)
    /// Sends so many bytes of the right body, then closes the connection.
    case truncate(bytes: Int)
    /// Never answers, as long as the emulator runs.
    case stall
    /// 200 with a JSON string of so many bytes.
    case oversized(bytes: Int)
    /// Sends the right body in pieces of so many bytes with this pause before each.
    case drip(bytes: Int, every: Duration)
    /// A page with nothing in it but the way to the right page: `nextPageToken`, or a nextLink of Graph's delta.
    case emptyPage
    /// Ends the life of the access token used: 401 now and from here on.
    case expireAccessToken
    /// 302 to this URL.
    case redirect(String)
    /// The token endpoint grants these scopes only.
    case narrowScopes([String])
    /// The token endpoint gives tokens that live so long.
    case shortLifetime(seconds: Int)
    /// A push is sent twice.
    case double
    /// A push is overtaken by the next one.
    case reorder
    /// A push comes after one that somebody else has made up.
    case forge
}

/// One scripted fault.
public struct Fault: Sendable, Hashable {
    public var endpoint: FaultEndpoint
    /// Only requests whose path and query contain this text (a message id, a page token …).
    public var match: String?
    /// Only this mailbox.
    public var mailbox: String?
    /// Lets so many matching requests pass first.
    public var skip: Int
    /// How often it strikes; nil is for ever.
    public var times: Int?
    public var response: FaultResponse

    public init(
        _ endpoint: FaultEndpoint, match: String? = nil, mailbox: String? = nil, skip: Int = 0, times: Int? = 1,
        _ response: FaultResponse
    ) {
        self.endpoint = endpoint
        self.match = match
        self.mailbox = mailbox
        self.skip = skip
        self.times = times
        self.response = response
    }
}

/// The faults the emulator starts with.
public struct FaultPlan: Sendable {
    public var scripted: [Fault]
    public var random: RandomFaults?

    public init(scripted: [Fault] = [], random: RandomFaults? = nil) {
        self.scripted = scripted
        self.random = random
    }

    /// Faults at this rate (0 to 1) on all Gmail requests.
    public static func random(rate: Double, seed: UInt64) -> FaultPlan {
        FaultPlan(random: RandomFaults(rate: rate, seed: seed))
    }
}

/// Faults that strike by chance. The n-th request meets the same fate under the same seed.
public struct RandomFaults: Sendable {
    /// Share of the requests struck, 0 to 1.
    public var rate: Double
    public var seed: UInt64
    public var endpoints: [FaultEndpoint]
    public var responses: [FaultResponse]

    /// What a client must survive: all of these are transient.
    public static let transient: [FaultResponse] = [
        .error(.backendError), .error(.unavailable), .error(.perUserQuota), .error(.tooManyConcurrent),
        .error(.resourceExhausted), .error(.userRateLimit), .html502, .garbage, .drop, .loseAnswer,
        .truncate(bytes: 40), .status(503),
    ]

    /// What pushes must be expected to meet.
    public static let onPushes: [FaultResponse] = [
        .drop, .double, .delay(.milliseconds(200)), .reorder, .garbage, .forge,
    ]

    /// The same for a client of Graph, with pages that are odd and yet right.
    public static let transientGraph: [FaultResponse] = [
        .graphError(.mailboxConcurrency), .graphError(.tooManyRequests), .graphError(.unavailable),
        .graphError(.mailboxMoving), .graphError(.generalException), .graphError(.gatewayTimeout), .html502, .garbage,
        .drop, .loseAnswer, .truncate(bytes: 40), .cut(bytes: 60), .status(503), .emptyPage, .page(.repeatItems),
        .page(.skipTokenInDeltaLink), .page(.changedPropertiesOnly),
    ]

    public init(
        rate: Double, seed: UInt64, endpoints: [FaultEndpoint] = [.anyGmail],
        responses: [FaultResponse] = RandomFaults.transient
    ) {
        self.rate = rate
        self.seed = seed
        self.endpoints = endpoints
        self.responses = responses
    }
}
