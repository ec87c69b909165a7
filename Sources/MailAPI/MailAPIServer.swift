import Accounts
import HTTPServing
import Hummingbird
import Logging
import MailModel
import ServiceLifecycle
import Synchronization

/// The HTTP API, as a service.
public final class MailAPIServer: Service {
    private let configuration: MailAPIConfiguration
    private let responder: APIResponder
    private let logger: Logger
    private let bound = BoundPort()
    /// The live streams there are, for tests.
    let streams: LiveStreams
    private static let decodedHeaderFactor = 8
    private static let headerFieldsMax = 4096

    /// - Parameters:
    ///   - schedules: takes how often users want their accounts to be polled.
    ///   - cron: syncing driven from outside.
    ///   - events: reads users' events for them.
    ///   - imports: runs users' imports.
    ///   - live: what live streams show besides events and accounts.
    ///   - jobs: takes what users ask for.
    ///   - verifier: decides whose a user's token is.
    ///   - pushes: what takes providers' pushes; without it they are answered 503.
    ///   - metrics: rendered by `GET /metrics`; the API counts its requests there.
    public init(
        configuration: MailAPIConfiguration, commands: any AccountCommands, schedules: any ScheduleCommands,
        cron: CronEndpoint, events: EventFeed, imports: any ImportDesk, live: LiveSources = .init(), jobs: JobDesk,
        verifier: JWTVerifier,
        pushes: PushWebhooks? = nil, operatorToken: OperatorToken, metrics: PrometheusMetrics, time: any TimeSource,
        logger: Logger
    ) {
        let limits = configuration.limits
        let mail = MailRoutes(
            commands: commands, imports: imports, missingCredentials: configuration.missingCredentials, time: time)
        let cors = CORSPolicy(origins: configuration.corsOrigins)
        streams = LiveStreams(limits: limits.live, commands: commands, sources: live, metrics: metrics, time: time)
        let liveRoutes = LiveRoutes(feed: events, streams: streams, cors: cors, time: time, logger: logger)
        responder = APIResponder(
            routes: RouteTable(
                [
                    mail.all,
                    ImportRoutes(desk: imports, time: time).all,
                    EventRoutes(feed: events).all,
                    liveRoutes.all,
                    OperatorRoutes(commands: commands, metrics: metrics).all,
                    WebhookRoutes(pushes: pushes, metrics: metrics).all,
                    ScheduleRoutes(commands: commands, schedules: schedules).all,
                    CronRoutes(endpoint: cron, time: time).all,
                    JobRoutes(desk: jobs).all,
                ].flatMap { $0 }),
            gatekeeper: Gatekeeper(
                verifier: verifier, operatorToken: operatorToken, cronSecret: cron.secret, limits: limits, time: time),
            cors: cors, limits: limits,
            bodyReader: RequestBodyReader(timeout: limits.bodyTimeout, time: time),
            metrics: metrics, time: time)
        self.configuration = configuration
        self.logger = logger
    }

    /// The operations served, for checking the description of the API against them.
    var routes: RouteTable { responder.routes }

    /// Serves until the service group shuts down; requests under way are answered first.
    ///
    /// - Throws: when the address cannot be bound.
    public func run() async throws {
        let limits = configuration.limits
        // What the decoder refuses is answered 400 without a document; up to here, 431 is ours to answer.
        let decodedMax = limits.headerBytesMax * Self.decodedHeaderFactor
        let application = Application(
            responder: responder,
            server: .heldHTTP1(
                configuration: .init(
                    additionalChannelHandlers: [DepartureWatch()], idleTimeout: .seconds(limits.idleSeconds),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: decodedMax, maxHeaderListSize: decodedMax,
                        maxHeaderFieldCount: Self.headerFieldsMax))),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: .maximum(limits.connectionsMax, logger: logger)),
            onServerRunning: { [bound] channel in bound.resolve(channel.localAddress?.port) },
            logger: logger)
        defer { bound.resolve(nil) }
        try await application.run()
    }

    /// The port the server listens on, as soon as it does.
    ///
    /// - Returns: nil when the server ended, or never began, to listen.
    public func port() async -> Int? { await bound.value() }
}

/// A port that is known later.
private final class BoundPort: Sendable {
    private struct State {
        var port: Int??
        var waiters: [CheckedContinuation<Int?, Never>] = []
    }
    private let state = Mutex(State())

    /// The first call counts.
    func resolve(_ port: Int?) {
        let waiters = state.withLock { state in
            if state.port == nil { state.port = .some(port) }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: port) }
    }

    func value() async -> Int? {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Int?? in
                if state.port == nil { state.waiters.append(continuation) }
                return state.port
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
