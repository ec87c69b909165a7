import Accounts
import EventAudit
import Foundation
import HTTPTransport
import JetStream
import Logging
import MailAPI
import MailDispatch
import MailModel
import MailRecovery
import MailStore
import MailSync
import Metrics
import ServiceLifecycle

/// The running service: every part of it, made in the order of their dependencies. This is the composition root; read
/// ``make(_:logger:decorate:)`` top to bottom.
struct Service: Sendable {
    let configuration: ServiceConfiguration
    private let logger: Logger
    private let data: LocalData
    private let access: ProviderAccess
    private let stream: StreamAccess
    private let keySet: KeySetCache
    private let api: MailAPIServer
    private let group: ServiceGroup

    /// - Parameter decorate: wraps the publisher; only the demo falsifies it.
    /// - Throws: a line for the operator: what is wrong, with what, and what to do.
    static func make(
        _ configuration: ServiceConfiguration, logger: Logger,
        decorate: @Sendable (any EventPublisher) -> any EventPublisher = { $0 }
    ) async throws -> Service {
        let time = SystemTime()

        // The data directory is ours alone.
        let data = try LocalData.open(configuration, time: time, logger: logger)
        let stores = data.stores
        let operatorToken = try configuration.loadOperatorToken(logger: logger)
        let metrics = PrometheusMetrics.installed
        let refreshes = TokenRefreshes()

        // Accounts, their tokens, and the providers.
        let access = try await ProviderAccess.open(configuration, refreshes: refreshes, time: time, logger: logger)

        // The stream, and the one dispatcher that publishes to it.
        let stream = try await StreamAccess.open(configuration, logger: logger)
        let behind = BehindStreamRelay()
        let dispatcher = OutboxDispatcher(
            stores: stores, publisher: decorate(stream.publisher), settings: configuration.stream.dispatch, time: time,
            logger: logger, onBehind: { user in await behind.tell(user) })

        // The workers that ask providers; what they commit is published, and read by who waits for it.
        let events = EventFeed(stores: stores, time: time)
        let reserve = DiskReserve(directory: configuration.dataDirectory, limit: configuration.diskReserve) {
            time.nowMilliseconds()
        }
        let manager = SyncManager(
            settings: SyncSettings(interval: configuration.syncInterval, outboxRowsMax: configuration.outboxRowsMax),
            stores: stores, vault: access.vault, tokens: access.tokens, providers: access.providers,
            budgets: access.budgets,
            hooks: SyncHooks(
                committed: { user in
                    dispatcher.wake(user)
                    events.committed(user)
                }, obstacle: { reserve.obstacle() }, behind: { user in await behind.tell(user) }),
            time: time, logger: logger)

        // What brings stores and stream together again, when one of them went back in time, and erases accounts.
        let recovery = UserRecovery(
            data, access, stream, ServiceSupervision(manager: manager, dispatcher: dispatcher), time: time,
            logger: logger)
        behind.connect { user in await recovery.restore(user) }
        let erasure = AccountErasure(
            manager: manager, recovery: recovery, data, access, configuration, time: time, logger: logger)
        try await erasure.prepare()

        // Verifying: for operators, for users, and in the background.
        let verifier = Verifier(
            stores: stores, running: (manager, dispatcher), stream: { stream }, configuration: configuration,
            time: time, logger: logger)
        let verifications = UserVerifications(verifier: verifier, time: time)
        let reconciliation = Reconciliation(
            verifier: verifier, manager: manager, interval: configuration.verifyInterval, time: time, logger: logger)

        // The API and the control socket, last: they are up when everything behind them is.
        let transport = access.transport
        let keySet = KeySetCache(url: configuration.jwt.jwksURL, time: time, logger: logger) { request in
            try await transport.send(request)
        }
        let api = MailAPIServer(
            configuration: configuration.api,
            commands: ServiceCommands(
                streamName: configuration.stream.name, manager: manager, erasure: erasure, dispatcher: dispatcher,
                publisher: stream.publisher, refreshes: refreshes, verifications: verifications,
                obstacle: { reserve.obstacle() }, startedAt: time.now(), time: time),
            events: events, verifier: JWTVerifier(rules: configuration.jwt.rules, keys: keySet, time: time),
            operatorToken: operatorToken, metrics: metrics, time: time, logger: logger)
        let control = ControlServer(
            socket: ControlSocket(directory: configuration.dataDirectory), commands: ControlCommands.all,
            context: ControlContext(
                configuration, data: data, access: access, stream: stream,
                running: .init(manager: manager, dispatcher: dispatcher, verifier: verifier, recovery: recovery),
                time: time, logger: logger))

        // Stopped in reverse: first who is asked from outside, then the workers, then the dispatcher.
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: dispatcher), .init(service: manager), .init(service: recovery),
                    .init(service: reconciliation), .init(service: verifications), .init(service: api),
                    .init(service: control),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        return Service(
            configuration: configuration, logger: logger, data: data, access: access, stream: stream, keySet: keySet,
            api: api, group: group)
    }

    /// Runs until SIGTERM, SIGINT, cancellation or ``stop()``; then closes everything.
    func run() async throws {
        let outcome: Result<Void, any Error>
        do {
            try await group.run()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await close()
        try outcome.get()
    }

    /// Begins a graceful shutdown.
    func stop() async { await group.triggerGracefulShutdown() }

    private func close() async {
        await keySet.shutdown()
        await access.close(logger: logger)
        await data.close(logger: logger)
        await stream.close()
        logger.info("stopped")
    }

    // MARK: for the demo

    /// The port of the API, once it listens.
    func boundPort() async throws -> Int {
        guard let port = await api.port() else { throw DemoFailure("the API does not listen") }
        return port
    }

    /// How to reach the stream.
    var natsConfiguration: NatsConfiguration { stream.nats.configuration }
    var natsDescription: String { stream.nats.description }

    /// The events of a user, as the store renders them.
    func storedEvents(of user: UserID) async throws -> [StoredEvent] {
        let events = try await data.stores.useExisting(user) { store in
            try await store.read { try $0.events(after: 0, limit: .max) }
        }
        return (events ?? []).map { StoredEvent(id: $0.id, payload: $0.payload()) }
    }
}
