import HTTPTransport
import Logging
import MailModel
import ProviderClient

/// The Gmail adapter: opens sessions on mailboxes behind the Gmail API v1
/// (https://developers.google.com/workspace/gmail/api/reference/rest).
public struct GmailProvider: MailProvider {
    public let kind = ProviderKind.google
    private let configuration: GmailConfiguration
    private let time: any TimeSource
    private let logger: Logger
    private let send: SendRequest

    public init(
        configuration: GmailConfiguration = .init(), transport: HTTPTransport, time: any TimeSource = SystemTime(),
        logger: Logger
    ) {
        self.init(configuration: configuration, time: time, logger: logger) { try await transport.send($0) }
    }

    init(configuration: GmailConfiguration, time: any TimeSource, logger: Logger, send: @escaping SendRequest) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        self.send = send
    }

    public func session(
        since: UnixSeconds?, tokens: any AccessTokens, budget: any QuotaBudget
    ) -> any MailboxSession {
        GmailSession(api: api(tokens, budget), since: since, logger: logger)
    }

    /// Nil without ``GmailConfiguration/topic``.
    public func pushes(tokens: any AccessTokens, budget: any QuotaBudget) -> (any MailboxPushes)? {
        configuration.topic.map { GmailPushes(api: api(tokens, budget), topic: $0, logger: logger) }
    }

    private func api(_ tokens: any AccessTokens, _ budget: any QuotaBudget) -> GmailAPI {
        let calls = ProviderCalls<GmailFailure>(
            policy: configuration.calls, tokens: tokens, budget: budget, time: time, send: send)
        return GmailAPI(configuration: configuration, calls: calls)
    }
}

/// How the adapter talks to Gmail. Every value has a default that suits Google's own service.
public struct GmailConfiguration: Sendable {
    /// `GMAIL_API_URL`, without a slash at the end.
    public var apiURL = "https://gmail.googleapis.com"
    /// `EVENT_HEADERS`
    public var headers = HeaderSelection.standard
    /// `GMAIL_UNIT_COSTS`
    public var costs = GmailUnitCosts()
    /// `GOOGLE_PUBSUB_TOPIC`: `projects/PROJECT/topics/TOPIC`. Without it changes are not announced.
    public var topic: String?
    public var reading = GmailReading.batch(partsMax: 50)
    /// How calls are tried.
    public var calls = CallPolicy()
    /// Largest answer accepted to one call. A batch may have this for each part, up to ``batchBytesMax``.
    public var answerBytesMax = 8 * 1024 * 1024
    public var batchBytesMax = 64 * 1024 * 1024
    /// Labels are read again after so long, because renaming one leaves no trace in the history.
    public var labelsInterval: Duration = .seconds(300)

    public init() {}
}

/// How messages are read.
public enum GmailReading: Sendable, Hashable {
    /// Through the batch endpoint, so many messages a request. Google accepts 100 and advises against more than 50.
    case batch(partsMax: Int)
    /// One request per message, so many at a time. Google counts parallel requests per user: keep it single-digit.
    case multiplexed(concurrency: Int)
}

/// What calls cost in quota units: Google's table of 2026
/// (https://developers.google.com/workspace/gmail/api/reference/quota).
public struct GmailUnitCosts: Sendable, Hashable {
    public var getProfile = 1
    public var messagesList = 5
    public var messagesGet = 20
    public var historyList = 2
    public var labelsList = 1
    public var watch = 100
    public var stop = 50

    public init() {}

    /// Reads `messages.get=5,history.list=2`: Google's method names, in any order; what is not named keeps its
    /// default. Nil when a name is unknown or a cost is not a whole number from 0 to 10000.
    public init?(parsing text: String) {
        for entry in text.split(separator: ",") {
            let parts = entry.split(separator: "=").map { $0.trimmed }
            guard parts.count == 2, let path = Self.methods[parts[0]], let cost = Int(parts[1]),
                (0...10_000).contains(cost)
            else { return nil }
            self[keyPath: path] = cost
        }
    }

    private static let methods: [String: WritableKeyPath<GmailUnitCosts, Int> & Sendable] = [
        "getProfile": \.getProfile, "messages.list": \.messagesList, "messages.get": \.messagesGet,
        "history.list": \.historyList, "labels.list": \.labelsList, "watch": \.watch, "stop": \.stop,
    ]
}

extension Substring {
    /// Without spaces at either end.
    fileprivate var trimmed: String {
        var rest = self
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
