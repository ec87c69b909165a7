import HTTPTransport
import Logging
import MailModel
import ProviderClient

/// The Outlook adapter: opens sessions on mailboxes behind Microsoft Graph v1.0
/// (https://learn.microsoft.com/graph/api/resources/mail-api-overview).
public struct OutlookProvider: MailProvider {
    public let kind = ProviderKind.microsoft
    private let configuration: OutlookConfiguration
    private let time: any TimeSource
    private let logger: Logger
    private let send: SendRequest

    public var folderSchedule: FolderSchedule? { configuration.folders }

    public init(
        configuration: OutlookConfiguration = .init(), transport: HTTPTransport, time: any TimeSource = SystemTime(),
        logger: Logger
    ) {
        self.init(configuration: configuration, time: time, logger: logger) { try await transport.send($0) }
    }

    init(configuration: OutlookConfiguration, time: any TimeSource, logger: Logger, send: @escaping SendRequest) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        self.send = send
    }

    public func session(
        since: UnixSeconds?, tokens: any AccessTokens, budget: any QuotaBudget
    ) -> any MailboxSession {
        OutlookSession(api: api(tokens, budget), since: since, time: time, logger: logger)
    }

    public func pushes(tokens: any AccessTokens, budget: any QuotaBudget) -> (any MailboxPushes)? {
        configuration.notificationURL.map { OutlookPushes(api: api(tokens, budget), notificationURL: $0) }
    }

    private func api(_ tokens: any AccessTokens, _ budget: any QuotaBudget) -> OutlookAPI {
        let calls = ProviderCalls<OutlookFailure>(
            policy: configuration.calls, tokens: tokens, budget: budget, time: time, send: send)
        return OutlookAPI(configuration: configuration, calls: calls)
    }
}

/// How the adapter talks to Graph. Every value has a default that suits Microsoft's own service.
public struct OutlookConfiguration: Sendable {
    /// `GRAPH_API_URL`, with the version and without a slash at the end. Tokens go to this origin only.
    public var apiURL = "https://graph.microsoft.com/v1.0"
    /// `EVENT_HEADERS`
    public var headers = HeaderSelection.standard
    /// How often passes that nobody asked for ask the folders.
    public var folders = FolderSchedule.standard
    /// How calls are tried.
    public var calls = CallPolicy()
    /// Requests in flight at once to one mailbox: Graph refuses a fifth.
    public var concurrency = 4
    /// Messages a page when everything is asked for. Graph takes it for a wish; large pages risk time-outs.
    public var fullPageSize = 100
    /// Messages a page when only what labels are made of is asked for.
    public var lightPageSize = 500
    /// Requests in one batch: Graph accepts no more.
    public var batchPartsMax = 20
    /// Where Graph announces changes and what becomes of subscriptions: `PUBLIC_URL` and `/webhooks/microsoft`. Without
    /// it nothing is announced.
    public var notificationURL: String?
    /// From start to last byte of asking for a subscription: Graph calls ``notificationURL`` meanwhile, and waits ten
    /// seconds for each answer.
    public var subscribeTimeout: Duration = .seconds(90)
    /// Largest answer accepted to one call.
    public var answerBytesMax = 64 * 1024 * 1024

    /// Requests that Graph grants one application for one mailbox in ten minutes; a request costs one unit, a batch one for
    /// each of its parts (https://learn.microsoft.com/graph/throttling-limits).
    public static let requestsPerTenMinutes = 10_000

    public init() {}
}
